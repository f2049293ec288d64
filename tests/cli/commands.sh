#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# why, status and alarm against a real Redis of their own.
set -euo pipefail
here=$PWD
ctl=$here/sinkholectl
dir=$(mktemp -d)
server=
finish() {
    [[ -z $server ]] || kill "$server" 2>/dev/null || true
    wait 2>/dev/null || true
    rm -rf "$dir"
}
trap finish EXIT
command -v redis-server >/dev/null || { echo "redis-server is not installed"; exit 77; }
unset SINKHOLE_DIR
export SINKHOLE_CONFIG=$dir/sinkhole.yaml TZ=UTC LC_ALL=C.UTF-8
cat >"$SINKHOLE_CONFIG" <<END
redis: {socket: "$dir/redis.sock", command_timeout_ms: 2000}
resolver: {name: r1, directory: "$dir/state"}
END
mkdir -p "$dir/state/agent"
failures=0

# expect WHY CODE TEXT COMMAND...: exit code, and TEXT (each line of it) in what it prints
expect() {
    local why=$1 code=$2 text=$3 got=0 out line
    shift 3
    out=$("$@" 2>&1) || got=$?
    [[ $got -eq $code ]] || { echo "FAIL: $why: exit $got, expected $code:"; echo "$out"; failures=$((failures + 1)); }
    while IFS= read -r line; do
        [[ $out == *"$line"* ]] || { echo "FAIL: $why: expected \"$line\" in:"; echo "$out"; failures=$((failures + 1)); }
    done <<<"$text"
}
rejects() { # WHY TEXT COMMAND...: TEXT is not in what it prints
    local why=$1 text=$2 out
    shift 2
    out=$("$@" 2>&1) || true
    [[ $out != *"$text"* ]] || { echo "FAIL: $why: found what must not be there"; failures=$((failures + 1)); }
}
redis() { redis-cli -s "$dir/redis.sock" "$@"; }

expect "status while Redis is away" 3 "" "$ctl" status
expect "why while Redis is away" 3 "" "$ctl" why evil.example
printf '{"resolver":"r1","version":"0.1","updated_ms":"1","index":"in-force","generation":"4","canary":"ok","conditions":[{"code":"redis-away","text":"Redis is away"}]}' \
    >"$dir/state/agent/status.json"
expect "status from the file while Redis is away" 3 $'r1  not well\n! Redis is away\n! its agent has been silent' "$ctl" status
expect "the same as JSON" 3 '"redis":false' "$ctl" --json status

redis-server --port 0 --unixsocket "$dir/redis.sock" --dir "$dir" --save '' >"$dir/redis.log" 2>&1 &
server=$!
for _ in $(seq 200); do redis ping >/dev/null 2>&1 && break; read -rt 0.05 <> <(:) || true; done

expect "nothing published: status" 1 $'published: nothing yet\ndoes sinkhole-agent run?' "$ctl" status
expect "nothing published: why" 5 "is not listed" "$ctl" why evil.example
"$here/tests/cli/seed" "$SINKHOLE_CONFIG"

expect "listed itself" 0 $'evil.example is sinkholed\na client gets: 192.0.2.1 and no AAAA, TTL 10 s, EDE 16 listed\nlist       authority (Danh sách của Cục), rank 500, action address\nletter     799/BTTTT-CATTT, Cục \\u{1b}[31mATTT, issued 2019-12-31, received 2020-01-03\nby an, generation\nother entries\nlist       watch (Watched), rank 100, action monitor' "$ctl" why evil.example
expect "listed by an ancestor" 0 $'a.b.evil.example is sinkholed\nevil.example: the name and every name below it' "$ctl" why a.b.EVIL.example.
expect "defanged" 0 "evil.example is sinkholed" "$ctl" why 'evil[.]example'
expect "internationalised" 0 $'xn--th-9ja9i637n.vn (thủđô.vn) is sinkholed' "$ctl" why 'THỦĐÔ.vn'
expect "exact" 0 "no such data (NODATA, since the entry is exact)" "$ctl" why only.example
expect "below an exact entry" 5 $'x.only.example is not listed\ndoes not cover what was asked for' "$ctl" why x.only.example
expect "watched" 0 $'odd.example is listed and watched\nthe real answer; who asked is recorded' "$ctl" why odd.example
expect "the more specific wins over rank" 0 "no answer at all" "$ctl" why x.deep.a.evil.example
expect "below does not mean itself" 0 "192.0.2.1" "$ctl" why deep.a.evil.example
expect "expired" 5 $'past.example is not listed\n; expired' "$ctl" why past.example
expect "exception" 0 $'good.evil.example is listed, and an exception lets it through\nreason     a remark\nuntil\nwithout it this would decide' "$ctl" why good.evil.example
expect "exception that has ended" 0 $'gone.evil.example is sinkholed\n; expired' "$ctl" why gone.evil.example
expect "not listed" 5 "good.example is not listed" "$ctl" why good.example
expect "no name" 2 "is no domain name" "$ctl" why 'a b'
expect "no index here" 0 "no index here" "$ctl" why evil.example
rejects "escape sequences of a feed" $'\033[31m' "$ctl" why evil.example
expect "as JSON" 0 $'"name":"www.evil.example"\n"listed":true,"sinkholed":true\n"decides":{"rule":1,"name":"evil.example","known":true,"scope":"subtree"\n"reference":"799/BTTTT-CATTT"\n"answer":{"action":"address","ipv4":"192.0.2.1","ipv6":null,"ttl_s":10,"ede":16,"ede_text":"listed"}' \
    "$ctl" --json why www.evil.example
