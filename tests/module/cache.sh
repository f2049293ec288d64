#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# A name that was cached before it was listed is sinkholed at once; taken off, it resolves at once.
# Over: by its own name, below a subtree, as an alias' target; with CD=0 and 1; without and with
# validator; with prefetch and serve-expired.
. "$(dirname "$0")/world.sh"
world_begin
export WORLD_TTL=${WORLD_TTL:-3600}
for name in evil.com evil2.com deep.sub.evil3.com evil3.com c2.evil.com; do
    printf '%s. %s\n' $name 'A 203.0.113.80' $name 'AAAA 2001:db8:80::80' $name 'TXT "the world"'
done > "$WORLD/more.zone"
nsd_start signed

generation=1
echo "nothing.com 1" | index 1
run_with() { # WHY, MODULES, more lines
    local why=$1 cd name base=$generation
    export MODULES=$2
    unbound_conf "$3"
    unbound_start
    wait_generation "$generation"
    for cd in +nocdflag +cdflag; do
        for name in evil.com EVIL2.com deep.sub.evil3.com alias1.good.net alias2.good.net c2.evil.com; do
            for type in A AAAA HTTPS TXT; do
                ask "$name" "$type" $cd
                check "$why: $name $type resolves" says_not 'SERVFAIL\|192.0.2.53\|2001:db8::53'
            done
        done
    done
    check "$why: it is in the cache" test -n "$(control dump_cache | grep -i '^msg evil2.com')"
    local walks removed
    walks=$(counter cache_walks)
    generation=$((generation + 1))
    printf '%s\n' "evil.com 1" "evil2.com 11" "evil3.com 1" | index_delta $generation "$base"
    wait_generation $generation
    # By its own name: at once, whatever the walk does.
    for cd in +nocdflag +cdflag; do
        check "$why: evil2.com $cd at once" sinkholed evil2.com $cd
        ask evil.com AAAA $cd
        check "$why: evil.com AAAA $cd at once" says 2001:db8::53
        ask evil.com HTTPS $cd
        check "$why: evil.com HTTPS $cd at once" says 'SOA.*sinkhole.invalid'
    done
    wait_for 5 walks_over $((walks + 1)) || die "$why: the walk does not end"
    for cd in +nocdflag +cdflag; do
        for name in deep.sub.evil3.com alias1.good.net alias2.good.net c2.evil.com; do
            check "$why: $name $cd" sinkholed $name $cd
            ask $name AAAA $cd
            check "$why: $name AAAA $cd" says 2001:db8::53
            ask $name TXT $cd
            check "$why: $name TXT $cd" says 'SOA.*sinkhole.invalid'
        done
        ask www.good.net A $cd
        check "$why: others stay" says 203.0.113.80
    done
    LAST=$(control dump_cache | grep '^msg')
    check "$why: nothing listed is left in the cache" says_not -i '^msg [^ ]*\(evil\|alias[12]\)'
    # Taken off.
    generation=$((generation + 1))
    printf '%s\n' "evil.com -" "evil2.com -" "evil3.com -" | index_delta $generation "$base"
    wait_generation $generation
    for cd in +nocdflag +cdflag; do
        for name in evil.com evil2.com deep.sub.evil3.com alias1.good.net alias2.good.net c2.evil.com; do
            check "$why: $name $cd resolves again" answers $name $cd
        done
    done
    # Listed again by going back to what the base and an older delta said: by an exception's end too.
    generation=$((generation + 1))
    printf '%s\n' "evil.com 1,8" "evil2.com 8,11" | index_delta $generation "$base"
    wait_generation $generation
    check "$why: excepted" answers evil.com
    generation=$((generation + 1))
    printf '%s\n' "evil.com 1" "evil2.com 11" | index_delta $generation "$base"
    wait_generation $generation
    check "$why: the exception has gone" sinkholed evil.com
    check "$why: and this one" sinkholed evil2.com
    # Another base with another list: the walk finds everything.
    check "$why: cached again" answers evil3.com
    walks=$(counter cache_walks)
    generation=$((generation + 1))
    printf '%s\n' "evil3.com 2" "nothing.com 1" | index $generation
    wait_generation $generation
    wait_for 5 walks_over $((walks + 1)) || die "$why: the walk does not end"
    ask evil3.com
    check "$why: a new base" says NXDOMAIN
    check "$why: reconciled" reconciled
    check "$why: none lost" test "$(counter lost)" = 0
    stop TERM "$UNBOUND_PID"
    # The next round begins with nothing of these listed.
    generation=$((generation + 1))
    echo "nothing.com 1" | index $generation
}
anchor="trust-anchor-file: \"$WORLD/nsd/anchor\""
run_with "plain" "dynlib iterator" ""
run_with "validator" "dynlib validator iterator" "  $anchor"
run_with "prefetch and serve-expired" "dynlib validator iterator" "  $anchor
  prefetch: yes
  serve-expired: yes"
run_with "respip" "dynlib respip validator iterator" "  $anchor"
