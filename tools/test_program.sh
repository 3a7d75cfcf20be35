#!/bin/sh
# SPDX-License-Identifier: AGPL-3.0-or-later
#
# tools/test_program.sh KIND FILE: run one program of the tests and count what it says.
#
# tools/test.sh calls it, several at a time, with $out, $log, $results, $program_seconds and $name
# set. Prints one line (and what the program said, when something in it failed), and adds "passed
# failed skipped program" to $results and the names of skipped tests to $log/skipped.
#
# KIND says what FILE is: cmocka and fuzz, a source below tests/ whose program is built; script, a
# shell script; node, a file for Node's test runner; mariadb, the same with its servers on a
# MariaDB; web, the logic of the browser app (FILE is its folder, $name chooses tests).
set -eu
: "${out:?}" "${log:?}" "${results:?}" "${program_seconds:?}" "${name=}"

# One line for a program, its output when something failed: what two programs say must not mix.
report() { # PASSED FAILED SKIPPED
    exec 9>"$log/lock"
    flock 9
    echo "$1 $2 $3 $label" >>"$results"
    if [ "$2" -eq 0 ]; then
        printf 'ok    %-44s %4d passed' "$label" "$1"
        [ "$3" -eq 0 ] || printf ', %d skipped' "$3"
        printf '  %ds\n' "$seconds"
    else
        printf 'FAIL  %-44s %4d passed, %d failed, %d skipped  %ds\n' \
            "$label" "$1" "$2" "$3" "$seconds"
        without_passed <"$text" | tail -n 200 | sed 's/^/      | /'
    fi
}

# Of what Node's runner prints (TAP), the tests that passed are left out: a log that is cut must
# not be cut down to them.
without_passed() {
    awk '/^ *# Subtest: / { name = $0; next }
         /^ *ok [0-9]/ { passed = 1; name = ""; next }
         passed && /^ +(---|\.\.\.|[a-z_]+: )/ { if (/\.\.\.$/) passed = 0; next }
         { passed = 0; if (name != "") print name; name = ""; print }'
}

run_logged() { # COMMAND...; sets status and seconds
    began=$(date +%s)
    status=0
    timeout --kill-after=10 "$program_seconds" "$@" >"$text" 2>&1 </dev/null || status=$?
    seconds=$(($(date +%s) - began))
    [ $status -ne 124 ] || echo "stopped: took longer than $program_seconds s" >>"$text"
}

count() { # PATTERN
    grep -c -- "$1" "$text" || true
}

# A program that says no failure and yet ends with one, or that ran nothing, has failed.
failed_at_least() { # PASSED FAILED SKIPPED
    if [ "$2" -eq 0 ] && { [ $status -ne 0 ] || [ $(($1 + $3)) -eq 0 ]; }; then
        echo 1
    else
        echo "$2"
    fi
}

# Counts tests begun, so that a program that dies half-way still shows a failure.
run_cmocka() {
    run_logged "$out/${file%.c}"
    passed=$(count '^\[  *OK \]')
    skipped=$(grep '^\[  SKIPPED \]' "$text" | grep -v 'test(s)' | sort -u |
        sed "s|^\[  SKIPPED \] *|$label: |" | tee -a "$log/skipped" | wc -l)
    failed=$(($(count '^\[ RUN  ') - passed - skipped))
    [ $status -eq 0 ] || echo "exit status $status" >>"$text"
    report "$passed" "$(failed_at_least "$passed" "$failed" "$skipped")" "$skipped"
}

run_fuzz() {
    corpus=tests/fuzz/corpus/${label#fuzz/fuzz_}
    # shellcheck disable=SC2016 # its own $1 and $2
    run_logged sh -c 'find "$1" -type f -print0 | xargs -0 -r "$2"' sh "$corpus" "$out/${file%.c}"
    [ -d "$corpus" ] || echo "$corpus is missing: a target needs a corpus" >>"$text"
    if grep -q 'inputs replayed' "$text" && [ $status -eq 0 ]; then
        report 1 0 0
    else
        report 0 1 0
    fi
}

# A script that tests prints "ok: sentence" and "FAIL: sentence" lines.
run_script() {
    run_logged sh "$file"
    passed=$(count '^ok: ')
    report "$passed" "$(failed_at_least "$passed" "$(count '^FAIL: ')" 0)" 0
}

tap_summary() { # WORD: the number behind "# WORD" at the end
    awk -v word="$1" '$1 == "#" && $2 == word && NF == 3 { n = $3 } END { print n + 0 }' "$text"
}

run_node() {
    run_logged node --test --test-reporter=tap "$file"
    passed=$(tap_summary pass)
    failed=$(($(tap_summary fail) + $(tap_summary cancelled)))
    skipped=$(($(tap_summary skipped) + $(tap_summary todo)))
    sed -n "s|^ *\(not \)\{0,1\}ok [0-9]* - \(.*\) # [ST][KO][ID][PO].*|$label: \2|p" "$text" \
        >>"$log/skipped"
    report "$passed" "$(failed_at_least "$passed" "$failed" "$skipped")" "$skipped"
}

# The build has fetched the packages.
run_web() {
    run_logged npm --prefix "$file" run --silent test -- --reporter=tap-flat -t "$name"
    passed=$(count '^ok .*# time=')
    report "$passed" "$(failed_at_least "$passed" "$(count '^not ok ')" 0)" 0
}

kind=$1 file=$2
label=${file#tests/}
case $kind in
cmocka | fuzz) label=${label%.c} ;;
mariadb)
    label=mariadb/$label
    export HUTONG_TEST_STORE=mariadb
    ;;
esac
text=$log/$(echo "$label" | tr / _).txt

case $kind in
cmocka) run_cmocka ;;
fuzz) run_fuzz ;;
script) run_script ;;
node | mariadb) run_node ;;
web) run_web ;;
esac
