#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# A name published is sinkholed on a resolver that had it cached: by its own name, as another
# name's alias target, as a name below it; with CD=0 and 1, validator on and off, prefetch and
# serve-expired on. Taken off, it resolves again.
. "$(dirname "$0")/ring.sh"
TRIALS=5
[ -z "${SINKHOLE_LONG:-}" ] || TRIALS=17 # 204 in all
FAILED=0 PASSED=0

ring_begin
ring_redis
awk -v n=$((TRIALS * 20)) 'BEGIN { for (i = 0; i < n; i++) {
    printf "alias%d.chains.zz. CNAME target%d.chains.zz.\n", i, i
    printf "target%d.chains.zz. A 203.0.113.80\n", i } }' > "$RING/more"
ring_nsd "$RING/more"
ring_agent

trials() { # WHY words of trial
    local why=$1; shift
    if "$BUILD/tests/ring/trial" --config "$RING/sinkhole.yaml" --port "$PORT" --trials "$TRIALS" "$@" \
        > "$RING/trial.json" 2> "$RING/trial.err" && [ "$(field enforced_ms_p99 < "$RING/trial.json" | cut -d. -f1)" -lt 1000 ] &&
        [ "$(field withdrawn_ms_p99 < "$RING/trial.json" | cut -d. -f1)" -lt 1000 ]; then
        PASSED=$((PASSED + 1)); say "ok      $why  $(cat "$RING/trial.json")"
    else
        FAILED=$((FAILED + 1)); say "NOT OK  $why  $(cat "$RING/trial.json" "$RING/trial.err")"
    fi
}

FIRST=0
for modules in "dynlib iterator" "dynlib validator iterator"; do
    MODULES=$modules ring_unbound_conf 2 "  prefetch: yes
  serve-expired: yes"
    ring_unbound
    for cd in "" --cd; do
        trials "$modules $cd: own name" $cd --ask "own$cd$FIRST-%u.first.org" --scope 0
        trials "$modules $cd: name below" $cd --ask "www.below$cd$FIRST-%u.second.org" --list "below$cd$FIRST-%u.second.org"
        trials "$modules $cd: alias target" $cd --ask "alias%u.chains.zz" --list "target%u.chains.zz" --first "$FIRST"
        FIRST=$((FIRST + TRIALS))
    done
    stop TERM "$UNBOUND_PID"
done
echo "$PASSED passed, $FAILED failed"
[ "$FAILED" -eq 0 ]
