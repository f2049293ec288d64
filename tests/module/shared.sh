#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Two Unbounds on one folder: a configuration error that must not cost a hit or a count of the first.
# Both filter; the second says that its hits are not recorded, and takes over when the first has ended.
. "$(dirname "$0")/world.sh"
world_begin
nsd_start
printf '%s\n' "evil.com 1" | index 1
export THREADS=2
unbound_conf
unbound_start
first_pid=$UNBOUND_PID first_port=$PORT
PORT=$(free_port)
mkdir "$WORLD/second"
sed -e "s/@$first_port/@$PORT/" -e "s#/unbound/control.sock#/second/control.sock#" "$WORLD/unbound/unbound.conf" \
    > "$WORLD/second/unbound.conf"
run second "$UNBOUND/unbound" -d -c "$WORLD/second/unbound.conf"
second_pid=$PID second_port=$PORT
wait_for 30 answers probe.anywhere.net || die "the second does not answer"
check "the second says so" grep -q 'hits are NOT recorded.*another process' "$WORLD/second.log"

before=$(counter sinkholed) starts=$(counter starts)
queries=20000
yes "many.evil.com A" | head -n $queries > "$WORLD/q"
for port in "$first_port" "$second_port"; do
    dnsperf -s 127.0.0.1 -p "$port" -d "$WORLD/q" -n 1 -t 5 -q 50 -c 4 > "$WORLD/perf.$port" 2>&1 &
    PIDS+=($!) LOADS+=($!)
done
wait "${LOADS[@]}"
completed() { awk '/Queries completed:/ {print $3}' "$WORLD/perf.$1"; }
say "answered: $(completed "$first_port") by the first, $(completed "$second_port") by the second"
check "the first's counters are its own" test $(($(counter sinkholed) - before)) -ge "$(completed "$first_port")"
check "and nothing of the second's is in them" test $(($(counter sinkholed) - before)) -le $queries
check "none lost" test "$(counter lost)" = 0
check "reconciled" reconciled
check "started once" test "$(counter starts)" = "$starts"
check "the second filters" sinkholed a.evil.com

stop TERM "$first_pid"
log_has_recorded() { grep -q 'hits are recorded now' "$WORLD/second.log"; }
wait_for 5 log_has_recorded || check "the second takes the journal over" false
taken() { [ "$(counter starts)" = $((starts + 1)) ]; }
wait_for 5 taken || check "and the counters" false
before=$(counter recorded)
check "the second filters on" sinkholed b.evil.com
more() { [ "$(counter recorded)" -gt "$before" ]; }
wait_for 5 more || check "and its hits are kept" false
wait_for 5 reconciled || check "reconciled, what the second counted in memory included" reconciled
stop TERM "$second_pid"
check "it ends well" test $? = 0
