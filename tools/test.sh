#!/bin/sh
# SPDX-License-Identifier: AGPL-3.0-or-later
#
# tools/test.sh [PART [NAME]]: build the tests of $VARIANT (default: test), run them, count.
#
# Programs print what they like; it is kept in build/VARIANT/log/ and shown only when
# something in them failed. One line per program, and at the very end
# "N passed, N failed, N skipped". Fails when anything failed, when nothing ran, when a
# program ran no test, or when the skipped tests are not those of tests/skips.txt.
#
# Parts: unit, contract and fault hold C programs (cmocka); fuzz replays each kept corpus,
# one count each target; checks proves that ./dev check can fail; every folder of tests/ with
# *.test.mjs files is a part for Node's test runner; web is the logic of the browser app, in web/tests,
# under Vitest. Part mariadb is api and live once more, on a
# MariaDB: all of their files that start a server without saying which store. Parts "tsan" and
# "cov" are what makes sense under ThreadSanitizer and with counters: all but fuzz, checks and web.
#
# As many programs run at a time as there are processors, four at most ($TEST_LANES: another
# number): they wait a lot, for browsers, timers and disks. What a program needs is its own, so
# none minds the others; the part that lasts longest begins first.
set -eu

variant=${VARIANT:-test}
part=${1:-all}
name=${2:-}
out=build/$variant
log=$out/log
results=$log/results # lines: passed failed skipped program
program_seconds=${TEST_SECONDS:-600}
lanes=${TEST_LANES:-$(nproc)}
[ "$lanes" -le 4 ] || [ -n "${TEST_LANES:-}" ] || lanes=4
export out log results program_seconds name

# A sanitizer's finding ends the program with its report; cmocka, which catches signals, would
# otherwise take it for one failed test and go on in a broken process.
asan=abort_on_error=0:handle_segv=2:handle_sigbus=2:handle_sigfpe=2
export ASAN_OPTIONS="${ASAN_OPTIONS:-$asan:detect_stack_use_after_return=1:strict_string_checks=1}"
export UBSAN_OPTIONS="${UBSAN_OPTIONS:-print_stacktrace=1}"
export HUTONG_BIN="$PWD/$out/hutong" # what the black-box tests start

rm -rf "$log"
mkdir -p "$log"
: >"$results"
: >"$log/skipped" # lines: program: name of the test

node_parts=$(find tests -name '*.test.mjs' -not -path '*/node_modules/*' | cut -d/ -f2 | sort -u)

wants() { # PART: was it asked for?
    case $part in
    all) return 0 ;;
    tsan | cov) [ "$1" != fuzz ] && [ "$1" != checks ] && [ "$1" != web ] ;;
    *) [ "$part" = "$1" ] ;;
    esac
}

# A failure that is no program's.
failure() { # LABEL FILE: whose text says what is wrong
    echo "0 1 0 $1" >>"$results"
    echo "FAIL  $1"
    sed 's/^/      | /' "$2"
}

# What to run: "KIND FILE" for tools/test_program.sh, of those whose name was asked for.
programs() { # KIND FILE...
    kind=$1
    shift
    for file in "$@"; do
        [ -e "$file" ] || continue
        case $file in *"$name"*) echo "$kind $file" ;; esac
    done
}

node_programs() { # KIND PART
    [ -d "tests/$2" ] || return 0
    # shellcheck disable=SC2046 # names of ours, without spaces
    programs "$1" $(find "tests/$2" -name '*.test.mjs' | sort)
}

# Whoever starts a MariaDB of its own has said which store.
mariadb_programs() {
    for class in api live; do
        node_programs mariadb "$class" | while read -r kind file; do
            ! grep -q startServer "$file" || grep -q startMariadb "$file" || echo "$kind $file"
        done
    done
}

all_programs() {
    for class in $node_parts; do
        if wants "$class"; then node_programs node "$class"; fi
    done
    if wants mariadb; then mariadb_programs; fi
    if wants web && [ -f web/package.json ]; then echo web web; fi
    if wants checks; then programs script tests/*.sh; fi
    for class in fault contract unit; do
        if wants $class; then programs cmocka tests/$class/test_*.c; fi
    done
    if wants fuzz; then programs fuzz tests/fuzz/fuzz_*.c; fi
}

# tests/node_modules follows the lock file: fetched again only when that changed.
npm_packages() {
    [ -f tests/package.json ] || return 0
    sum=$(sha256sum <tests/package-lock.json)
    [ "$(cat tests/node_modules/.lock-sum 2>/dev/null)" != "$sum" ] || return 0
    echo "fetching the tests' npm packages"
    (cd tests && npm ci --no-audit --no-fund --loglevel=error)
    echo "$sum" >tests/node_modules/.lock-sum
}

# Every skip is written down with its reason; a whole run must also meet every written one.
check_skips() {
    sed -n 's/^\([^#][^|]*[^| ]\) *|.*/\1/p' tests/skips.txt 2>/dev/null | sort >"$log/skips.listed"
    sort -u "$log/skipped" >"$log/skips.met"
    unlisted=$(comm -13 "$log/skips.listed" "$log/skips.met")
    unmet=
    if [ "$part" = all ] && [ -z "$name" ]; then
        unmet=$(comm -23 "$log/skips.listed" "$log/skips.met")
    fi
    [ -n "$unlisted$unmet" ] || return 0
    {
        [ -z "$unlisted" ] || printf 'skipped, but not in tests/skips.txt:\n%s\n' "$unlisted"
        [ -z "$unmet" ] || printf 'in tests/skips.txt, but not skipped:\n%s\n' "$unmet"
    } >"$log/skips.txt"
    failure skips "$log/skips.txt"
}

targets=
for class in unit contract fault; do
    if wants $class; then targets="$targets $class"; fi
done
if wants fuzz; then targets="$targets fuzzers"; fi
for class in $node_parts; do
    if wants "$class"; then targets="$targets all live"; fi
done
if [ "$part" = mariadb ]; then targets="all"; fi
if wants web && [ -f web/package.json ]; then targets="$targets build/web/stamp"; fi
# shellcheck disable=SC2086 # a list of words
if [ -n "$targets" ] && ! make -s --no-print-directory -j"$(nproc)" VARIANT="$variant" $targets; then
    echo "the build failed: nothing was run"
    echo "0 passed, 1 failed, 0 skipped"
    exit 1
fi

all_programs >"$log/programs"
if grep -q '^node\|^mariadb' "$log/programs" && ! npm_packages >"$log/npm.txt" 2>&1; then
    failure "npm packages" "$log/npm.txt"
    sed -i '/^node/d; /^mariadb/d' "$log/programs"
fi
# A runner that broke before it could count is a failure, whatever the others say.
if ! xargs -r -L 1 -P "$lanes" sh tools/test_program.sh <"$log/programs" ||
    [ "$(wc -l <"$results")" -lt "$(wc -l <"$log/programs")" ]; then
    echo "a program gave no result: $log/programs says what was to run, $results what did" \
        >"$log/runner.txt"
    failure runner "$log/runner.txt"
fi
check_skips

awk '{ p += $1; f += $2; s += $3 }
     END {
         if (p + f == 0) { print "nothing ran"; f = 1 }
         printf "%d passed, %d failed, %d skipped\n", p, f, s
         exit f > 0
     }' "$results"
