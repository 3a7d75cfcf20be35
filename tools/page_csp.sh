#!/bin/sh
# SPDX-License-Identifier: AGPL-3.0-or-later
#
# tools/page_csp.sh PAGE: prints the Content-Security-Policy for a page that brings its one <script>
# and its one <style> along, by their hashes: nothing else may run or be loaded, and only this very
# server be asked. Each of the four tags stands alone on its line.
set -eu

# The hash covers everything between the tags, line ends included (CSP 3, 8.2).
digest() { # TAG
    if [ "$(grep -cx "<$1>" "$page")" != 1 ] || [ "$(grep -cx "</$1>" "$page")" != 1 ]; then
        echo "$page: <$1> and </$1> must stand once, each alone on its line" >&2
        exit 1
    fi
    awk -v first="<$1>" -v last="</$1>" '
        $0 == last { exit }
        inside { print }
        $0 == first { printf "\n"; inside = 1 }' "$page" |
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
