#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Several clients waiting on one look-up: each gets the answer and each is a hit, also when the
# name is listed while they wait. Unbound's own look-ups are never answered by us.
. "$(dirname "$0")/world.sh"
world_begin
cat > "$WORLD/more.zone" <<'ZONE'
*.deleg.net. A 203.0.113.99
ns.badhost.com. A 127.0.0.1
ZONE
nsd_start
echo "drop.com 7" | index 1
export THREADS=1
unbound_conf "  num-queries-per-thread: 8
  target-fetch-policy: \"0 0 0 0 0\""
# A zone whose server is known by a name: Unbound has to look that up first.
cat >> "$WORLD/unbound/unbound.conf" <<CONF
stub-zone:
  name: "deleg.net"
  stub-host: ns.badhost.com@$NSD_PORT
  stub-prime: no
CONF
unbound_start

# wait_all NAME N: N clients ask while the world stands still; prints their answers.
clients_ask() { # NAME N [TYPE]
    local i
    for i in $(seq "$2"); do
        dig +short +time=8 +tries=1 -b "127.0.0.$i" -p "$PORT" @127.0.0.1 "$1" "${3:-A}" > "$WORLD/answer.$i" &
        ASKING+=($!)
    done
}
waiting() { control stats_noreset 2>/dev/null | grep -q "^total.requestlist.current.user=$1\$"; }
ASKING=()

# 1. Dropped queries leave no trace in Unbound's count of waiting clients: with the count wrong by
#    more than 16 * num-queries-per-thread, a client that joins another's look-up is turned away.
seq -f 'n%g.drop.com A' 300 > "$WORLD/q"
dnsperf -s 127.0.0.1 -p "$PORT" -d "$WORLD/q" -n 1 -t 1 -q 300 >/dev/null 2>&1
check "300 were dropped" test "$(counter dropped)" = 300
world_stop
clients_ask joined.other.net 5
wait_for 5 waiting 1 || die "no query waits"
world_go
wait "${ASKING[@]}"; ASKING=()
for i in 1 2 3 4 5; do
    check "client $i of 5 that share a look-up is answered" grep -q 203.0.113.80 "$WORLD/answer.$i"
done

# 2. Listed while it is looked up.
world_stop
clients_ask late.evil.com 7
clients_ask Late.evil.com 2 AAAA
wait_for 5 waiting 2 || die "no query waits"
printf '%s\n' "drop.com 7" "evil.com 1" | index 2
wait_generation 2
world_go
wait "${ASKING[@]}"; ASKING=()
for i in 3 4 5 6 7; do check "client $i" grep -q 192.0.2.53 "$WORLD/answer.$i"; done
LAST=$(hits)
for i in 1 2 3 4 5 6 7; do
    check "hit of client $i" says "^hit 1 127.0.0.$i [0-9]* udp late.evil.com 1 address 0 0 192.0.2.53"
done
check "AAAA has its two" test "$(grep -c ' late.evil.com 28 address' <<< "$LAST")" = 2
check "the cache does not hold it" test -z "$(control dump_cache | grep '^msg late.evil.com')"

# 3. An alias whose target is listed while it is looked up.
world_stop
clients_ask alias2.good.net 3
wait_for 5 waiting 1 || die "no query waits"
world_go
wait "${ASKING[@]}"; ASKING=()
for i in 1 2 3; do check "client $i of the alias" grep -q 192.0.2.53 "$WORLD/answer.$i"; done
LAST=$(control dump_cache)
check "no message of the alias stays" says_not '^msg alias2.good.net'
check "nor of its target" says_not '^msg c2.evil.com'

# 4. The name server of a harmless zone is listed. Unbound's look-up for it is not answered by us; a
#    client's question for the same name, while that look-up is under way, is; and the zone resolves.
printf '%s\n' "drop.com 7" "evil.com 1" "badhost.com 1" | index 3
wait_generation 3
world_stop
clients_ask probe.deleg.net 2
wait_for 5 waiting 1 || die "no query waits"
short +cdflag -b 127.0.0.7 ns.badhost.com > "$WORLD/answer.7"
world_go
wait "${ASKING[@]}"; ASKING=()
check "the zone resolves" grep -q 203.0.113.99 "$WORLD/answer.1"
check "for both" grep -q 203.0.113.99 "$WORLD/answer.2"
check "the client that asks meanwhile is sinkholed" grep -q 192.0.2.53 "$WORLD/answer.7"
LAST=$(hits)
check "and recorded" says '^hit 1 127.0.0.7 [0-9]* udp ns.badhost.com 1 address'
check "the zone's clients are not" says_not ' probe.deleg.net '
check "nor Unbound itself" test "$(grep -c ' ns.badhost.com ' <<< "$LAST")" = 1
check "asked alone" sinkholed ns.badhost.com
check "and with CD" sinkholed ns.badhost.com +cdflag
check "the server's address is not in the message cache" \
    test -z "$(control dump_cache | grep '^msg ns.badhost.com')"
ask again.deleg.net
check "the zone goes on resolving" says 203.0.113.99

check "every outcome is a hit" reconciled
check "none was lost" test "$(counter lost)" = 0
