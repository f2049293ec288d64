#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# hits and report against a real Redis of their own. With SINKHOLE_BENCH=1: 1,000,000 hits and 500 units, timed.
set -euo pipefail
here=$PWD
ctl=$here/sinkholectl
dir=$(mktemp -d)
server='' follower=''
finish() {
    for pid in $follower $server; do kill "$pid" 2>/dev/null || true; done
    wait 2>/dev/null || true
    rm -rf "$dir"
}
trap finish EXIT
command -v redis-server >/dev/null || { echo "redis-server is not installed"; exit 77; }
export SINKHOLE_CONFIG=$dir/sinkhole.yaml TZ=UTC LC_ALL=C.UTF-8
cat >"$SINKHOLE_CONFIG" <<END
redis: {socket: "$dir/redis.sock"}
resolver: {name: r1, directory: "$dir"}
report: {units: "$dir/units.csv", organisation: "Bộ Thử Nghiệm", contact: "024 0000", directory: "$dir/out"}
END
failures=0
fail() {
    echo "FAIL: $*"
    failures=$((failures + 1))
}
# expect WHY CODE TEXT COMMAND...: exit code, and TEXT (each line of it) in what it prints
expect() {
    local why=$1 code=$2 text=$3 got=0 out line
    shift 3
    out=$("$@" 2>&1) || got=$?
    [[ $got -eq $code ]] || fail "$why: exit $got, expected $code: $out"
    while IFS= read -r line; do
        [[ $out == *"$line"* ]] || fail "$why: expected \"$line\" in: $out"
    done <<<"$text"
}
same() { # WHY GOT EXPECTED
    [[ $2 == "$3" ]] || fail "$1: $2, expected $3"
}

redis-server --port 0 --unixsocket "$dir/redis.sock" --dir "$dir" --save '' >"$dir/redis.log" 2>&1 &
server=$!
for _ in $(seq 200); do redis-cli -s "$dir/redis.sock" ping >/dev/null 2>&1 && break; read -rt 0.05 <> <(:) || true; done
"$here/tests/cli/seed" "$SINKHOLE_CONFIG"
mkdir "$dir/out"

if [[ ${SINKHOLE_BENCH:-} == 1 ]]; then
    "$here/tests/cli/seed_hits" "$dir/redis.sock" 1000000 500 168 >"$dir/units.csv"
    start=$(date +%s%3N)
    /usr/bin/env time -f '%U s user, %S s system, %M KiB' "$ctl" report unit --all >"$dir/files"
    took=$(($(date +%s%3N) - start))
    echo "1,000,000 hits, 500 units: $took ms, $(wc -l <"$dir/files") files, $(cat "$dir"/out/*.csv | wc -l) lines of CSV"
    [[ $took -le 10000 ]] || fail "a report over 1,000,000 hits took $took ms, expected 10,000"
    exit $((failures > 0))
fi

