#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# What clients get for listed names, over every transport, and that each reply is a hit.
. "$(dirname "$0")/world.sh"
world_begin
nsd_start
index 1 <<'NAMES'
evil.com 1
gone.com 2
nodata.com 3
exact.com 4
exactad.com 11
below.com 5
watch.com 6
drop.com 7
ok.evil.com 8
bare.com 9
quiet.com 10
past.com 12
NAMES
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost \
    -keyout "$WORLD/unbound/key.pem" -out "$WORLD/unbound/cert.pem" 2>/dev/null || die "openssl"
unbound_conf "  interface: 127.0.0.1@$TLS_PORT
  interface: 127.0.0.1@$HTTPS_PORT
  tls-port: $TLS_PORT
  https-port: $HTTPS_PORT
  tls-service-key: \"$WORLD/unbound/key.pem\"
  tls-service-pem: \"$WORLD/unbound/cert.pem\"
  local-zone: \"alias.zone.\" redirect
  local-data: \"alias.zone. CNAME evil.com.\""
unbound_start

# NAME TYPE STATUS TTL and a word of the answer (- for none): why
while IFS='|' read -r name type status ttl word why; do
    ask "$name" "$type"
    check "$why: status" says "status: $status"
    check "$why: no AD" says_not '^;; flags:.* ad'
    [ "$word" = - ] || check "$why: $word" says "$word"
    [ "$ttl" = - ] || check "$why: TTL $ttl" says "[[:space:]]$ttl[[:space:]]*IN"
done <<'TABLE'
evil.com|A|NOERROR|7|A.192.0.2.53|A
EviL.CoM|A|NOERROR|7|A.192.0.2.53|upper case
a.b.evil.com|A|NOERROR|7|A.192.0.2.53|below a subtree
evil.com|AAAA|NOERROR|7|AAAA.2001:db8::53|AAAA
evil.com|ANY|NOERROR|7|AAAA.2001:db8::53|ANY
evil.com|HTTPS|NOERROR|7|evil.com.*SOA.sinkhole.invalid. hostmaster.sinkhole.invalid. 1 3600 600 86400 7|HTTPS
evil.com|SVCB|NOERROR|7|SOA|SVCB
evil.com|TXT|NOERROR|7|SOA|TXT
evil.com|MX|NOERROR|7|SOA|MX
evil.com|DS|NOERROR|7|SOA|DS
evil.com|DNSKEY|NOERROR|7|SOA|DNSKEY
evil.com|TYPE65400|NOERROR|7|SOA|an unknown type
evilx.com|A|NOERROR|3600|203.0.113.80|a name that only looks alike
com|NS|NOERROR|-|SOA.ns.world|the parent is not ours
gone.com|A|NXDOMAIN|11|^gone.com.*SOA|nxdomain
x.y.gone.com|HTTPS|NXDOMAIN|11|^gone.com.*SOA|nxdomain below
nodata.com|A|NOERROR|11|SOA|nodata
exact.com|A|NOERROR|11|^exact.com.*SOA|nxdomain at an exact entry is NODATA
x.exact.com|A|NOERROR|3600|203.0.113.80|below an exact entry
exactad.com|A|NOERROR|7|192.0.2.53|address at an exact entry
below.com|A|NOERROR|3600|203.0.113.80|the name itself, scope below
x.below.com|A|NOERROR|7|192.0.2.53|scope below
x.watch.com|A|NOERROR|3600|203.0.113.80|monitored
ok.evil.com|A|NOERROR|3600|203.0.113.80|an exception
x.ok.evil.com|A|NOERROR|3600|203.0.113.80|below an exception
past.com|A|NOERROR|3600|203.0.113.80|an entry past its date
bare.com|A|NOERROR|5|SOA|a feed without addresses
quiet.com|A|NOERROR|5|192.0.2.54|a feed without EDE
alias1.good.net|A|NOERROR|7|^alias1.good.net.*192.0.2.53|alias of a listed name
alias1.good.net|TXT|NOERROR|7|^alias1.good.net.*SOA|alias, another type
alias2.good.net|AAAA|NOERROR|7|2001:db8::53|alias of an alias
x.dn.good.net|A|NOERROR|7|192.0.2.53|below a DNAME to a listed name
chain.good.net|A|NOERROR|3600|203.0.113.80|a harmless alias
aliasm.good.net|A|NOERROR|3600|203.0.113.80|alias of a monitored name
alias.zone|A|NOERROR|-|192.0.2.53|an alias of local data
www.good.net|A|NOERROR|3600|203.0.113.80|nothing of ours
TABLE

