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
set -eu

variant=${VARIANT:-test}
part=${1:-all}
name=${2:-}
out=build/$variant
log=$out/log
program_seconds=${TEST_SECONDS:-300}

# A sanitizer's finding ends the program with its report; cmocka, which catches signals, would
# otherwise take it for one failed test and go on in a broken process.
asan=abort_on_error=0:handle_segv=2:handle_sigbus=2:handle_sigfpe=2
export ASAN_OPTIONS="${ASAN_OPTIONS:-$asan:detect_stack_use_after_return=1:strict_string_checks=1}"
export UBSAN_OPTIONS="${UBSAN_OPTIONS:-print_stacktrace=1}"
export HUTONG_BIN="$PWD/$out/hutong" # what the black-box tests start

rm -rf "$log"
mkdir -p "$log"
results=$log/results # lines: passed failed skipped program
: >"$results"
: >"$log/skipped"    # lines: program: name of the test

node_parts=$(find tests -name '*.test.mjs' -not -path '*/node_modules/*' | cut -d/ -f2 | sort -u)

wants() { # PART: was it asked for?
    case $part in
    all) return 0 ;;
    tsan | cov) [ "$1" != fuzz ] && [ "$1" != checks ] && [ "$1" != web ] ;;
    *) [ "$part" = "$1" ] ;;
    esac
}

# One line for a program, its output when something failed. Order of arguments as in results.
report() { # PASSED FAILED SKIPPED PROGRAM LOG SECONDS
    echo "$1 $2 $3 $4" >>"$results"
    if [ "$2" -eq 0 ]; then
        printf 'ok    %-44s %4d passed' "$4" "$1"
        [ "$3" -eq 0 ] || printf ', %d skipped' "$3"
        printf '  %ds\n' "$6"
    else
        printf 'FAIL  %-44s %4d passed, %d failed, %d skipped  %ds\n' "$4" "$1" "$2" "$3" "$6"
        tail -n 200 "$5" | sed 's/^/      | /'
    fi
}

run_logged() { # LOG COMMAND...; sets status and seconds
    log_to=$1
    shift
    began=$(date +%s)
    status=0
    timeout --kill-after=10 "$program_seconds" "$@" >"$log_to" 2>&1 </dev/null || status=$?
    seconds=$(($(date +%s) - began))
    [ $status -ne 124 ] || echo "stopped: took longer than $program_seconds s" >>"$log_to"
}

count() { # PATTERN FILE
    grep -c -- "$1" "$2" || true
}

# Counts tests begun, so that a program that dies half-way still shows a failure.
run_cmocka() { # PROGRAM
    label=${1#"$out"/tests/}
    text=$log/$(echo "$label" | tr / _).txt
    run_logged "$text" "$1"
    begun=$(count '^\[ RUN  ' "$text")
    passed=$(count '^\[  *OK \]' "$text")
    skipped=$(grep '^\[  SKIPPED \]' "$text" | grep -v 'test(s)' | sort -u |
        sed "s|^\[  SKIPPED \] *|$label: |" | tee -a "$log/skipped" | wc -l)
    failed=$((begun - passed - skipped))
    if [ "$begun" -eq 0 ] && [ $status -eq 0 ]; then
        echo "this program ran no test" >>"$text"
        failed=1
    fi
    [ $status -eq 0 ] || [ $failed -gt 0 ] || failed=1
    [ $status -eq 0 ] || echo "exit status $status" >>"$text"
    report "$passed" "$failed" "$skipped" "$label" "$text" "$seconds"
}

run_compiled() { # unit|contract|fault
    for source in tests/"$1"/test_*.c; do
        [ -e "$source" ] || return 0
        program=$(basename "$source" .c)
        case $program in *"$name"*) run_cmocka "$out/tests/$1/$program" ;; esac
    done
}

run_fuzz() {
    for source in tests/fuzz/fuzz_*.c; do
        [ -e "$source" ] || return 0
        target=$(basename "$source" .c)
        corpus=tests/fuzz/corpus/${target#fuzz_}
        case $target in *"$name"*) ;; *) continue ;; esac
        text=$log/$target.txt
        # shellcheck disable=SC2016 # its own $1 and $2
        run_logged "$text" sh -c 'find "$1" -type f -print0 | xargs -0 -r "$2"' sh \
            "$corpus" "$out/tests/fuzz/$target"
        grep -q 'inputs replayed' "$text" && [ $status -eq 0 ] && failed=0 || failed=1
        [ -d "$corpus" ] || echo "$corpus is missing: a target needs a corpus" >>"$text"
        report $((1 - failed)) "$failed" 0 "fuzz/$target" "$text" "$seconds"
    done
}

