#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# A folder includes only what it may: the data goes one way round, and so do the includes. Fails with
# file, line and reason. First it looks at a tree with planted faults, to see that it still can fail.
set -euo pipefail
root=$(cd "${1:-${srcdir:-.}}" && pwd)

# folder: what it may include. "unbound": Unbound's own headers. "text": the text library of lib/,
# which the module never links.
rules='
include lib text store feeds report
lib     lib text
module  lib module unbound
store   lib text store
feeds   lib text store feeds
agent   lib text store agent
report  lib text store report
cli     lib text store feeds report cli
'
# Contracts in include/sinkhole that are not lib'"'"'s, by owner.
owners='
text   text.h settings.h settings.def
store  store.h blocklist.h hits.h
feeds  feed.h feeds.h
report report.h evidence.h
'
# System headers that only some folders may use.
reserved='
hiredis store agent
event2  store agent
ldns    feeds agent
curl    feeds agent report
libpsl.h lib
idn2.h  lib
cyaml   lib
jansson.h store feeds agent report cli
sodium.h lib store
'

look() { # prints every include that may not be; true when there is none
    # shellcheck disable=SC2016
    (cd "$1" && find . -regextype posix-extended -type f \
        -regex "\./(include|lib|module|store|feeds|agent|report|cli)/.*\.[ch]" -print0 | sort -z |
        xargs -0 -r awk -v rules="$rules" -v owners="$owners" -v reserved="$reserved" '
        function table(text, map, reverse,    line, word, n, i, k, m) {
            n = split(text, line, "\n")
            for (i = 1; i <= n; i++) {
                m = split(line[i], word, " +")
                for (k = 2; k <= m; k++)
                    if (reverse) map[word[k]] = word[1]; else map[word[1], word[k]] = 1
                if (!reverse && m > 1) known[word[1]] = 1
            }
        }
        function complain(reason) { print file ":" FNR ": " $0 ": " reason; bad = 1 }
        BEGIN { table(rules, may); table(owners, owner, 1); split("", known); table(reserved, only) }
        FNR == 1 { file = substr(FILENAME, 3); folder = file; sub(/\/.*/, "", folder) }
        /^[ \t]*#[ \t]*include[ \t]*</ {
            name = $0; sub(/^[^<]*</, "", name); sub(/>.*/, "", name); head = name; sub(/\/.*/, "", head)
            if (head in known && !((head, folder) in only)) complain(folder " may not use " head)
        }
        /^[ \t]*#[ \t]*include[ \t]*"/ {
            name = $0; sub(/^[^"]*"/, "", name); sub(/".*/, "", name); head = name
            if (name ~ /\.\./) { complain("an include goes up: name the folder"); next }
            if (name == "config.h" || name !~ /\//) next
            sub(/\/.*/, "", head)
            if (head == "sinkhole") { what = name; sub(/.*\//, "", what); what = what in owner ? owner[what] : "lib" }
            else if (head ~ /^(include|lib|module|store|feeds|agent|report|cli)$/) what = head
            else if (head ~ /^(tests|deploy|doc|bench)$/) { complain("nothing uses " head); next }
            else what = "unbound"
            if (!((folder, what) in may)) complain(folder " may not include what belongs to " what)
        }
        END { exit bad }')
}

planted=$(mktemp -d)
trap 'rm -rf "$planted"' EXIT
plant() { # FILE LINE: must be found
    rm -rf "${planted:?}"/*
    mkdir -p "$planted/$(dirname "$1")"
    printf '%s\n' "$2" >"$planted/$1"
    if look "$planted" >/dev/null; then
        echo "folders.sh does not see: $1: $2"
        exit 1
    fi
}
plant lib/a.c '#include "sinkhole/store.h"'
plant module/a.c '#include "store/keys.h"'
plant module/a.c '#  include  "sinkhole/settings.h"'
plant store/a.h '#include "util/module.h"'
plant feeds/sub/a.c '#include "../agent/a.h"'
plant report/a.c '#include "feeds/a.h"'
plant lib/a.c '#include <hiredis/hiredis.h>'
plant agent/a.c '#include "tests/lib/a.h"'
plant module/a.c '#include <jansson.h>'
rm -rf "${planted:?}"/*
mkdir -p "$planted/cli"
printf '#include "sinkhole/store.h"\n#include "cli.h"\n' >"$planted/cli/a.c"
look "$planted" || { echo "folders.sh complains where nothing is wrong"; exit 1; }

look "$root"
echo "every folder includes only what it may"
