#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# What ./configure tells the user to install, deploy/packages installs.
set -euo pipefail
root=$(cd "${1:-${srcdir:-.}}" && pwd)
bad=0 seen=0
while IFS='|' read -r module package; do
    seen=$((seen + 1))
    grep -q "^$package " "$root/deploy/packages" || { echo "$package ($module) is not in deploy/packages"; bad=1; }
done < <(sed -n 's/^SINKHOLE_NEED(\[[A-Z0-9_]*\], \[\([^] ]*\)[^]]*\], .*\[\([a-z0-9.+-]*\)\])$/\1|\2/p' "$root/configure.ac")
want=$(grep -c '^SINKHOLE_NEED(' "$root/configure.ac")
[ "$seen" = "$want" ] || { echo "of $want libraries in configure.ac $seen were understood"; bad=1; }
twice=$(awk '/^[^#]/ { print $1 }' "$root/deploy/packages" | sort | uniq -d)
[ -z "$twice" ] || { echo "twice in deploy/packages: $twice"; bad=1; }
[ "$bad" = 0 ] && echo "$seen libraries, each with its package"
exit "$bad"