# A script that tests prints "ok: sentence" and "FAIL: sentence" lines.
run_script() { # SCRIPT
    case $1 in *"$name"*) ;; *) return 0 ;; esac
    text=$log/$(basename "$1").txt
    run_logged "$text" sh "$1"
    passed=$(count '^ok: ' "$text")
    failed=$(count '^FAIL: ' "$text")
    [ $status -eq 0 ] || [ "$failed" -gt 0 ] || failed=1
    [ "$passed" -gt 0 ] || [ "$failed" -gt 0 ] || failed=1
    report "$passed" "$failed" 0 "${1#tests/}" "$text" "$seconds"
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

tap_summary() { # WORD FILE: the number behind "# WORD" at the end
    awk -v word="$1" '$1 == "#" && $2 == word && NF == 3 { n = $3 } END { print n + 0 }' "$2"
}

run_node() { # FILE [PREFIX]: a label's, with its environment set
    label=${2:-}${1#tests/}
    text=$log/$(echo "$label" | tr / _).txt
    run_logged "$text" node --test --test-reporter=tap "$1"
    passed=$(tap_summary pass "$text")
    failed=$(($(tap_summary fail "$text") + $(tap_summary cancelled "$text")))
    skipped=$(($(tap_summary skipped "$text") + $(tap_summary todo "$text")))
    sed -n "s|^ *\(not \)\{0,1\}ok [0-9]* - \(.*\) # [ST][KO][ID][PO].*|$label: \2|p" "$text" >>"$log/skipped"
    [ $status -eq 0 ] || [ $failed -gt 0 ] || failed=1
    [ $((passed + failed + skipped)) -gt 0 ] || failed=1
    report "$passed" "$failed" "$skipped" "$label" "$text" "$seconds"
}

run_node_part() { # PART
    find "tests/$1" -name '*.test.mjs' | sort | while read -r file; do
        case $file in *"$name"*) run_node "$file" ;; esac
    done
}

# The build has fetched the packages.
run_web() {
    text=$log/web.txt
    run_logged "$text" npm --prefix web run --silent test -- --reporter=tap-flat -t "$name"
    passed=$(count '^ok .*# time=' "$text")
    failed=$(count '^not ok ' "$text")
    [ $status -eq 0 ] || [ "$failed" -gt 0 ] || failed=1
    [ "$passed" -gt 0 ] || [ "$failed" -gt 0 ] || failed=1
    report "$passed" "$failed" 0 web "$text" "$seconds"
}

# Whoever starts a MariaDB of its own has said which store.
run_mariadb() {
    for class in api live; do
        [ -d "tests/$class" ] || continue
        find "tests/$class" -name '*.test.mjs' | sort | while read -r file; do
            case $file in *"$name"*) ;; *) continue ;; esac
            grep -q startServer "$file" || continue
            ! grep -q startMariadb "$file" || continue
            (export HUTONG_TEST_STORE=mariadb && run_node "$file" mariadb/)
        done
    done
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
    report 0 1 0 skips "$log/skips.txt" 0
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

for class in unit contract fault; do
    if wants $class; then run_compiled $class; fi
done
if wants fuzz; then run_fuzz; fi
if wants checks; then
    for script in tests/*.sh; do
        [ ! -e "$script" ] || run_script "$script"
    done
fi
for class in $node_parts; do
    wants "$class" || continue
    if npm_packages >"$log/npm.txt" 2>&1; then
        run_node_part "$class"
    else
        report 0 1 0 "$class (npm packages)" "$log/npm.txt" 0
    fi
done
if wants web && [ -f web/package.json ]; then run_web; fi
if wants mariadb && [ -n "$node_parts" ]; then
    if npm_packages >"$log/npm.txt" 2>&1; then
        run_mariadb
    else
        report 0 1 0 "mariadb (npm packages)" "$log/npm.txt" 0
    fi
fi
check_skips

awk '{ p += $1; f += $2; s += $3 }
     END {
         if (p + f == 0) { print "nothing ran"; f = 1 }
         printf "%d passed, %d failed, %d skipped\n", p, f, s
         exit f > 0
     }' "$results"
