#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Many clients and threads at once: not one answer that is not the sinkhole's, for listed names, for
# aliases that lead to them, and for an alias' target asked directly; and a hit for every answer.
# SINKHOLE_LONG=1: a hundred thousand queries each.
. "$(dirname "$0")/world.sh"
world_begin
flood=$BUILD/tests/ring/flood
[ -x "$flood" ] || skip "tests/ring/flood is not built"
queries=8000
[ -z "${SINKHOLE_LONG:-}" ] || queries=100000
for name in c2.evil.com x.evil.com; do
    printf '%s. %s\n' $name 'A 203.0.113.80' $name 'AAAA 2001:db8:80::80'
done > "$WORLD/more.zone"
echo 'dnameto.net. DNAME evil.com.' >> "$WORLD/more.zone"
nsd_start signed
printf '%s\n' "evil.com 1" | index 1
field() { sed -n "s/.*\"$1\": *\([0-9]*\).*/\1/p" <<< "$LAST"; }

# Aliases, their targets, what is below: answers are made at moddone, the cache must never hold one.
printf '%s\n' alias1.good.net alias2.good.net c2.evil.com x.dnameto.net a.evil.com > "$WORLD/names"
sinkhole_all() { # WHY, words for flood
    local why=$1; shift
    LAST=$("$flood" --port "$PORT" --names "$WORLD/names" --clients 20 --window 16 --seconds 60 \
        --queries $queries --expect 192.0.2.53 --random "$@")
    say "$why: $LAST"
    check "$why: answers came" test "$(field answered)" -ge $((queries * 9 / 10))
    check "$why: every answer is the sinkhole's" test "$(field answered)" = "$(field sinkholed)"
}
for modules in "dynlib iterator" "dynlib validator iterator"; do
    export THREADS=4 MODULES=$modules
    unbound_conf "  trust-anchor-file: \"$WORLD/nsd/anchor\"
  prefetch: yes
  serve-expired: yes"
    unbound_start
    sinkhole_all "$modules, CD=0"
    sinkhole_all "$modules, CD=1" --cd
    check "reconciled" reconciled
    stop TERM "$UNBOUND_PID"
done

# Listed while it is asked: after the walk, none any more; every answer before is real, stale (and
# recorded), or sinkholed.
export THREADS=4 MODULES="dynlib iterator"
echo "nothing.com 1" | index 2
unbound_conf "  prefetch: yes
  serve-expired: yes"
unbound_start
wait_generation 2
"$flood" --port "$PORT" --names "$WORLD/names" --clients 20 --window 8 --seconds 4 --rate 5000 \
    --expect 192.0.2.53 --random > "$WORLD/flood.json" &
FLOOD=$!; PIDS+=("$FLOOD")
wait_for 5 answers alias2.good.net
walks=$(counter cache_walks)
sleep 1 # of the flood's four seconds: the cache is warm in all threads
echo "evil.com 1" | index_delta 3 2
wait_generation 3
wait_for 5 walks_over $((walks + 1)) || check "the walk ends" false
sinkhole_all "after the walk"
wait "$FLOOD"
LAST=$(cat "$WORLD/flood.json")
say "listed under load: $LAST; stale: $(counter stale)"
check "some were real, some sinkholed" test "$(field sinkholed)" -gt 0 -a "$(field sinkholed)" -lt "$(field answered)"
check "reconciled" reconciled
check "no hit was lost" test "$(counter lost)" = 0
