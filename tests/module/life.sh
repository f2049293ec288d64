#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# The module's life: a folder that is not there yet, a damaged index, another Unbound, reloads and index
# swaps under load. Names resolve all the while. SINKHOLE_LONG=1: 100 reloads and 1,000 swaps.
. "$(dirname "$0")/world.sh"
world_begin
nsd_start
head=$SINKHOLE_DIR/index/head
log_has() { grep -q -- "$1" "$WORLD/unbound.log"; }

# 1. No folder at all.
rmdir "$SINKHOLE_DIR"
unbound_conf
unbound_start
check "without a folder it starts and resolves" answers evil.com
check "and says so" log_has 'NOTHING IS FILTERED'
check "and that hits are not recorded" log_has 'hits are NOT recorded'
mkdir "$SINKHOLE_DIR"
echo "evil.com 1" | index 1
wait_for 10 sinkholed evil.com || die "the index is not picked up when the folder comes"
wait_for 10 in_force 1 || die "no counters"
before=$(counter recorded)
check "sinkholed" sinkholed now.evil.com
recorded_more() { [ "$(counter recorded)" -gt "$before" ]; }
wait_for 5 recorded_more || check "hits are recorded now" false
unfiltered_some() { [ "$(counter unfiltered)" -gt 0 ]; }
wait_for 5 unfiltered_some || check "what was counted before the folder came is kept" false
wait_for 5 reconciled || check "reconciled, the time without journal included" reconciled

check "dynlib stands first: no word of it" bash -c "! grep -q 'put dynlib first' '$WORLD/unbound.log'"
sed -i 's/module-config: .*/module-config: "validator dynlib iterator"/' "$WORLD/unbound/unbound.conf"
control reload >/dev/null
behind() { log_has 'put dynlib first'; }
wait_for 10 behind || check "behind another module it says so" false
sed -i 's/module-config: .*/module-config: "dynlib iterator"/' "$WORLD/unbound/unbound.conf"
control reload >/dev/null
wait_for 10 sinkholed back.evil.com || die "not in force after a reload"

# 1b. With so-reuseport a reload with fewer threads goes on with all of them: each filters.
stop TERM "$UNBOUND_PID"
sed -i 's/num-threads: .*/num-threads: 4/' "$WORLD/unbound/unbound.conf"
unbound_start
sed -i 's/num-threads: .*/num-threads: 1/' "$WORLD/unbound/unbound.conf"
starts=$(counter starts)
control reload >/dev/null
started_more() { [ "$(counter starts)" -gt "$starts" ]; }
wait_for 10 started_more || die "no reload"
for i in $(seq 40); do
    check "each of the threads that stay filters ($i)" sinkholed "t$i.evil.com"
done
check "and has a lane" test "$(counter lanes)" = 4
sed -i 's/num-threads: .*/num-threads: 2/' "$WORLD/unbound/unbound.conf"
stop TERM "$UNBOUND_PID"
unbound_start
wait_for 10 sinkholed back2.evil.com || die "not in force after a start"

# 2. Damaged heads and bases: the last good index stays; each is counted once.
damage() { # WHY, then the command that makes $head anew in $head.new
    local refused why=$1; shift
    refused=$(counter index_refused)
    "$@"
    mv "$head.new" "$head"
    wait_for 5 refused_more "$refused" || check "$why: refused" false
    check "$why: the last good index stays" sinkholed a.evil.com
    check "$why: others resolve" answers www.good.net
    check "$why: the generation stands" in_force 1
    cp "$WORLD/head.good" "$head.new" && mv "$head.new" "$head"
    wait_for 5 status_good || check "$why: the good one is taken again" false
}
refused_more() { [ "$(counter index_refused)" = $(($1 + 1)) ]; }
status_good() { [ "$(counter index_status)" = 0 ]; }
cp "$head" "$WORLD/head.good"
size=$(stat -c %s "$head")
cut_head() { head -c $((size / 2)) "$WORLD/head.good" > "$head.new"; }
flip_head() { cp "$WORLD/head.good" "$head.new"; printf '\377' | dd of="$head.new" bs=1 seek=$((size - 20)) conv=notrunc 2>/dev/null; }
magic_head() { cp "$WORLD/head.good" "$head.new"; printf 'X' | dd of="$head.new" bs=1 conv=notrunc 2>/dev/null; }
empty_head() { : > "$head.new"; }
damage "cut in half" cut_head
damage "a bit flipped" flip_head
damage "another kind of file" magic_head
damage "empty" empty_head
rm "$head"
sleep 1.2
check "no head any more: the last good index stays" sinkholed b.evil.com
cp "$WORLD/head.good" "$head.new" && mv "$head.new" "$head"
mv "$SINKHOLE_DIR/index" "$SINKHOLE_DIR/index.away" && mkdir "$SINKHOLE_DIR/index"
cp -a "$SINKHOLE_DIR/index.away/." "$SINKHOLE_DIR/index/"
echo "evil.com 2" | index 2
wait_generation 2
ask evil.com
check "a new folder in the old one's place is watched" says NXDOMAIN
stop TERM "$UNBOUND_PID"

