#!/bin/sh
# SPDX-License-Identifier: AGPL-3.0-or-later
#
# tools/setup.sh SET...: see that the packages of these sets are installed.
#
# One dpkg-query asks for all of them, so the usual answer, "all there", costs
# some milliseconds. What is missing is named, then installed. "a|b" means that
# either will do: installed, or else the first one that apt knows; "!command:"
# before a package means that the command from anywhere will do (a Node from
# elsewhere is not replaced).
#
# mariadb-server, redis-server and nginx are installed for the tests, which start
# their own copies in their own folders. Their packages would start and enable
# system services, taking ports 3306, 6379 and 80 of somebody's machine; so
# while we install, policy-rc.d says no to starting, and units that were not
# there before are disabled again.
set -eu

packages() { # SET
    case $1 in
    build)
        echo 'gcc make pkg-config libc6-dev libuv1-dev libllhttp-dev|node-llhttp
            libsqlite3-dev libmariadb-dev libhiredis-dev libcurl4-openssl-dev libcjson-dev
            libjwt-dev libsodium-dev libargon2-dev
            libssl-dev libcrypt-dev libutf8proc-dev libwebp-dev libgif-dev libpng-dev
            libjpeg-dev zlib1g-dev libedit-dev libmd4c-dev libmd4c-html0-dev'
        packages node # the browser app is built into the binary
        packages run
        ;;
    # What the program calls while it runs: repositories for wikis come by git, over https or ssh.
    # Symbols of their files come from ctags; without it they are split by lines.
    run) echo 'git ca-certificates openssh-client universal-ctags' ;;
    node) echo '!node:nodejs !npm:npm' ;;
    test)
        echo "libcmocka-dev mariadb-server redis-server nginx openssl sqlite3 procps
            chromium|chromium-browser $(packages node)"
        ;;
    check) echo 'clang clang-tidy clang-format cppcheck universal-ctags shellcheck gcovr systemd' ;;
    bench) echo 'wrk nginx' ;;
    *) echo "setup: no set of packages is called $1" >&2 && exit 2 ;;
    esac
}
services='mariadb redis-server nginx'

[ "${HUTONG_SETUP:-on}" != off ] || exit 0
if ! command -v dpkg-query >/dev/null; then
    echo "setup: no dpkg here, so packages are left to you; tools/setup.sh lists them." >&2
    exit 0
fi

wanted=
for set in "$@"; do
    wanted="$wanted $(packages "$set")"
done

# Every plain package name that could count, in one question. libjpeg-dev and the like are
# real packages in Debian and Ubuntu; a virtual one would always look missing.
# shellcheck disable=SC2046,SC2086 # lists of words
installed=" $(dpkg-query -W -f='${db:Status-Status} ${Package}\n' \
    $(printf '%s\n' $wanted | sed 's/^!.*://' | tr '|' '\n' | sort -u) 2>/dev/null |
    awk '$1 == "installed" { print $2 }' | tr '\n' ' ') "

is_there() {
    case $1 in
    !*)
        command -v "$(expr "$1" : '!\(.*\):')" >/dev/null && return 0
        is_there "${1#*:}"
        ;;
    *)
        for name in $(echo "$1" | tr '|' ' '); do
            case $installed in *" $name "*) return 0 ;; esac
        done
        return 1
        ;;
    esac
}

missing=
for item in $wanted; do
    is_there "$item" || case " $missing " in *" $item "*) ;; *) missing="$missing $item" ;; esac
done
[ -n "$missing" ] || exit 0

echo "setup: packages that are missing here:$missing"
as_root=
if [ "$(id -u)" -ne 0 ]; then
    if ! command -v sudo >/dev/null; then
        echo "setup: please run this as root, or install sudo, or install them yourself." >&2
        exit 1
    fi
    as_root=sudo
fi
apt() { $as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq -o Dpkg::Use-Pty=0 "$@"; }

# Lists that are absent or older than a day are fetched first. A foreign archive that does not
# answer must not stop us: apt-get install will say if it matters.
if [ -z "$(find /var/lib/apt/lists -maxdepth 1 -name '*_Packages*' 2>/dev/null | head -n 1)" ] ||
    [ -z "$(find /var/lib/apt/lists -maxdepth 0 -mtime -1)" ]; then
    echo "setup: fetching package lists"
    apt update || echo "setup: apt-get update had trouble; going on with what it has" >&2
fi

choose() { # of "a|b" the one that apt can install
    for name in $(echo "${1#!*:}" | tr '|' ' '); do
        if apt-cache show --no-all-versions "$name" >/dev/null 2>&1; then
            echo "$name"
            return
        fi
    done
    echo "${1##*|}" # let apt-get say what is wrong with it
}
names=
for item in $missing; do names="$names $(choose "$item")"; done

policy=/usr/sbin/policy-rc.d
new_services=
for unit in $services; do
    [ -e "/lib/systemd/system/$unit.service" ] || new_services="$new_services $unit"
done
if [ ! -e $policy ]; then
    trap '$as_root rm -f $policy' EXIT
    trap 'exit 130' INT TERM
    printf '#!/bin/sh\nexit 101\n' | $as_root tee $policy >/dev/null
    $as_root chmod 755 $policy
fi
echo "setup: installing$names"
# shellcheck disable=SC2086 # a list of words
apt install -y --no-install-recommends $names
if [ -d /run/systemd/system ]; then
    for unit in $new_services; do
        $as_root systemctl disable --quiet "$unit" 2>/dev/null || true
    done
fi
echo "setup: done"