ask evil.com
check "EDE 4 for a forged address" says 'EDE: 4 (Forged Answer)'
check "and the feed's code with its text" says 'EDE: 16 (Censored): (Danh sách của cơ quan chức năng)'
ask gone.com
check "EDE of a negative answer" says 'EDE: 15 (Blocked): (blocked by policy)'
check "no 4 there" says_not 'EDE: 4'
ask quiet.com
check "EDE 0: none" says_not 'EDE'
ask evil.com +noedns
check "without EDNS: an answer" says 192.0.2.53
check "without EDNS: no OPT" says_not 'OPT PSEUDO'
ask evil.com +dnssec +adflag
check "no AD when asked for" says_not '^;; flags:.* ad'
ask www.good.net
check "no EDE for others" says_not 'EDE'
ask -c ANY evil.com
check "class ANY is refused" says 'status: REFUSED'
for round in first cached; do
    ask -c ANY alias1.good.net
    check "class ANY, an alias of a listed name, $round" says 'status: REFUSED'
done
ask below.exactad.com
check "below an exact entry" says 203.0.113.80
check "what a minimised query asked on the way is not kept" test -z "$(control dump_cache | grep -i '^msg exactad.com')"
ask -c HS evil.com
check "other classes go on untouched" says_not '192.0.2.53'
LAST=$(dig +time=1 +tries=1 -p "$PORT" @127.0.0.1 drop.com 2>&1)
check "DROP: no answer" says 'timed out\|no servers could be reached'
LAST=$(dig +tcp +time=2 +tries=1 -p "$PORT" @127.0.0.1 drop.com 2>&1)
check "DROP over TCP: closed" says_not 'ANSWER'

# Transports and addresses.
before=$(hits | wc -l)
check "TCP" grep -q 192.0.2.53 <<< "$(short +tcp t.evil.com)"
check "v6" grep -q 192.0.2.53 <<< "$(dig +short -p "$PORT" @::1 six.evil.com)"
check "another client" grep -q 192.0.2.53 <<< "$(short -b 127.0.0.9 nine.evil.com)"
check "DoT" grep -q 192.0.2.53 <<< "$(kdig +short +tls -p "$TLS_PORT" @127.0.0.1 dot.evil.com)"
check "DoH" grep -q 192.0.2.53 <<< "$(kdig +short +https -p "$HTTPS_PORT" @127.0.0.1 doh.evil.com)"
short +tcp +keepopen one.evil.com two.evil.com >/dev/null
LAST=$(hits)
check "hit over TCP" says '^hit 1 127.0.0.1 [0-9]* tcp t.evil.com 1 address 0 0 192.0.2.53 evil.com 1 1$'
check "hit over v6" says '^hit 1 ::1 [0-9]* udp six.evil.com'
check "hit of another client" says '^hit 1 127.0.0.9 [0-9]* udp nine.evil.com'
check "hit over DoT" says '^hit 1 127.0.0.1 [0-9]* dot dot.evil.com'
check "hit over DoH" says '^hit 1 127.0.0.1 [0-9]* doh doh.evil.com'
check "two on one connection" test "$(grep -c ' tcp \(one\|two\).evil.com' <<< "$LAST")" = 2
check "a monitored name" says ' udp x.watch.com 1 monitor 0 0 - watch.com 6 1$'
check "alias of a monitored name" says ' udp aliasm.good.net 1 monitor 0 4 - watch.com 6 1$'
check "a dropped query, UDP" says ' udp drop.com 1 drop 0 8 - drop.com 7 1$'
check "a dropped query, TCP" says ' tcp drop.com 1 drop 0 8 - drop.com 7 1$'
check "alias hit names the listed name" says ' udp alias2.good.net 28 address 0 4 2001:db8::53 evil.com 1 1$'
check "alias of local data: the client's own question" says ' udp alias.zone 1 address 0 4 192.0.2.53 evil.com 1 1$'
check "class ANY" says ' evil.com 1 address 5 0 - evil.com 1 1$'
check "six more hits" test "$(wc -l <<< "$LAST")" = $((before + 7))

# Monitored names stay cached; each cached reply is a hit.
for i in 1 2 3; do short -b "127.0.0.$i" m.watch.com >/dev/null; done
LAST=$(hits)
check "one reply was resolved" test "$(grep -c ' m.watch.com 1 monitor 0 0 ' <<< "$LAST")" = 1
check "two came from the cache" test "$(grep -c ' m.watch.com 1 monitor 0 1 ' <<< "$LAST")" = 2
check "exceptions were counted" test "$(counter exempted)" -ge 2
check "aliases were counted" test "$(counter chained)" -ge 3
check "every outcome is a hit" reconciled
check "none was lost" test "$(counter lost)" = 0
