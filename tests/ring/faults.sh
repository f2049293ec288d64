#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# What must not break the ministry: each fault while clients ask. Pass: names that are not listed
# always resolve, the last good index stays in force, nothing is lost but counted drops, and recovery needs no hand.
#   faults.sh [CASE ...]   all cases by default
. "$(dirname "$0")/ring.sh"
FLOOD=$BUILD/tests/ring/flood
ROUNDS=5 SWAPS=100 RELOADS=20
[ -z "${SINKHOLE_LONG:-}" ] || { ROUNDS=20 SWAPS=1000 RELOADS=100; }
FAILED=0 PASSED=0

verdict() { # STATUS WHY
    if [ "$1" -eq 0 ]; then PASSED=$((PASSED + 1)); say "ok      $2"; else FAILED=$((FAILED + 1)); say "NOT OK  $2"; fi
}
check() { local why=$1; shift; "$@"; verdict $? "$why"; }
soon() { local why=$1 limit=$2; shift 2; wait_for "$limit" "$@"; verdict $? "$why"; }

counter() { ctl --json status | field "$1"; }
# Names that are not listed, all the while; the answers are counted at the end.
benign_start() {
    awk 'BEGIN { for (i = 0; i < 500; i++) printf "benign%d.quiet.org\n", i }' > "$RING/benign"
    "$FLOOD" --port "$PORT" --names "$RING/benign" --clients 4 --window 64 --rate 2000 --seconds "$1" > "$RING/benign.json" &
    BENIGN_PID=$!
}
benign_end() { # WHY MOST-UNANSWERED
    wait "$BENIGN_PID"
    local unanswered
    unanswered=$(field unanswered < "$RING/benign.json")
    [ "$unanswered" -le "$2" ]
    verdict $? "$1: benign queries unanswered $unanswered of $(field sent < "$RING/benign.json"), at most $2 allowed"
}
list_one() { # NAME: publish it, one more in the feed "faults"
    echo "$1" > "$RING/one"
    ctl feed import faults "$RING/one" --format plain --amend --publish >> "$RING/ctl.log" 2>&1
}

case_agent_killed() {
    local i
    benign_start $((ROUNDS + 4))
    for ((i = 0; i < ROUNDS; i++)); do
        list_one "agent$i.killed.org" &
        local lister=$!
        sleep "0.0$((RANDOM % 10))"
        stop KILL "$AGENT_PID"
        wait "$lister"
        ring_agent
    done
    soon "agent killed -9 $ROUNDS times in mid-write: the last name published is enforced" 10 sinkholed "agent$((ROUNDS - 1)).killed.org"
    benign_end "agent killed" 0
}

case_unbound_killed() {
    local i
    for ((i = 0; i < ROUNDS; i++)); do
        "$FLOOD" --port "$PORT" --names "$RING/listed" --clients 10 --window 8 --seconds 1 --expect 192.0.2.53 \
            --ledger "$RING/ledger.$i" > "$RING/killed.json" &
        local flood=$!
        sleep "0.$((3 + RANDOM % 6))"
        stop KILL "$UNBOUND_PID"
        wait "$flood"
        ring_unbound
    done
    cat "$RING"/ledger.[0-9]* > "$RING/ledger"
    audit() { "$BUILD/tests/ring/audit" --config "$RING/sinkhole.yaml" --ledger "$RING/ledger" --under listed-faults.net --unanswered 1000000 > "$RING/audit.json"; }
    soon "Unbound killed -9 $ROUNDS times: every answer received has its hit" 30 audit
    say "        $(cat "$RING/audit.json")"
}

case_redis_killed() {
    benign_start 8
    stop KILL "$REDIS_PID"
    soon "Redis killed: status says so" 10 bash -c "! '$BUILD/sinkholectl' --config '$RING/sinkhole.yaml' status"
    check "Redis killed: listed names stay sinkholed" sinkholed bot1.listed-faults.net
    ring_redis
    list_one back.after-redis.org || list_one back.after-redis.org
    soon "Redis back: a new name is enforced by itself" 15 sinkholed back.after-redis.org
    benign_end "Redis killed" 0
}