"$here/tests/cli/seed_hits" "$dir/redis.sock" 2000 5 23 >"$dir/units.csv"
expect "units" 0 $'unit-0\n    1 prefixes  Đơn vị 4' "$ctl" report units
expect "the newest hundred" 0 $'TIME\nauthority, OceanLotus\nThe newest 100 of 2,000' "$ctl" hits --since 2d
same "limit" "$("$ctl" hits --json --limit 7 | wc -l)" 7
same "all" "$("$ctl" hits --json --limit 0 --since 2d | wc -l)" 2000
same "in order" "$("$ctl" hits --json | sed 's/.*"first_seen":"\([^"]*\).*/\1/' | sort -c 2>&1)" ""
same "of a unit" "$("$ctl" hits --json --limit 0 --unit unit-3 | grep -c '"unit_id":"unit-3"')" \
    "$("$ctl" hits --json --limit 0 --client 10.0.3.0/24 | wc -l)"
same "units together" "$(for u in 0 1 2 3 4; do "$ctl" hits --json --limit 0 --unit "unit-$u"; done | wc -l)" 2000
same "of a name and below" "$("$ctl" hits --json --limit 0 --name example | wc -l)" 2000
same "of another name" "$("$ctl" hits --json --limit 0 --name evil.example | wc -l)" 0
early=$("$ctl" hits --json --limit 0 --until 12h | wc -l) late=$("$ctl" hits --json --limit 0 --since 12h | wc -l)
same "until and since" $((early + late)) 2000
[[ $early -gt 900 && $late -gt 900 ]] || fail "halves: $early and $late"
expect "one JSON object a line" 0 '"family":"OceanLotus"' "$ctl" hits --json --limit 1
expect "wrong prefix" 2 "expected an address or a prefix" "$ctl" hits --client 10.0.0.1/8
expect "wrong time" 2 "expected 10m, 2h, 3d" "$ctl" hits --since tomorrow
expect "no such unit" 5 'no unit "x"' "$ctl" hits --unit x
expect "no hits" 0 "No hits." "$ctl" hits --client 192.0.2.0/24

# Reports
expect "a unit's report" 0 "dns-unit-2.csv" "$ctl" report unit unit-2 --since 2d
csv=$(echo "$dir"/out/*-event4_sinkhole_dns-unit-2.csv)
[[ -f $csv && -f ${csv%csv}jsonl && -f ${csv%csv}html ]] || fail "files: $(ls "$dir/out")"
[[ $(basename "$csv") =~ ^([0-9]{4}-[0-9]{2}-[0-9]{2})-([^-]+)-(.+)\.csv$ ]] || fail "name of $csv"
same "rows" "$(tail -n +2 "$csv" | wc -l)" "$(wc -l <"${csv%csv}jsonl")"
same "columns" "$(tr -d '\r' <"$csv" | awk -F, '{print NF}' | sort -u)" 21
# no hit lost and none invented: the counts of the rows are those of the hits
sum() { sed 's/.*"count":\([0-9]*\).*/\1/' | awk '{s += $1} END {print s}'; }
same "look-ups" "$(sum <"${csv%csv}jsonl")" "$("$ctl" hits --json --limit 0 --unit unit-2 | sum)"
same "one row for each machine, name and hour" \
    "$(sed 's/.*"first_seen":"\(.............\).*"client_ip":"\([^"]*\)".*"indicator":"\([^"]*\)".*/\1 \2 \3/' "${csv%csv}jsonl" | sort | uniq -d)" ""
grep -q 'Đơn vị 2' "${csv%csv}html" && grep -q 'số 799/BTTTT-CATTT ngày 31/12/2019 của' "${csv%csv}html" || fail "the page"
if grep -q 'malware\.example' "${csv%csv}html"; then fail "a name in the page is not defanged"; fi
rm "$dir"/out/*
sed -i /unit-1,/d "$dir/units.csv"
expect "every unit" 0 $'dns-unit-0.csv\ndns-unassigned.csv' "$ctl" report unit --all --format csv,jsonl
same "files" "$(ls "$dir/out" | wc -l)" 10
same "every look-up is in one report" "$(cat "$dir"/out/*.jsonl | sum)" "$("$ctl" hits --json --limit 0 --since 7d | sum)"
expect "a quiet unit" 0 "dns-unit-0.html" "$ctl" report unit unit-0 --since 1h --until 1s --format html
expect "no such unit" 5 'no unit "unit-9"' "$ctl" report unit unit-9
expect "unit and --all" 2 "give one unit, or --all" "$ctl" report unit unit-0 --all
expect "neither" 2 "give one unit, or --all" "$ctl" report unit
expect "wrong format" 2 "expected csv, jsonl, html" "$ctl" report unit unit-0 --format pdf
expect "time backwards" 2 "ends before it begins" "$ctl" report unit unit-0 --since 1h --until 2h
expect "no folder" 1 "cannot be written" "$ctl" report unit unit-0 --output "$dir/nowhere"
expect "fields" 0 $'qname\ttext\tquery' "$ctl" report fields
echo "unit_id,name" >"$dir/bad.csv"
expect "wrong units file" 2 "$dir/bad.csv:1:1: column \"prefixes\" is missing" "$ctl" report units --units "$dir/bad.csv"

# Follow: hits that come later, each once.
"$ctl" --json hits --follow --client 10.0.0.0/8 >"$dir/followed" 2>"$dir/errors" &
follower=$!
waits() { redis-cli -s "$dir/redis.sock" client list | grep -q 'cmd=xread'; }
followed() { [[ $(wc -l <"$dir/followed") -ge 40 ]]; }
until_true() { # a deadline of 10 s
    for _ in $(seq 200); do
        "$@" && return
        read -rt 0.05 <> <(:) || true
    done
    fail "$* does not come true: $(cat "$dir/errors")"
}
until_true waits
"$here/tests/cli/seed_hits" "$dir/redis.sock" 40 5 0 >/dev/null
until_true followed
same "followed" "$(wc -l <"$dir/followed") $(sort "$dir/followed" | uniq -d | wc -l)" "40 0"

[[ $failures -eq 0 ]]