# 3. Damaged at the start.
cut_head && mv "$head.new" "$head"
: > "$WORLD/unbound.log"
unbound_start
check "with a damaged index it starts and resolves" answers evil.com
check "and says so" log_has 'NOTHING IS FILTERED'
echo "evil.com 1" | index 3
wait_generation 3
check "picked up when it comes" sinkholed evil.com
check "also what was cached" sinkholed evil.com +cdflag

# 3b. The head is sound, and its base alone is put right: nobody replaces the head.
stop TERM "$UNBOUND_PID"
base=$(ls -t "$SINKHOLE_DIR"/index/base-* | head -n 1)
cp "$base" "$SINKHOLE_DIR/base.good"
printf '\377' | dd of="$base" bs=1 seek=$(($(stat -c %s "$base") - 20)) conv=notrunc 2>/dev/null
unbound_start
check "with a damaged base it resolves" answers evil.com
mv "$SINKHOLE_DIR/base.good" "$base"
wait_for 10 in_force 3 || check "a base that was put right is taken into use" false
check "and is in force" sinkholed evil.com

# 4. Reload under load, and index swaps.
rounds=10 swaps=100
[ -z "${SINKHOLE_LONG:-}" ] || { rounds=100 swaps=1000; }
{ seq -f 'h%g.good.net A' 200; seq -f 'h%g.evil.com A' 200; echo "www.good.net AAAA"; } > "$WORLD/q"
load() { # SECONDS
    dnsperf -s 127.0.0.1 -p "$PORT" -d "$WORLD/q" -l "$1" -Q 3000 -c 4 -q 40 -t 1 > "$WORLD/perf.log" 2>&1 &
    LOAD_PID=$!; PIDS+=("$LOAD_PID")
}
load_is_over() { # WHY MOST-LOST
    kill -INT "$LOAD_PID" 2>/dev/null; wait "$LOAD_PID"
    LAST=$(cat "$WORLD/perf.log")
    local lost sent
    sent=$(awk '/Queries sent:/ {print $3}' "$WORLD/perf.log")
    lost=$(awk '/Queries lost:/ {print $3}' "$WORLD/perf.log")
    say "$1: $sent queries, $lost lost, $(awk -F: '/Response codes/ {print $2}' "$WORLD/perf.log")"
    check "$1: queries were asked" test "${sent:-0}" -gt 100
    check "$1: at most $2 unanswered" test "${lost:-9999}" -le "$2"
    check "$1: no SERVFAIL" says_not 'SERVFAIL\|REFUSED'
}
starts=$(counter starts)
load 600
for ((i = 0; i < rounds; i++)); do
    control reload >/dev/null || check "reload" false
    wait_for 10 answers "r$i.good.net" || check "resolves after a reload" false
done
# A reload drops what Unbound is resolving at that moment: at most what the load has under way.
load_is_over "$rounds reloads" $((40 * rounds))
check "it is the same process" kill -0 "$UNBOUND_PID"
check "each reload started the module" test "$(counter starts)" -ge $((starts + 1))
check "in force after reloads" sinkholed evil.com
check "reconciled after reloads" reconciled
walks=$(counter index_swaps)
load 600
for ((i = 0; i < swaps; i++)); do
    if ((i % 2)); then echo "evil.com 1"; else printf 'evil.com 1\nx%s.net 2\n' "$i"; fi | index_delta $((100 + i)) 3
done
wait_generation $((99 + swaps))
load_is_over "$swaps swaps" 0
check "swaps were taken into use" test $(($(counter index_swaps) - walks)) -ge $((swaps / 10))
check "in force after swaps" sinkholed evil.com
check "reconciled after swaps" reconciled
check "nothing lost" test "$(counter lost)" -le 1
maps=$(grep -c "$SINKHOLE_DIR/index" "/proc/$UNBOUND_PID/maps")
check "old indexes are not kept mapped ($maps maps)" test "$maps" -le 6
stop TERM "$UNBOUND_PID"
check "it ends well" test $? = 0

# 5. An Unbound the module was not built for: it refuses before it touches anything, and says why.
cp "$UNBOUND/unbound" "$WORLD/other" && objcopy --remove-section .note.gnu.build-id "$WORLD/other" 2>/dev/null
if cmp -s "$UNBOUND/unbound" "$WORLD/other"; then
    say "objcopy is not there: the check with another Unbound is left out"
else
    "$WORLD/other" -d -c "$WORLD/unbound/unbound.conf" > "$WORLD/other.log" 2>&1
    check "another Unbound does not start with it" test $? = 1
    LAST=$(cat "$WORLD/other.log")
    check "the log says why" says 'built for another Unbound.*build-id none'
    check "abi-check says so beforehand" bash -c "! '$BUILD/sinkholectl' abi-check '$WORLD/other' '$MODULE'"
fi
check "abi-check: the right one" "$BUILD/sinkholectl" abi-check "$UNBOUND/unbound" "$MODULE"