case_redis_paused() {
    benign_start 10
    kill -STOP "$REDIS_PID"
    check "Redis paused: listed names stay sinkholed" sinkholed bot2.listed-faults.net
    sleep 6 # longer than the time-out of a command
    kill -CONT "$REDIS_PID"
    list_one after.paused.org || list_one after.paused.org
    soon "Redis goes on: a new name is enforced" 15 sinkholed after.paused.org
    benign_end "Redis paused" 0
}

case_redis_full() {
    benign_start 6
    redis config set maxmemory 1mb > /dev/null
    list_one no.room.org && verdict 1 "Redis full: a publication must fail"
    check "Redis full: the failed publication says why" grep -qi "memory" "$RING/ctl.log"
    check "Redis full: listed names stay sinkholed" sinkholed bot3.listed-faults.net
    "$FLOOD" --port "$PORT" --names "$RING/listed" --seconds 1 --expect 192.0.2.53 > "$RING/full.json"
    redis config set maxmemory 0 > /dev/null
    check "room again: the journal drains by itself" drained 30
    benign_end "Redis full" 0
}

case_redis_readonly() {
    benign_start 6
    redis replicaof 127.0.0.1 1 > /dev/null
    list_one no.replica.org && verdict 1 "read-only Redis: a publication must fail"
    check "read-only: listed names stay sinkholed" sinkholed bot4.listed-faults.net
    redis replicaof no one > /dev/null
    list_one yes.primary.org
    soon "primary again: a new name is enforced" 15 sinkholed yes.primary.org
    benign_end "Redis read-only" 0
}

case_redis_password() {
    benign_start 8
    redis config set requirepass secret > /dev/null
    redis -a secret --no-auth-warning client kill type normal skipme yes > /dev/null 2>&1
    soon "wrong password: status says so" 15 bash -c "grep -qi 'NOAUTH\|password\|authent' '$RING/agent.log'"
    check "wrong password: listed names stay sinkholed" sinkholed bot5.listed-faults.net
    redis -a secret --no-auth-warning config set requirepass "" > /dev/null
    list_one yes.password.org
    soon "password right again: a new name is enforced" 15 sinkholed yes.password.org
    benign_end "wrong password" 0
}

# damage HOW: the head is damaged as a broken disk would, by rename, so that the module sees it.
damage() {
    local head=$SINKHOLE_DIR/index/head
    cp "$head" "$head.bad"
    case $1 in
    truncated) truncate -s 100 "$head.bad" ;;
    bit-flipped) printf '\377' | dd of="$head.bad" bs=1 seek=$(($(stat -c %s "$head.bad") / 2)) conv=notrunc status=none ;;
    other-version) printf '\177' | dd of="$head.bad" bs=1 seek=8 conv=notrunc status=none ;;
    missing) rm "$head" "$head.bad"; return ;;
    esac
    mv "$head.bad" "$head"
}
case_index_damaged() {
    local how
    for how in truncated bit-flipped other-version missing; do
        benign_start 4
        damage "$how"
        sleep 0.5
        check "index $how: the last good one stays in force" sinkholed bot6.listed-faults.net
        stop TERM "$UNBOUND_PID"; ring_unbound
        check "index $how: a resolver started now resolves" resolves "benign1.quiet.org"
        soon "index $how: mended by itself" 15 sinkholed bot6.listed-faults.net
        benign_end "index $how" 1000
    done
}

case_reloads_and_swaps() {
    local i
    benign_start $((RELOADS / 2 + 10))
    for ((i = 0; i < RELOADS; i++)); do
        control reload > /dev/null || break
        list_one "swap$i.reloads.org"
    done
    [ "$i" -eq "$RELOADS" ] && kill -0 "$UNBOUND_PID"
    verdict $? "$RELOADS reloads under load: Unbound lives"
    soon "after the reloads the last name is enforced" 10 sinkholed "swap$((RELOADS - 1)).reloads.org"
    wait "$BENIGN_PID"
    benign_start $((SWAPS / 50 + 5))
    "$BUILD/tests/ring/trial" --config "$RING/sinkhole.yaml" --port "$PORT" --ask "s%u.swapped.org" --trials $((SWAPS / 2)) > "$RING/trial.json"
    verdict $? "$SWAPS index swaps under load: $(cat "$RING/trial.json")"
    benign_end "index swaps" 0
}

