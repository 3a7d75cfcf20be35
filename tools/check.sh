#!/bin/sh
# SPDX-License-Identifier: AGPL-3.0-or-later
#
# tools/check.sh [quick|list|NAME...]: what a machine can keep of our style and safety.
#
# Each check is a function that prints what it finds and fails when it found something.
# tests/check_checks.sh plants a fault for each of them and sees that it is noticed.
# Adding one? The function, a line in the table `checks`, a planted fault in that test.
set -eu
cd "$(dirname "$0")/.."

# name, when, what
checks='
format   quick  code stands as clang-format puts it
headers  quick  every header compiles alone, twice
layers   quick  includes go only where tools/layers.txt allows
banned   quick  no function that base/banned.h takes away
spdx     quick  every file names its licence at its top
todo     quick  every debt names its issue
shell    quick  scripts parse, and shellcheck is content
deploy   quick  systemd knows every line of the unit, Prometheus (where installed) its rules
web      quick  the browser app is of one type with itself and the API
clang    quick  clang builds everything without a warning
gcc      full   gcc builds everything without a warning, optimised
tidy     full   clang-tidy, as .clang-tidy says
cppcheck full   cppcheck
corpora  full   every fuzz target gets through its corpus
faults   full   the fault tests
'

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

c_files() { # FOLDER...
    for folder in "$@"; do
        [ ! -d "$folder" ] || find "$folder" -type d -name node_modules -prune -o \
            -type f \( -name '*.c' -o -name '*.h' -o -name '*.inc' \) -print
    done | sort
}

shell_scripts() {
    for file in dev tools/*.sh tests/*.sh bench/*.sh deploy/*.sh; do
        [ ! -f "$file" ] || echo "$file"
    done
}

tool_flags() { make -s --no-print-directory tool-flags; }

check_format() {
    c_files src tests bench | grep -v '\.inc$' |
        xargs -r clang-format --dry-run -Werror >"$work/out" 2>&1 && return 0
    awk -F: '/: error: / { if (!places[$1]++) from[$1] = $2 }
             END { for (f in places) print f ":" from[f] ": " places[f] " places; ./dev fmt mends them" }' \
        "$work/out" | sort
    return 1
}

check_headers() {
    flags=$(tool_flags)
    found=0
    for header in $(c_files src | grep '\.h$'); do
        # shellcheck disable=SC2086 # a list of flags
        printf '#include "%s"\n#include "%s"\n' "${header#src/}" "${header#src/}" |
            gcc $flags -Wall -Wextra -Werror -fsyntax-only -x c - >"$work/out" 2>&1 && continue
        echo "$header does not compile on its own:"
        head -n 5 "$work/out"
        found=1
    done
    return $found
}

# Headers of the C library, the kernel and the compiler itself.
system_headers() {
    dpkg -L libc6-dev linux-libc-dev | sed -n 's|^/usr/include/\([^/]*-linux-gnu/\)\{0,1\}\(.*\.h\)$|\2|p'
    find "$(gcc -print-file-name=include)" -name '*.h' -printf '%P\n'
}

check_layers() {
    system_headers >"$work/system"
    c_files src | xargs -r grep -nHE '^[[:space:]]*#[[:space:]]*include' >"$work/includes"
    awk -f tools/layers.awk tools/layers.txt "$work/system" "$work/includes"
}

check_banned() {
    names=$(sed -n 's/^#define \([a-z_]*\)(.*BANNED(.*/\1/p' src/base/banned.h | paste -sd'|')
    [ -n "$names" ] || { echo "src/base/banned.h bans nothing" && return 1; }
    c_files src tests bench | grep -v '^src/base/banned\.h$' | xargs -r awk -f tools/code.awk |
        grep -E "(^|[^A-Za-z0-9_.>])($names)[[:space:]]*\\(" >"$work/out" || return 0
    sed 's/$/   <- see src\/base\/banned.h for what to use/' "$work/out"
    return 1
}

check_spdx() {
    { c_files src tests bench migrations web/src
        shell_scripts
        find tests migrations tools web/src -type d -name node_modules -prune -o -type f \
            \( -name '*.mjs' -o -name '*.sql' -o -name '*.awk' -o -name '*.ts' -o -name '*.vue' \) \
            -print 2>/dev/null
        printf '%s\n' Makefile .ci/run; } | sort -u >"$work/files"
    found=0
    while read -r file; do
        [ -f "$file" ] || continue
        head -n 2 "$file" | grep -q 'SPDX-License-Identifier: AGPL-3.0-or-later' && continue
        echo "$file: no SPDX-License-Identifier: AGPL-3.0-or-later in its first two lines"
        found=1
    done <"$work/files"
    return $found
}

