#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# why and status beside a real Redis and a real agent, no Unbound: the index it builds decides as why says,
# and what it tells is understood, with Redis there and away.
set -euo pipefail
here=$PWD
ctl=$here/sinkholectl
dir=$(mktemp -d)
server='' agent=''
finish() {
    for pid in $agent $server; do kill "$pid" 2>/dev/null || true; done
    wait 2>/dev/null || true
    rm -rf "$dir"
}
trap finish EXIT
command -v redis-server >/dev/null || { echo "redis-server is not installed"; exit 77; }
unset SINKHOLE_DIR
export SINKHOLE_CONFIG=$dir/sinkhole.yaml TZ=UTC LC_ALL=C.UTF-8
mkdir "$dir/state"
# port 1 on loopback: nobody answers the canary there
cat >"$SINKHOLE_CONFIG" <<END
redis: {socket: "$dir/redis.sock", command_timeout_ms: 2000}
resolver: {name: r1, directory: "$dir/state", port: 1, canary_every_s: 1}
END
failures=0
fail() {
    echo "FAIL: $*"
    failures=$((failures + 1))
}
# within WHY TEXT COMMAND...: TEXT comes within 20 s in what it prints
within() {
    local why=$1 text=$2 out
    shift 2
    for _ in $(seq 400); do
        out=$("$@" 2>&1) || true
        [[ $out != *"$text"* ]] || return 0
        read -rt 0.05 <> <(:) || true
    done
    fail "$why: expected \"$text\" in: $out"
}
code() { # WHY CODE COMMAND...
    local why=$1 expected=$2 got=0
    shift 2
    "$@" >/dev/null 2>&1 || got=$?
    [[ $got -eq $expected ]] || fail "$why: exit $got, expected $expected"
}

redis-server --port 0 --unixsocket "$dir/redis.sock" --dir "$dir" --save '' >"$dir/redis.log" 2>&1 &
server=$!
within "Redis" PONG redis-cli -s "$dir/redis.sock" ping
"$here/tests/cli/seed" "$SINKHOLE_CONFIG"
"$here/sinkhole-agent" >"$dir/agent.log" 2>&1 &
agent=$!
within "a published name" "its index says the same" "$ctl" why evil.example
for name in evil.example a.b.evil.example good.evil.example gone.evil.example only.example x.only.example \
    past.example odd.example deep.a.evil.example x.deep.a.evil.example fine.example www.thủđô.vn; do
    within "$name" "its index says the same" "$ctl" why "$name"
done
within "the resolver" "the list is whole" "$ctl" why evil.example
within "status" "list whole" "$ctl" status
within "canary" "the canary name gets no answer" "$ctl" status
code "not well" 1 "$ctl" status
# Redis away: what this machine knows
kill "$server"
wait "$server" 2>/dev/null || true
server=
within "the index alone" "this machine's index (generation 6) says address, by list authority" "$ctl" why www.evil.example
within "the index alone, not listed" "is not listed in this machine's index" "$ctl" why good.example
code "exit code" 3 "$ctl" why www.evil.example
within "status from the file" "its agent cannot use Redis" "$ctl" status
code "exit code of status" 3 "$ctl" status
[[ $failures -eq 0 ]] || tail -n 20 "$dir/agent.log"
[[ $failures -eq 0 ]]