case_disk_full() {
    if [ "$(id -u)" -ne 0 ] || ! mount -t tmpfs -o size=24m tmpfs "$SINKHOLE_DIR/journal" 2>/dev/null; then
        say "skipped: disk full (cannot mount a small file system)"; return
    fi
    RING_MOUNT=$SINKHOLE_DIR/journal
    stop TERM "$UNBOUND_PID"; ring_unbound
    stop KILL "$REDIS_PID"
    awk 'BEGIN { for (i = 0; i < 20000; i++) printf "x%d.wide.listed-faults.net\n", i }' > "$RING/wide"
    benign_start 10
    "$FLOOD" --port "$PORT" --names "$RING/wide" --clients 20 --window 8 --random --seconds 6 --expect 192.0.2.53 \
        --ledger "$RING/ledger" > "$RING/wide.json"
    benign_end "disk full under the journal" 0
    [ "$(field sinkholed < "$RING/wide.json")" -gt 0 ] && kill -0 "$UNBOUND_PID"
    verdict $? "disk full: listed names stay sinkholed, Unbound lives: $(cat "$RING/wide.json")"
    ring_redis
    check "disk full: the journal drains when Redis is back" drained 60
    local lost sent recorded
    lost=$(counter drops) sent=$(field sinkholed < "$RING/wide.json")
    recorded=$("$BUILD/tests/ring/audit" --config "$RING/sinkhole.yaml" --ledger "$RING/ledger" --under .wide.listed-faults.net --unanswered 10000000 | tee "$RING/audit.json" | field hits)
    # The canary and this test's own questions are among the drops.
    [ $((recorded + lost)) -ge "$sent" ] && [ $((recorded + lost)) -le $((sent + 100)) ]
    verdict $? "disk full: answers $sent = hits $recorded + counted drops $lost, but for a few of our own questions"
    stop TERM "$AGENT_PID"; stop TERM "$UNBOUND_PID"
    umount "$SINKHOLE_DIR/journal"; RING_MOUNT=
    ring_unbound; ring_agent
}

case_foreign_module() {
    # The same file with its list of accepted Unbounds overwritten: a module that was built for another one.
    cp "${RING_MODULE:-$BUILD/.libs/sinkhole.so}" "$RING/foreign.so"
    local id
    id=$(readelf -n "$UNBOUND/unbound" | sed -n 's/.*Build ID: //p')
    LC_ALL=C sed -i "s/$id/$(echo "$id" | tr 0-9a-f a-f0-9)/g" "$RING/foreign.so"
    ! ctl abi-check "$UNBOUND/unbound" "$RING/foreign.so" > "$RING/abi.log" 2>&1
    verdict $? "a module built for another Unbound: abi-check says no: $(tail -n 1 "$RING/abi.log")"
    ctl abi-check "$UNBOUND/unbound" "${RING_MODULE:-$BUILD/.libs/sinkhole.so}" > /dev/null
    verdict $? "the right module: abi-check says yes"
    sed "s,dynlib-file:.*,dynlib-file: \"$RING/foreign.so\"," "$RING/unbound/unbound.conf" > "$RING/unbound/foreign.conf"
    sed -i "s/@$PORT/@$(free_port)/" "$RING/unbound/foreign.conf"
    timeout 10 "$UNBOUND/unbound" -d -c "$RING/unbound/foreign.conf" > "$RING/foreign.log" 2>&1
    [ $? -eq 1 ] && grep -qi "build" "$RING/foreign.log"
    verdict $? "the wrong module: Unbound refuses to start, with one sentence: $(grep -i build "$RING/foreign.log" | head -n 1)"
}

ring_begin
ring_start 2
awk 'BEGIN { for (i = 0; i < 50; i++) printf "bot%d.listed-faults.net\n", i; print "wide.listed-faults.net" }' > "$RING/listed"
publish_file faults "$RING/listed"
wait_for 20 sinkholed bot49.listed-faults.net || die "the list is not enforced"
CASES=("$@")
[ $# -gt 0 ] || CASES=(agent_killed unbound_killed redis_killed redis_paused redis_full redis_readonly redis_password
    index_damaged reloads_and_swaps disk_full foreign_module)
for c in "${CASES[@]}"; do say "--- $c"; "case_$c"; done
echo "$PASSED passed, $FAILED failed"
[ "$FAILED" -eq 0 ]
