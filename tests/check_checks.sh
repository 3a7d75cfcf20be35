#!/bin/sh
# SPDX-License-Identifier: AGPL-3.0-or-later
#
# tests/check_checks.sh: a check that cannot fail is none.
#
# For each check of tools/check.sh a small tree is made, sound, and the check must pass there;
# then one fault of its kind is planted, and the check must fail and name the place.
# Runs as part of `./dev test`; prints "ok: …" and "FAIL: …" lines for tools/test.sh.
set -u
top=$(cd "$(dirname "$0")/.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failures=0

say() { # ok|FAIL SENTENCE
    echo "$1: $2"
    [ "$1" = ok ] || failures=$((failures + 1))
}

spdx='/* SPDX-License-Identifier: AGPL-3.0-or-later */'

# The smallest tree that every check likes.
sound_tree() {
    rm -rf "$work/tree"
    mkdir -p "$work/tree/src/base" "$work/tree/src/io" "$work/tree/src/store" \
        "$work/tree/tests/fuzz/corpus/fine" "$work/tree/tests/unit" "$work/tree/.ci"
    cd "$work/tree" || exit 1
    cp -r "$top/tools" "$top/deploy" "$top/Makefile" "$top/VERSION" "$top/dev" "$top/.clang-format" \
        "$top/.clang-tidy" .
    cp "$top/.ci/run" .ci/
    cp "$top/src/base/base.h" "$top/src/base/banned.h" src/base/
    cp "$top/src/base/embedded.h" "$top/src/base/str.h" src/base/
    cp "$top/tests/fuzz/replay.c" tests/fuzz/
    printf '%s\n#pragma once\n\nint fine(int a);\n' "$spdx" >src/base/fine.h
    printf '%s\n#include "base/fine.h"\n\nint fine(int a)\n{\n    return a + 1;\n}\n' "$spdx" \
        >src/base/fine.c
    printf '%s\n#include <stddef.h>\n#include <stdint.h>\n\nint LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);\n\nint LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)\n{\n    if (size > 2 && data[0] == 33) __builtin_trap();\n    return 0;\n}\n' \
        "$spdx" >tests/fuzz/fuzz_fine.c
    echo hello >tests/fuzz/corpus/fine/hello
}

passes() { # CHECK
    if sh tools/check.sh "$1" >"$work/out" 2>&1; then
        say ok "$1 is content with a sound tree"
    else
        say FAIL "$1 finds something in a sound tree:"
        cat "$work/out"
    fi
}

# After something was planted: the check fails, and its findings have this in them.
notices() { # CHECK TEXT WHAT
    if sh tools/check.sh "$1" >"$work/out" 2>&1; then
        say FAIL "$1 overlooks $3"
    elif ! grep -qF "$2" "$work/out"; then
        say FAIL "$1 fails for $3 but does not say \"$2\":"
        cat "$work/out"
    else
        say ok "$1 notices $3"
    fi
}

# A function at the end of src/base/fine.c, declared so that nothing else is wrong with it.
plant() { # SIGNATURE BODY
    sound_tree
    printf '\n%s;\n' "$1" >>src/base/fine.h
    printf '\n%s\n{\n    %s\n}\n' "$1" "$2" >>src/base/fine.c
}

include_into() { # FILE INCLUDE-LINE
    sound_tree
    mkdir -p "$(dirname "$1")"
    printf '%s\n%s\n' "$spdx" "$2" >"$1"
}

sound_tree
for name in $(sh tools/check.sh list | awk '{ print $1 }'); do passes "$name"; done

plant 'int crooked(int a)' 'return   a;'
notices format src/base/fine.c 'blanks that clang-format would not put'

sound_tree
printf '%s\n#pragma once\n\nsize_t needy(void);\n' "$spdx" >src/base/needy.h
notices headers src/base/needy.h 'a header that needs another one first'
sound_tree
printf '%s\nstruct twice {\n    int a;\n};\n' "$spdx" >src/base/twice.h
notices headers src/base/twice.h 'a header that cannot be included twice'

include_into src/base/up.c '#include "io/loop.h"'
notices layers src/base/up.c:2 'a room that looks upwards'
include_into src/community/rude.c '#include "wiki/pages.h"'
notices layers src/community/rude.c:2 'a room that looks at its neighbour'
include_into src/cellar/new.c '#include "base/fine.h"'
notices layers src/cellar/new.c:2 'a room that nobody wrote down'
include_into src/store/nosy.c '#include "io/internal.h"'
notices layers src/store/nosy.c:2 'an include of what is internal to another room'
include_into src/base/short.c '#include "fine.h"'
notices layers src/base/short.c:2 'an include without its room'
include_into src/http/direct.c '#include <uv.h>'
notices layers src/http/direct.c:2 'a library outside its room'
include_into src/http/stranger.c '#include <glib.h>'
notices layers src/http/stranger.c:2 'a library that nobody wrote down'
sound_tree
printf '%s\n#include "base/base.h"\n#include "base/fine.h"\n' "$spdx" >src/base/fine.c
notices layers src/base/fine.c:2 'a .c that does not include its own header first'

for call in 'strcpy(a, b)' 'atoi (a)' 'system("ls")' 'sprintf(a, "%s", b)'; do
    sound_tree
    printf '%s\nvoid f(char *a, char *b);\nvoid f(char *a, char *b) { puts("//"); %s; }\n' \
        "$spdx" "$call" >src/base/careless.c
    notices banned src/base/careless.c:3 "$call"
done
sound_tree
printf '%s\n/* strcpy(a, b) and\n * system("ls") */\nconst char *const words = "atoi(a)"; // rand()\nvoid my_strcpy(void);\n' \
    "$spdx" >src/base/words.c
passes banned

sound_tree
echo 'int unowned;' >src/base/unowned.c
notices spdx src/base/unowned.c 'a C file without a licence line'
sound_tree
mkdir -p migrations/sqlite
echo 'SELECT 1;' >migrations/sqlite/0001_a.sql
notices spdx migrations/sqlite/0001_a.sql 'a migration without a licence line'

for word in TODO FIXME XXX HACK; do
    sound_tree
    printf '/* %s: later */\n' $word >>src/base/fine.c
    notices todo src/base/fine.c:8 "a $word without an issue"
done
sound_tree
printf '/* %s(#12): drop when Debian 12 is gone. */\n' TODO >>src/base/fine.c
passes todo

sound_tree
# shellcheck disable=SC2016 # text of a script
printf '#!/bin/sh\n# SPDX-License-Identifier: AGPL-3.0-or-later\nif true; then\n' >tools/broken.sh
notices shell tools/broken.sh 'a script that does not parse'
sound_tree
# shellcheck disable=SC2016 # text of a script
printf '#!/bin/sh\n# SPDX-License-Identifier: AGPL-3.0-or-later\nrm -rf $1/*\n' >tools/risky.sh
notices shell tools/risky.sh 'a script with an unquoted argument'

sound_tree
sed -i 's/^ProtectHome=/ProtectHoem=/' deploy/hutong.service
notices deploy ProtectHoem 'a line of the unit that systemd would leave out'

plant 'int narrow(long a)' 'return a;'
notices clang src/base/fine.c 'a conversion that loses bits'
notices gcc src/base/fine.c 'a conversion that loses bits'

plant 'int divide(int a)' 'int zero = 0;
    if (a > 3) zero = a;
    return a / zero;'
notices tidy src/base/fine.c 'a division by zero on one path'
plant 'int beyond(void)' 'int few[2] = {1, 2};
    return few[2];'
notices cppcheck src/base/fine.c 'an index past the end'

sound_tree
printf '!!!!' >tests/fuzz/corpus/fine/bang
notices corpora fuzz_fine 'a corpus file that crashes its target'
sound_tree
rm -r tests/fuzz/corpus
notices corpora corpus/fine 'a target without a corpus'

sound_tree
mkdir -p tests/fault
printf '%s\n#include <setjmp.h>\n#include <stdarg.h>\n#include <stddef.h>\n#include <stdint.h>\n\n#include <cmocka.h>\n\nstatic void leaks(void **state)\n{\n    (void)state;\n    fail();\n}\n\nint main(void)\n{\n    const struct CMUnitTest tests[] = {cmocka_unit_test(leaks)};\n    return cmocka_run_group_tests(tests, NULL, NULL);\n}\n' \
    "$spdx" >tests/fault/test_leaks.c
notices faults test_leaks 'a fault test that fails'

if sh tools/check.sh no_such_check >"$work/out" 2>&1; then
    say FAIL "a check that does not exist seems to pass"
else
    say ok "a check that does not exist is an error"
fi
[ $failures -eq 0 ]
