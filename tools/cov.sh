#!/bin/sh
# SPDX-License-Identifier: AGPL-3.0-or-later
#
# tools/cov.sh [PART]: run the tests with counters compiled in, then say by room and by file
# which share of the lines was reached. build/cov/index.html shows the lines themselves.
set -eu
cd "$(dirname "$0")/.."
find build/cov -name '*.gcda' -delete 2>/dev/null || true
status=0
VARIANT=cov sh tools/test.sh "${1:-cov}" || status=$?

gcovr --root . --filter src/ --exclude-unreachable-branches \
    --html-details build/cov/index.html --csv build/cov/files.csv build/cov >build/cov/gcovr.log 2>&1 || {
    cat build/cov/gcovr.log
    exit 1
}
awk -F, '
    NR > 1 {
        split($1, part, "/")
        room = part[2]
        all[room] += $2; hit[room] += $3
        all_of += $2; hit_of += $3
        if ($2 >= 20 && $3 < 0.7 * $2) low[++lows] = sprintf("  %5.1f %%  %s", 100 * $3 / $2, $1)
    }
    END {
        for (room in all) printf "%-12s %6d lines  %5.1f %%\n", room, all[room], 100 * hit[room] / all[room] | "sort"
        close("sort")
        printf "%-12s %6d lines  %5.1f %%\n", "all", all_of, all_of ? 100 * hit_of / all_of : 0
        if (lows) print "files under 70 %:"
        for (i = 1; i <= lows; i++) print low[i]
        print "line by line: build/cov/index.html"
    }' build/cov/files.csv
exit $status
