#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Every answer that a client received has its hit: 50 clients ask for listed names as fast as the machine
# answers, and the clients' books are held against Redis, pair by pair.
#   books.sh [faults]   faults: meanwhile Redis is killed for a third of the time, and Unbound is killed -9 once
. "$(dirname "$0")/ring.sh"
FAULTS=${1:-}
LASTING=12
[ -z "${SINKHOLE_LONG:-}" ] || LASTING=60

ring_begin
ring_start "${RING_THREADS:-2}"
awk 'BEGIN { for (i = 0; i < 200; i++) printf "bot%d.c2-books.net\n", i }' > "$RING/listed"
publish_file books "$RING/listed"
wait_for 20 sinkholed bot199.c2-books.net || die "the list is not enforced"

"$BUILD/tests/ring/flood" --port "$PORT" --names "$RING/listed" --clients 50 --window 8 \
    --seconds "$LASTING" --random --expect 192.0.2.53 --ledger "$RING/ledger" > "$RING/flood.json" &
FLOOD_PID=$!
if [ -n "$FAULTS" ]; then
    sleep $((LASTING / 6))
    stop KILL "$REDIS_PID"
    sleep $((LASTING / 6))
    stop KILL "$UNBOUND_PID"
    ring_unbound
    sleep $((LASTING / 6))
    ring_redis
fi
wait "$FLOOD_PID" || die "flood"
cat "$RING/flood.json"
UNANSWERED=$(field unanswered < "$RING/flood.json")
# One probe above was answered by the sinkhole outside of the books; its name is listed too.
audited() {
    "$BUILD/tests/ring/audit" --config "$RING/sinkhole.yaml" --ledger "$RING/ledger" \
        --under c2-books.net --unanswered $((UNANSWERED + 1000)) > "$RING/audit.json"
}
drained 120 || die "the journal is not empty after two minutes: $(ctl status)"
wait_for 20 audited || { cat "$RING/audit.json"; die "the books do not agree"; }
cat "$RING/audit.json"
say "lost by the journal: $(ctl --json status | field drops)"
echo "1 passed, 0 failed"