expect "exception as JSON" 0 $'"listed":true,"sinkholed":false\n"answer":null,"exception":{\n"feed":"allow"' \
    "$ctl" --json why good.evil.example

expect "allow without a reason" 2 "--reason is missing" "$ctl" allow evil.example --until 3d
expect "allow without an end" 2 "--until is missing" "$ctl" allow evil.example --reason x
expect "allow until a time that is over" 2 "a time to come" "$ctl" allow evil.example --reason x --until 2020-01-01
expect "allow a day that there is not" 2 "a time to come" "$ctl" allow evil.example --reason x --until 2027-02-31
expect "a reason longer than what is kept" 2 "--reason: longer than 127" \
    "$ctl" allow evil.example --reason "$(printf %200s x)" --until 3d
expect "a reason that is no UTF-8" 2 "--reason: it is not UTF-8" "$ctl" allow evil.example --reason $'\xff' --until 3d
expect "allow all of a public suffix" 4 "com.vn: a public suffix" "$ctl" allow com.vn --reason x --until 3d
expect "allow a top-level domain" 4 "vn: a top-level domain is never listed" "$ctl" allow vn --reason x --until 3d
expect "allow" 0 "only.example: let through, generation 7" "$ctl" allow only.example --reason 'false alarm' --until 30d
expect "allowed" 0 $'an exception lets it through\nreason     false alarm' "$ctl" why only.example
expect "allow longer replaces it" 0 "generation 8" "$ctl" allow only.example --reason 'false alarm' --until 40d
expect "exceptions" 0 $'only.example\ngone.evil.example\nexpired;' "$ctl" allow --list
expect "no such exception" 5 "evil.example: no such exception" "$ctl" allow evil.example --remove
expect "taken back" 0 "taken back, generation" "$ctl" allow 'only[.]example' --remove
expect "in force again" 0 "only.example is sinkholed" "$ctl" why only.example
expect "an exception for what nobody lists" 0 "No list blocks that name itself." "$ctl" allow fine.example --reason y --until never
expect "never ends" 0 "until never" "$ctl" allow --list

# A resolver as its agent would tell of itself.
head() { redis --raw HGET 'sinkhole:{bl}:head' "$1"; }
now() { date +%s%3N; }
tell() { # FIELD VALUE...
    redis HSET 'sinkhole:resolver:{r1}' version 0.1 index in-force generation "$(head generation)" \
        digest "$(head digest)" entries "$(head entries)" canary ok redis ready updated_ms "$(now)" conditions "" "$@" >/dev/null
    redis ZADD sinkhole:resolvers "$(now)" r1 >/dev/null
}
alarm=$("$ctl" alarm list | sed 's/ .*//')
tell module_generation "$(head generation)" module_index_status 0
expect "an alarm makes it not well" 1 $'r1  well\nalarms not acknowledged\nsomething \\u{1b}[5mhappened' "$ctl" status
expect "alarms" 0 "something" "$ctl" alarm list
expect "no such alarm" 5 "" "$ctl" alarm acknowledge 1-1
expect "acknowledged" 0 "" "$ctl" alarm acknowledge "$alarm"
rejects "an acknowledged alarm" "something" "$ctl" alarm list
expect "acknowledged alarms stay to be seen" 0 "(acknowledged)" "$ctl" alarm list --all
expect "all well" 0 $'r1  well\nlist whole\ncanary ok' "$ctl" status
expect "all well as JSON" 0 '"well":true' "$ctl" --json status
expect "why shows where" 0 $"generation $(head generation)"$'\nthe list is whole' "$ctl" why evil.example
tell canary not-sinkholed
expect "canary" 1 "the canary name is resolved, not sinkholed" "$ctl" status
tell digest 00
expect "digest" 1 $'list differs\nits list is not the published one' "$ctl" status
tell index none
expect "no index" 1 "no index in force" "$ctl" status
tell module_index_status 5
expect "refused index" 1 "the module refused the newest index" "$ctl" status
tell module_index_status 0 updated_ms "$(($(now) - 60000))"
expect "silent" 1 "its agent has been silent for 60 s" "$ctl" status
tell conditions journal-full
expect "condition" 1 "its agent complains: journal-full" "$ctl" status
redis HSET 'sinkhole:{bl}:head' published_ms "$(($(now) - 60000))" >/dev/null
tell generation 1 module_generation 1 module_index_status 0
expect "behind" 1 "enforces generation 1, but" "$ctl" status
tell updated_ms "$(($(now) + 60000))"
expect "clock" 1 "its clock is " "$ctl" status
redis DEL 'sinkhole:resolver:{r1}' >/dev/null
redis ZADD sinkhole:resolvers "$(($(now) - 7300000))" r1 >/dev/null
expect "expired" 1 "silent for 2 h" "$ctl" status
tell
redis ZADD sinkhole:resolvers "$(($(now) - 800000000))" r2 >/dev/null
expect "taken down long ago" 0 $'r1  well\nr2  silent for 9 d: counted as taken down' "$ctl" status

[[ $failures -eq 0 ]]
