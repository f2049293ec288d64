#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Writes the C header with the build-ids of the Unbound programs that may load the module: those in
# the given tree, and those listed one a line in its file sinkhole-build-ids.
# Usage: abi-ids.sh UNBOUND_SOURCE > abi_ids.h
set -eu
tree=$1
id_of() {
    LC_ALL=C readelf -n "$1" 2>/dev/null | sed -n 's/^ *Build ID: *\([0-9a-f][0-9a-f]*\).*/\1/p' | head -n 1
}
ids=$(
    for program in "$tree/unbound" "$tree/testbound"; do
        [ ! -f "$program" ] || id_of "$program"
    done
    [ ! -f "$tree/sinkhole-build-ids" ] ||
        sed -n 's/^ *\([0-9a-f]\{16,128\}\).*/\1/p' "$tree/sinkhole-build-ids"
)
ids=$(printf '%s\n' "$ids" | sed '/^$/d' | sort -u)
if [ -z "$ids" ]; then
    echo "abi-ids.sh: no build-id found in $tree (unbound not built there, or linked with --build-id=none)" >&2
    exit 1
fi
version=$(sed -n 's/^#define PACKAGE_VERSION "\(.*\)"$/\1/p' "$tree/config.h")
echo '/* Made by module/abi-ids.sh from the Unbound tree given to configure. */'
printf '#define SINKHOLE_ABI_TEXT "unbound %s\\n"' "$version"
for id in $ids; do
    printf ' \\\n    "id %s\\n"' "$id"
done
echo
