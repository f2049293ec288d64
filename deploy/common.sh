# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash
# What the scripts of this folder share: words to the user, packages. To be sourced; sets $repo.
set -euo pipefail
repo=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck disable=SC2034
program=$(basename "$0")
export LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive

# shellcheck disable=SC2034
bold='' green='' red='' plain=''
if [ -t 1 ] && [ -z "${NO_COLOR:-}" ]; then
    # shellcheck disable=SC2034
    bold=$'\e[1m' green=$'\e[32m' red=$'\e[31m' plain=$'\e[0m'
fi

say() { printf '%s\n' "$*"; }
die() {
    printf '%s%s: %s%s\n' "$red" "$program" "$*" "$plain" >&2
    exit 1
}

# The names in deploy/packages that one of the groups given needs.
packages_of() {
    awk -v want="$*" '
        BEGIN { n = split(want, groups, " ") }
        /^[^#]/ { for (i = 1; i <= n; i++)
                      if (("," $2 ",") ~ ("," groups[i] ",")) { print $1; next } }' "$repo/deploy/packages"
}

packages_missing() {
    local name
    for name in $(packages_of "$@"); do
        [ "$(dpkg-query -W -f='${db:Status-Status}' "$name" 2>/dev/null)" = installed ] ||
            printf '%s ' "$name"
    done
}

as_root() {
    if [ "$(id -u)" = 0 ]; then
        "$@"
    elif command -v sudo >/dev/null; then
        sudo --preserve-env=DEBIAN_FRONTEND "$@"
    else
        die "needs root for: $*
    run it as root, or install sudo"
    fi
}

# Installs what a group needs and is not there. Servers that come along are neither started nor
# enabled: the scripts start their own, private ones.
packages_install() {
    local missing services='' name log policy=/usr/sbin/policy-rc.d mine=no status=0
    missing=$(packages_missing "$@")
    [ -n "$missing" ] || return 0
    command -v apt-get >/dev/null || die "no apt-get here: these scripts are for Debian and its kin.
    Install by other means: $missing"
    exec 7>"${TMPDIR:-/tmp}/.sinkhole-packages.$(id -u)"
    flock 7
    missing=$(packages_missing "$@")
    [ -n "$missing" ] || { exec 7>&-; return 0; }
    say "Installing packages: $missing"
    for name in redis-server nsd; do
        case " $missing " in *" $name "*) services="$services $name.service" ;; esac
    done
    log=$(mktemp)
    if [ -n "$services" ] && [ ! -e "$policy" ]; then
        mine=yes
        printf '#!/bin/sh\nexit 101\n' | as_root sh -c "cat >$policy && chmod 755 $policy"
    fi
    # shellcheck disable=SC2086
    { as_root apt-get -q update && as_root apt-get -q -y --no-install-recommends \
        -o DPkg::Lock::Timeout=300 install $missing; } >"$log" 2>&1 </dev/null || status=$?
    [ "$mine" = no ] || as_root rm -f "$policy"
    if [ "$status" != 0 ]; then
        tail -n 20 "$log" >&2
        die "apt-get could not install them (whole log: $log)"
    fi
    # shellcheck disable=SC2086
    if [ -n "$services" ] && command -v systemctl >/dev/null; then
        as_root systemctl disable --quiet $services 2>/dev/null || true
    fi
    rm -f "$log"
    exec 7>&-
}

# Where everything is built; shared with build-unbound.
base_make() {
    base=${SINKHOLE_BUILD_DIR:-$repo/build}
    mkdir -p "$base"
    base=$(cd "$base" && pwd)
    export SINKHOLE_BUILD_DIR=$base
}

unbound_tree() { "$repo/deploy/build-unbound" --variant "$1" | tail -n 1; }

# configure_in FOLDER WORDS...: out of tree; again only when the words or configure changed
configure_in() {
    local dir=$base/$1
    shift
    mkdir -p "$dir"
    cd "$dir"
    if [ -f Makefile ] && [ config.status -nt "$repo/configure" ] &&
        [ "$(cat .words 2>/dev/null)" = "$*" ]; then
        return 0
    fi
    "$repo/configure" "$@"
    printf '%s' "$*" >.words
}
