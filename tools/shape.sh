#!/bin/sh
# SPDX-License-Identifier: AGPL-3.0-or-later
#
# tools/shape.sh [COMMIT]: longest functions, deepest nesting, largest files of src/, and how
# the sizes are spread, beside the aims of our style. With COMMIT also how that was then.
# Informs reviews; vetoes nothing.
set -eu
cd "$(dirname "$0")/.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

functions() { # lines: LINES NAME FILE FIRST LAST
    find src -name '*.[ch]' -print0 | xargs -0 ctags -x --languages=C --kinds-C=f \
        --fields=+ne --_xformat='%N %F %n %{end}' |
        awk '$4 != "" { print $4 - $3 + 1, $1, $2, $3, $4 }' | sort -rn
}

spread() { # AT...: share of numbers on standard input that are at most AT
    awk -v aims="$*" '
        BEGIN { n = split(aims, aim, " ") }
        { total++; for (i = 1; i <= n; i++) if ($1 <= aim[i]) within[i]++ }
        END { for (i = 1; i <= n; i++) printf "  ≤%d: %.1f %%", aim[i], total ? 100 * within[i] / total : 0
              print "" }'
}

# Depth of braces below the body of the function, from the code without comments and strings.
nesting() { # lines: DEPTH FILE LINE
    find src -name '*.c' -print0 | xargs -0 awk -f tools/code.awk | awk '
        {
            file = line = $0
            sub(/:.*/, "", file)
            line = substr($0, length(file) + 2) + 0
            if (file != before) { depth = 0; before = file }
            code = $0
            sub(/^[^:]*:[0-9]*:/, "", code)
            n = length(code)
            for (i = 1; i <= n; i++) {
                c = substr(code, i, 1)
                if (c == "{" && ++depth - 1 >= 4) print depth - 1, file, line
                if (c == "}") depth--
            }
        }' | sort -k2,2 -k3,3n | awk '!($2 in best) || $1 > best[$2] { best[$2] = $1; at[$2] = $3 }
            END { for (f in best) print best[f], f ":" at[f] }' | sort -rn
}

summary() {
    functions >"$work/functions"
    find src -name '*.[ch]' -print0 | xargs -0 wc -l | awk '$2 != "total"' | sort -rn >"$work/files"
    printf 'functions %s' "$(wc -l <"$work/functions")"
    spread 20 40 70 <"$work/functions"
    printf '.c files  %s' "$(grep -c '\.c$' "$work/files")"
    grep '\.c$' "$work/files" | spread 150 500 1000
    sort -n "$work/files" | grep '\.c$' | awk '{ size[NR] = $1 } END {
        print "  median .c file: " size[int((NR + 1) / 2)] " lines" }'
    c=$(find src -name '*.[ch]' -print0 | xargs -0 cat | wc -l)
    # Comment lines: all lines less lines with code less empty ones.
    code=$(find src -name '*.[ch]' -print0 | xargs -0 awk -f tools/code.awk | wc -l)
    blank=$(find src -name '*.[ch]' -print0 | xargs -0 cat | grep -c '^[[:space:]]*$')
    asserts=$(find src -name '*.c' -print0 | xargs -0 awk -f tools/code.awk | grep -c 'ASSERT(')
    awk -v c="$c" -v code="$code" -v blank="$blank" -v asserts="$asserts" 'BEGIN {
        printf "lines     %d, comments %.0f %%, asserts %.1f in 1,000\n", c,
            100 * (c - code - blank) / c, 1000 * asserts / c }'
}

if [ $# -gt 0 ]; then
    echo "== at $1"
    mkdir "$work/then"
    git archive "$1" src | tar -x -C "$work/then"
    cp -r tools "$work/then"
    (cd "$work/then" && sh tools/shape.sh | sed -n '2,/^lines/p')
fi
echo "== now (aims: functions ≤20: 60 %, ≤40: 83 %, ≤70: 93 %; median file 200–500 lines)"
summary
echo "== longest functions"
head -n 12 "$work/functions" | awk '{ printf "  %4d  %-34s %s:%d\n", $1, $2, $3, $4 }'
echo "== deepest nesting (4 and more, one place a file)"
nesting | head -n 12 | sed 's/^/  /'
echo "== largest files"
head -n 12 "$work/files" | awk '{ printf "  %4d  %s\n", $1, $2 }'