check_todo() {
    { c_files src tests bench
        shell_scripts | grep -v '^tests/check_checks\.sh$' # it plants them
        find web/src migrations -type f 2>/dev/null; } |
        xargs -r grep -nHwE 'TO[D]O|FIX[M]E|XX[X]|HAC[K]' |
        grep -vE 'TO[D]O\(#[0-9]+\): .|"TO[D]O"' >"$work/out" || return 0 # quoted: a file's name
    sed 's/$/   <- write TO''DO(#123): what, and when it may go/' "$work/out"
    return 1
}

check_shell() {
    found=0
    for file in $(shell_scripts); do sh -n "$file" || found=1; done
    [ ! -f .ci/run ] || bash -n .ci/run || found=1
    # shellcheck disable=SC2046 # a list of files
    shellcheck $(shell_scripts) $(ls .ci/run 2>/dev/null) || found=1
    return $found
}

# systemd only warns of a line that it does not know, and goes on without its protection.
check_deploy() {
    [ -d deploy ] || return 0
    sed 's|^ExecStart=[^ ]*|ExecStart=/bin/true|' deploy/hutong.service >"$work/hutong.service"
    systemd-analyze verify "$work/hutong.service" >"$work/out" 2>&1 || echo "not valid" >>"$work/out"
    if command -v promtool >/dev/null; then
        promtool check rules deploy/alerts.yml >"$work/rules" 2>&1 || cat "$work/rules" >>"$work/out"
    fi
    cat "$work/out"
    [ ! -s "$work/out" ]
}

check_web() {
    [ -f web/package.json ] || return 0
    make -s --no-print-directory build/web/stamp && (cd web && npm run --silent types)
}

build_everything() { # VARIANT
    targets='lib unit contract fault fuzzers bench'
    [ ! -f src/app/main.c ] || targets="all $targets"
    # shellcheck disable=SC2086 # a list of words
    make -s --no-print-directory -k -j"$(nproc)" VARIANT="$1" $targets >"$work/out" 2>&1 ||
        { grep -v '^  \(cc\|link\) ' "$work/out" && return 1; }
}

check_clang() { build_everything clang; }
check_gcc() { build_everything release; }

check_tidy() {
    flags=$(tool_flags)
    # shellcheck disable=SC2086 # a list of flags
    c_files src | grep '\.c$' |
        xargs -P"$(nproc)" -I{} clang-tidy --quiet {} -- $flags >"$work/out" 2>"$work/left_out" && return 0
    grep -hE '(error|warning): ' "$work/out" "$work/left_out" | sort -u
    echo "for the way there: clang-tidy FILE -- \$(make -s tool-flags)"
    return 1
}

check_cppcheck() {
    # shellcheck disable=SC2046 # a list of files
    cppcheck --quiet --std=c11 --enable=warning,performance,portability --inline-suppr \
        --suppressions-list=tools/cppcheck.txt --error-exitcode=1 -j"$(nproc)" \
        -D_GNU_SOURCE -D__linux__ -Isrc $(c_files src | grep '\.c$') 2>&1
}

check_corpora() { sh tools/test.sh fuzz; }
check_faults() {
    # The ground floor of a tree may have none yet; then there is nothing to run.
    [ -n "$(find tests/fault -name 'test_*.c' -o -name '*.test.mjs' 2>/dev/null)" ] || return 0
    sh tools/test.sh fault
}

passed=0 failed=0
run() { # NAME
    began=$(date +%s)
    if "check_$1" >"$work/found" 2>&1; then
        passed=$((passed + 1))
        word=ok
    else
        failed=$((failed + 1))
        word=FAIL
    fi
    what=$(echo "$checks" | sed -n "s/^$1 *[a-z]*  *//p")
    printf '%-5s %-9s %s  %ds\n' $word "$1" "$what" $(($(date +%s) - began))
    [ $word = ok ] || sed 's/^/      | /' "$work/found"
}

case ${1:-full} in
list) echo "$checks" | sed '/^$/d' && exit 0 ;;
quick) names=$(echo "$checks" | awk '$2 == "quick" { print $1 }') ;;
full) names=$(echo "$checks" | awk 'NF { print $1 }') ;;
*) names=$* ;;
esac
for name in $names; do
    if ! echo "$checks" | grep -q "^$name "; then
        echo "check: there is no check $name; these there are:" >&2
        echo "$checks" >&2
        exit 2
    fi
    run "$name"
done
echo "$passed passed, $failed failed, 0 skipped"
[ $failed -eq 0 ]
