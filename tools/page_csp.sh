#!/bin/sh
# SPDX-License-Identifier: AGPL-3.0-or-later
#
# tools/page_csp.sh PAGE: prints the Content-Security-Policy for a page that brings its one <script>
# and its one <style> along, by their hashes: nothing else may run or be loaded, and only this very
# server be asked. Each of the four tags stands alone on its line.
set -eu

# The hash covers everything between the tags, line ends included (CSP 3, 8.2).
digest() { # TAG
    awk -v open="<$1>" -v close="</$1>" '
        $0 == close { inside = 0; found++ }
        inside { print }
        $0 == open { printf "\n"; inside = 1 }
        END { exit found != 1 }' "$page" |
        sha256sum | cut -c1-64 |
        LC_ALL=C awk '{
            digits = "0123456789abcdef"
            for (i = 1; i <= 64; i += 2)
                printf "%c", 16 * (index(digits, substr($0, i, 1)) - 1) + index(digits, substr($0, i + 1, 1)) - 1
        }' | base64
}

page=$1
script=$(digest script)
style=$(digest style)
printf "%s; " "default-src 'none'" "script-src 'sha256-$script'" "style-src 'sha256-$style'" \
    "connect-src 'self'" "img-src data:" "base-uri 'none'" "form-action 'none'"
echo "frame-ancestors 'none'"
