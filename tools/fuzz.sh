#!/bin/sh
# SPDX-License-Identifier: AGPL-3.0-or-later
#
# tools/fuzz.sh SECONDS [NAME]: run each fuzz target that long with libFuzzer.
#
# Inputs that reach new code join tests/fuzz/corpus/NAME, where `./dev test` replays them; the
# corpus is then reduced to those that matter. A crash is kept in build/fuzz/crashes/NAME-...;
# mend it, then move the file into the corpus or, better, make it a unit test.
set -eu
cd "$(dirname "$0")/.."
seconds=${1:-}
case $seconds in
'' | *[!0-9]*)
    echo "./dev fuzz SECONDS [NAME]: say for how many seconds each target runs, e.g. ./dev fuzz 60" >&2
    exit 2
    ;;
esac
make -s --no-print-directory -j"$(nproc)" VARIANT=fuzz fuzzers
mkdir -p build/fuzz/crashes build/fuzz/log

passed=0 failed=0
for source in tests/fuzz/fuzz_*.c; do
    [ -e "$source" ] || break
    target=$(basename "$source" .c)
    short=${target#fuzz_}
    case $short in *"${2:-}"*) ;; *) continue ;; esac
    corpus=tests/fuzz/corpus/$short
    found=build/fuzz/corpus/$short
    mkdir -p "$corpus" "$found"
    before=$(find "$corpus" -type f | wc -l)
    if "build/fuzz/tests/fuzz/$target" -max_total_time="$seconds" -timeout=10 -print_final_stats=1 \
        -artifact_prefix="build/fuzz/crashes/$short-" "$found" "$corpus" >"build/fuzz/log/$short" 2>&1; then
        passed=$((passed + 1))
        word=ok
    else
        failed=$((failed + 1))
        word=FAIL
    fi
    "build/fuzz/tests/fuzz/$target" -merge=1 "$corpus" "$found" >>"build/fuzz/log/$short" 2>&1 || true
    runs=$(sed -n 's/^stat::number_of_executed_units: //p' "build/fuzz/log/$short" | head -n 1)
    printf '%-5s %-16s %s inputs tried, %d joined the corpus\n' $word "$short" "${runs:-some}" \
        $(($(find "$corpus" -type f | wc -l) - before))
    [ $word = ok ] || grep -E -A 12 'ERROR|SUMMARY|Test unit written' "build/fuzz/log/$short" |
        head -n 40 | sed 's/^/      | /'
done
echo "$passed passed, $failed failed, 0 skipped"
[ $failed -eq 0 ] && [ $passed -gt 0 ]
