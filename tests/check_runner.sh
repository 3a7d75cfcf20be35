#!/bin/sh
# SPDX-License-Identifier: AGPL-3.0-or-later
#
# tests/check_runner.sh: the runner of tests must not say "ok" for what did not run.
#
# Small trees with programs that pass, fail, die half-way, run nothing or skip, and the last
# line and exit status that tools/test.sh must give for each.
set -u
top=$(cd "$(dirname "$0")/.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failures=0

# A tree without sources: its Makefile "builds" by making shell scripts executable, which print
# what cmocka would.
tree() {
    rm -rf "$work/tree"
    mkdir -p "$work/tree/tests/unit" "$work/tree/tools" "$work/tree/build/test/tests/unit"
    cd "$work/tree" || exit 1
    cp "$top/tools/test.sh" "$top/tools/test_program.sh" tools/
    printf '%%:\n\t@true\n' >Makefile
}

program() { # NAME SCRIPT
    : >"tests/unit/$1.c"
    printf '#!/bin/sh\n%s\n' "$2" >"build/test/tests/unit/$1"
    chmod +x "build/test/tests/unit/$1"
}

expect() { # SENTENCE EXIT LAST-LINE
    status=0
    sh tools/test.sh >"$work/out" 2>&1 || status=$?
    last=$(tail -n 1 "$work/out")
    if [ $status -eq "$2" ] && [ "$last" = "$3" ]; then
        echo "ok: $1"
    else
        echo "FAIL: $1: exit $status, \"$last\"; expected $2, \"$3\""
        sed 's/^/  /' "$work/out"
        failures=$((failures + 1))
    fi
}

passing='echo "[ RUN      ] a"; echo "[       OK ] a"; echo "[ RUN      ] b"; echo "[       OK ] b"'
skipping='echo "[ RUN      ] s"; echo "[  SKIPPED ] s"'

tree
expect 'a tree without tests fails' 1 '0 passed, 1 failed, 0 skipped'
program test_good "$passing"
expect 'tests that pass are counted one by one' 0 '2 passed, 0 failed, 0 skipped'
program test_bad "$passing; echo '[ RUN      ] c'; echo '[  FAILED  ] c'; exit 1"
expect 'a test that fails is one failure' 1 '4 passed, 1 failed, 0 skipped'

tree
program test_dies "$passing; echo '[ RUN      ] c'; kill -9 \$\$"
expect 'a program that dies half-way has failed' 1 '2 passed, 1 failed, 0 skipped'
tree
program test_leaks "$passing; exit 23"
expect 'a program that passes all and then fails has failed' 1 '2 passed, 1 failed, 0 skipped'
tree
program test_good "$passing"
program test_idle 'exit 0'
expect 'a program that ran no test has failed' 1 '2 passed, 1 failed, 0 skipped'
tree
program test_good "$passing"
program test_slow 'echo "[ RUN      ] a"; exec tail -f /dev/null'
TEST_SECONDS=1
export TEST_SECONDS
expect 'a program that hangs is stopped and has failed' 1 '2 passed, 1 failed, 0 skipped'
unset TEST_SECONDS

tree
program test_skips "$passing; $skipping"
expect 'a skip that nobody wrote down is a failure' 1 '2 passed, 1 failed, 1 skipped'
echo 'unit/test_skips: s | needs a second disk' >tests/skips.txt
expect 'a skip that is written down is none' 0 '2 passed, 0 failed, 1 skipped'
program test_skips "$passing"
expect 'a written skip that did not happen is a failure' 1 '2 passed, 1 failed, 0 skipped'

tree
for number in 1 2 3 4 5 6; do
    program test_$number "$passing; echo $number; echo '[ RUN      ] c'; echo '[  FAILED  ] c'; exit 1"
done
TEST_LANES=4
export TEST_LANES
expect 'programs that run side by side are counted all' 1 '12 passed, 6 failed, 0 skipped'
unset TEST_LANES
if awk '/^FAIL/ { n = 0 } /^      [|]/ { n++ } n > 8 { exit 1 }' "$work/out"; then
    echo 'ok: what programs side by side say does not mix'
else
    echo 'FAIL: what programs side by side say does not mix'
    failures=$((failures + 1))
fi
rm tools/test_program.sh
expect 'a program that gave no result is a failure' 1 '0 passed, 1 failed, 0 skipped'

tree
program test_good "$passing"
printf '%%:\n\t@false\n' >Makefile
expect 'a build that fails is a failure' 1 '0 passed, 1 failed, 0 skipped'

tree
mkdir tests/api
cat >tests/api/mixed.test.mjs <<'JS'
import test from "node:test";
import assert from "node:assert";
test("passes", () => {});
test("fails", () => assert.equal(1, 2));
test("is skipped", { skip: "why" }, () => {});
JS
echo 'api/mixed.test.mjs: is skipped | no reason' >tests/skips.txt
expect "Node's tests are counted with the others" 1 '1 passed, 1 failed, 1 skipped'
if grep -q 'not ok 2 - fails' "$work/out" && ! grep -q 'passes' "$work/out"; then
    echo 'ok: of a file that fails only what failed is printed'
else
    echo 'FAIL: of a file that fails only what failed is printed'
    sed 's/^/  /' "$work/out"
    failures=$((failures + 1))
fi
echo 'syntax error' >tests/api/mixed.test.mjs
rm tests/skips.txt
expect 'a test file that does not load has failed' 1 '0 passed, 1 failed, 0 skipped'

[ $failures -eq 0 ]
