#!/bin/sh
# SPDX-License-Identifier: AGPL-3.0-or-later
#
# tools/web.sh: build the browser app of web/ into build/web/dist, compressed files beside.
#
# web/node_modules follows the lock file: fetched again only when that changed.
set -eu
command -v npm >/dev/null || {
    echo "web: npm is missing; ./dev build installs it" >&2
    exit 1
}
mkdir -p build/web
sum=$(sha256sum <web/package-lock.json)
if [ "$(cat web/node_modules/.lock-sum 2>/dev/null)" != "$sum" ]; then
    echo "  npm   web/package-lock.json"
    (cd web && npm ci --no-audit --no-fund --loglevel=error)
    echo "$sum" >web/node_modules/.lock-sum
fi
echo "  web   build/web/dist"
if ! (cd web && npm run --silent build) >build/web/log 2>&1; then
    cat build/web/log >&2
    exit 1
fi
touch build/web/stamp
