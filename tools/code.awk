# SPDX-License-Identifier: AGPL-3.0-or-later
#
# awk -f tools/code.awk FILE.c...: the code alone, as "file:line:code".
# Comments are gone and strings are empty, so that words in them find nothing.

FNR == 1 { in_comment = 0 }

{
    rest = $0
    code = ""
    for (;;) {
        if (in_comment) {
            if (!(at = index(rest, "*/"))) break
            rest = substr(rest, at + 2)
            in_comment = 0
        }
        if (!match(rest, /"|'|\/\*|\/\//)) {
            code = code rest
            break
        }
        token = substr(rest, RSTART, RLENGTH)
        code = code substr(rest, 1, RSTART - 1)
        rest = substr(rest, RSTART + RLENGTH)
        if (token == "//") break
        if (token == "/*") {
            in_comment = 1
            code = code " "
            continue
        }
        code = code token token
        if (token == "\"") at = match(rest, /^([^"\\]|\\.)*"/)
        else at = match(rest, /^([^'\\]|\\.)*'/)
        if (!at) break
        rest = substr(rest, RLENGTH + 1)
    }
    if (code ~ /[^ \t]/) print FILENAME ":" FNR ":" code
}
