#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# The product's figures beside their targets and beside Unbound's own ways, one machine, one run,
# one list. Prints a table and writes bench.json. `bench.sh --help` tells the rest.
. "$(dirname "$0")/../ring/ring.sh"

usage() {
    cat <<'TEXT'
usage: bench.sh [--quick] [--only WORD] [--out bench.json]
  --quick     fewer rounds, 200,000 names, 50,000 cached messages: to see that it works
  --only W    the parts whose name has W in it: instructions cpu memory publish hits parse report
  --out F     where the figures go as JSON [bench.json]
Environment: BUILD, UNBOUND (set by `make bench`); SINKHOLE_DATA, a folder with big.txt.xz and
malware.txt.xz (real lists); without it lists are made up.
TEXT
}

ROUNDS=5 OUT=bench.json ONLY= BIG=4248533 PEER=1000000 CACHED=1000000
while [ $# -gt 0 ]; do
    case $1 in
    --quick) ROUNDS=3 BIG=200000 PEER=100000 CACHED=50000 ;;
    --only) ONLY=$2; shift ;;
    --out) OUT=$2; shift ;;
    --help) usage; exit 0 ;;
    *) usage >&2; exit 2 ;;
    esac
    shift
done
HERE=$(cd "$(dirname "$0")" && pwd)
FLOOD=$BUILD/tests/ring/flood TRIAL=$BUILD/tests/ring/trial BENCH=$BUILD/tests/bench/micro
PINNED_SERVER= PINNED_LOAD=
if [ "$(nproc)" -ge 2 ] && command -v taskset >/dev/null; then
    PINNED_SERVER="taskset -c 0" PINNED_LOAD="taskset -c 1"
fi
ROWS=()
PEERS="plain module rpz rpzlog localzone"

# row METRIC VALUE UNIT COMPARED RATIO TARGET HOW: HOW is "<=" or ">=", what is held against the target: the ratio if
# there is one, else the value. TARGET "-" : a figure for comparison only.
row() {
    local held=$2 met=-
    [ "$5" = - ] || held=$5
    [ "$6" = - ] || met=$(awk -v a="$held" -v b="$6" -v how="$7" \
        'BEGIN { print ((how == "<=" ? a <= b : a >= b) && a != "" ) ? "yes" : "NO" }')
    printf '%-58s %12s %-10s %-28s %8s %10s  %s\n' "$1" "$2" "$3" "$4" "$5" "$6" "$met"
    ROWS+=("$(printf '{"metric": "%s", "value": %s, "unit": "%s", "compared_with": "%s", "ratio": %s, "target": %s, "met": %s}' \
        "$1" "$(number "$2")" "$3" "$4" "$(number "$5")" "$(number "$6")" \
        "$(case $met in yes) echo true ;; NO) echo false ;; *) echo null ;; esac)")")
}
number() { case $1 in -|"") echo null ;; *) echo "$1" ;; esac; }
json_write() {
    local IFS=,
    printf '{"date": "%s", "names": %s, "peer_names": %s, "cached": %s, "rows": [%s]}\n' \
        "$(date -u +%FT%TZ)" "$BIG" "$PEER" "$CACHED" "${ROWS[*]}" > "$OUT"
}
ratio() { awk -v a="$1" -v b="$2" 'BEGIN { if (b > 0) printf "%.4f\n", a / b; else print "-" }'; }
median() { sort -n | awk '{ v[NR] = $1 } END { print NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2 }'; }
part() { [ -z "$ONLY" ] || [[ $1 == *$ONLY* ]]; }

# --- lists -----------------------------------------------------------------------------------
made_up() { # COUNT: distinct names with the shapes of real ones
    awk -v n="$1" 'BEGIN {
        split("login secure pay update cdn mail api", word); split("com net org xyz info top site", tld)
        for (i = 0; i < n; i++)
            printf "%s%s%x.%s\n", i % 5 ? "" : "www.", word[1 + i % 7], i * 2654435761 % 4294967296, tld[1 + i % 11 % 7]
    }'
}
lists_make() {
    if [ -n "${SINKHOLE_DATA:-}" ] && [ -f "$SINKHOLE_DATA/big.txt.xz" ]; then
        xz -dc "$SINKHOLE_DATA/big.txt.xz" | head -n "$BIG" > "$RING/big.txt"
        xz -dc "$SINKHOLE_DATA/malware.txt.xz" | grep -E '^[a-z0-9]([a-z0-9.-]*[a-z0-9])?\.[a-z]+$' |
            head -n "$PEER" > "$RING/peer.txt"
    else
        made_up "$BIG" > "$RING/big.txt"
        head -n "$PEER" "$RING/big.txt" > "$RING/peer.txt"
    fi
    # A thousand listed names and a thousand that are not, for the load.
    awk -v step="$(($(wc -l < "$RING/peer.txt") / 1000))" 'NR % step == 0' "$RING/peer.txt" |
        head -n 1000 > "$RING/blocked.txt"
    awk 'BEGIN { for (i = 0; i < 1000; i++) printf "www.benign%d.some-site%d.org\n", i, i % 50 }' > "$RING/benign.txt"
}

# --- resolvers side by side ------------------------------------------------------------------
declare -A PORTS PIDS
# resolver_conf NAME MODULES EXTRA SERVER: a resolver of two threads (so that libc takes its threaded paths in all of them) with its own folder; EXTRA stands at the end of the file.
resolver_conf() {
    local dir=$RING/$1
    mkdir -p "$dir"
    PORTS[$1]=$(free_port)
    [ ! -f "$RING/unbound/unbound.conf" ] || cp "$RING/unbound/unbound.conf" "$RING/unbound/kept.conf"
    PORT=${PORTS[$1]} MODULES=$2 ring_unbound_conf 2 "${4:-}"
    sed "s,$RING/unbound,$dir,g" "$RING/unbound/unbound.conf" > "$dir/unbound.conf"
    [ ! -f "$RING/unbound/kept.conf" ] || mv "$RING/unbound/kept.conf" "$RING/unbound/unbound.conf"
    case $2 in dynlib*) ;; *) sed -i '/^dynlib:/,+1d' "$dir/unbound.conf" ;; esac
    printf '%s\n' "$3" >> "$dir/unbound.conf"
}
resolver_ready() { dig +short +time=1 +tries=1 -p "${PORTS[$1]}" @127.0.0.1 probe.anywhere.net | grep -q 203.0.113.80; }
resolver_start() { # NAME [wrapper words]
    local name=$1; shift
    run "$name" $PINNED_SERVER "$@" "$UNBOUND/unbound" -d -c "$RING/$name/unbound.conf"
    PIDS[$name]=$PID
    wait_for 300 resolver_ready "$name" || die "$name does not start"
}
peers_conf() {
    resolver_conf plain iterator ""
    resolver_conf module "dynlib iterator" ""
    awk '{ print $1 " CNAME ."; print "*." $1 " CNAME ." }' "$RING/peer.txt" |
        cat <(printf '$TTL 60\n@ SOA localhost. root.localhost. 1 3600 600 86400 60\n@ NS localhost.\n') - > "$RING/rpz.zone"
    local rpz="rpz:
  name: rpz.bench
  zonefile: $RING/rpz.zone"
    resolver_conf rpz "respip iterator" "$rpz"
    resolver_conf rpzlog "respip iterator" "$rpz
  rpz-log: yes
  rpz-log-name: bench"
    awk '{ print "local-zone: \"" $1 "\" always_nxdomain" }' "$RING/peer.txt" > "$RING/local-zones"
    resolver_conf localzone iterator "" "  include: $RING/local-zones"
}
# The peers' list, put where the module looks: the module's resolver needs no agent for it.
list_for_peers() {
    [ ! -d "$SINKHOLE_DIR/index" ] || return 0
    mkdir -p "$SINKHOLE_DIR/index"
    awk '/\./ { print $1 " 1" }' "$RING/peer.txt" |
        "$BUILD/tests/lib/mkindex" "$HERE/rules" "$SINKHOLE_DIR" || die "mkindex"
}
ticks() { awk '{ print $14, $15 }' "/proc/$1/stat"; }
# load NAME FILE SECONDS: sets USER_US and SYS_US, microseconds of the server's CPU a query.
load() {
    local before after answered
    before=$(ticks "${PIDS[$1]}")
    answered=$($PINNED_LOAD "$FLOOD" --port "${PORTS[$1]}" --names "$2" --clients 50 --window 4 --random \
        --seconds "$3" | tee -a "$RING/load.json" | field answered)
    after=$(ticks "${PIDS[$1]}")
    read -r USER_US SYS_US < <(awk -v b="$before" -v a="$after" -v n="$answered" \
        'BEGIN { split(b, x); split(a, y); print (y[1] - x[1]) * 10000 / n, (y[2] - x[2]) * 10000 / n }')
}

# --- instructions: callgrind, the slope between two counts of queries -----------------------------
# instructions NAME FILE FEW MANY [flood words]: instructions a query of a resolver that ran under callgrind.
instructions() {
    local name=$1 file=$2 few=$3 many=$4 n sums=(); shift 4
    for n in "$few" "$many"; do
        run "cg-$name" valgrind --tool=callgrind --callgrind-out-file="$RING/callgrind.out" \
            "$UNBOUND/unbound" -d -c "$RING/$name/unbound.conf"
        local pid=$PID
        wait_for 120 resolver_ready "$name" || die "$name does not start under callgrind"
        # The same warm-up in both runs: every name once.
        "$FLOOD" --port "${PORTS[$name]}" --names "$file" --queries 1000 --window 4 --seconds 120 >/dev/null
        "$FLOOD" --port "${PORTS[$name]}" --names "$file" --queries "$n" --clients 50 --window 1 \
            --seconds 300 "$@" > "$RING/cg.json"
        [ "$(field answered < "$RING/cg.json")" = "$n" ] || say "note: $(cat "$RING/cg.json")" >&2
        stop TERM "$pid"
        sums+=("$(sed -n 's/^summary: \([0-9]*\).*/\1/p; s/^totals: \([0-9]*\).*/\1/p' "$RING/callgrind.out" | tail -n 1)")
    done
    awk -v a="${sums[0]}" -v b="${sums[1]}" -v n=$((many - few)) 'BEGIN { printf "%.0f", (b - a) / n }'
}
part_instructions() {
    local plain module blocked
    plain=$(instructions plain "$RING/benign.txt" 10000 50000)
    module=$(instructions module "$RING/benign.txt" 10000 50000)
    row "benign cached query" "$module" instr "Unbound without it: $plain" "$(ratio "$module" "$plain")" 1.005 "<="
    blocked=$(instructions module "$RING/blocked.txt" 10000 50000 --random)
    row "blocked and recorded query" "$blocked" instr "cached benign: $plain" "$(ratio "$blocked" "$plain")" 1.25 "<="
    awk 'BEGIN { for (i = 0; i < 60000; i++) printf "n%d.fresh.example%d.org\n", i, i % 50 }' > "$RING/fresh.txt"
    # What goes out is random (ports, IDs, timers), so the median of pairs.
    local round
    for ((round = 0; round < 3; round++)); do
        plain=$(instructions plain "$RING/fresh.txt" 4000 20000)
        module=$(instructions module "$RING/fresh.txt" 4000 20000)
        ratio "$module" "$plain" >> "$RING/uncached"
    done
    row "benign uncached query" "$module" instr "Unbound without it: $plain" "$(median < "$RING/uncached")" 1.01 "<="
}

# --- CPU: all resolvers up, rounds in turn, medians of the rounds' ratios ----------------------------
part_cpu() {
    local name round what
    for name in $PEERS; do
        resolver_start "$name"
        load "$name" "$RING/benign.txt" 1
    done
    wait_for 60 module_enforces || die "the module does not enforce the list"
    for name in $PEERS; do
        row "resident memory, $name" "$(awk '/VmRSS/ { print int($2 / 1024) }' "/proc/${PIDS[$name]}/status")" MiB "" - - -
    done
    for ((round = 0; round < ROUNDS; round++)); do
        for name in $PEERS; do
            for what in benign blocked; do
                [ "$name $what" != "plain blocked" ] || continue
                load "$name" "$RING/$what.txt" 2
                echo "$round $USER_US $SYS_US" >> "$RING/cpu.$name.$what"
            done
        done
    done
    for name in $PEERS; do
        for what in benign blocked; do
            [ -f "$RING/cpu.$name.$what" ] || continue
            row "user CPU, $what, $name" "$(awk '{ print $2 }' "$RING/cpu.$name.$what" | median)" us \
                "cached benign, plain" "$(cpu_ratio "$name.$what" plain.benign)" - -
        done
    done
    row "user CPU, blocked and recorded" "$(awk '{ print $2 }' "$RING/cpu.module.blocked" | median)" us \
        "cached benign, plain" "$(cpu_ratio module.blocked plain.benign)" 1.15 "<="
    row "user CPU, blocked and recorded, to RPZ with rpz-log" "$(awk '{ print $2 }' "$RING/cpu.module.blocked" | median)" us \
        "RPZ with rpz-log" "$(cpu_ratio module.blocked rpzlog.blocked)" 0.4 "<="
    for name in "${!PIDS[@]}"; do stop TERM "${PIDS[$name]}"; done
    PIDS=()
}
module_enforces() { dig +short +time=1 +tries=1 -p "${PORTS[module]}" @127.0.0.1 "$(head -n 1 "$RING/blocked.txt")" | grep -q 192.0.2.53; }
cpu_ratio() { join "$RING/cpu.$1" "$RING/cpu.$2" | awk '{ if ($4 > 0) print $2 / $4 }' | median; }

# --- the list: file -> Redis -> resolver, memory, start --------------------------------------------
since() { awk -v a="$1" -v b="$(date +%s.%N)" 'BEGIN { printf "%.2f", b - a }'; }
used_memory() { redis info memory | tr -d '\r' | sed -n 's/^used_memory:\([0-9]*\)/\1/p'; }
listed_last() { sinkholed "$LAST_NAME"; }
part_memory() {
    rm -rf "$RING/redis"; mkdir -p "$RING/redis"
    rm -rf "$SINKHOLE_DIR"; mkdir -p "$SINKHOLE_DIR"
    local start before names seconds
    ring_redis
    MODULES="dynlib iterator" ring_unbound_conf 2
    ring_unbound
    before=$(used_memory)
    ctl feed add big > /dev/null || die "feed add big"
    start=$(date +%s.%N)
    ctl --json feed import big "$RING/big.txt" --format plain --publish > "$RING/big.json" 2> "$RING/big.err"
    [ $? -eq 0 ] || die "import of the big list: $(tail -n 3 "$RING/big.err")"
    row "file -> guarded and committed" "$(since "$start")" s "$(wc -l < "$RING/big.txt") lines" - 60 "<="
    start=$(date +%s.%N)
    ring_agent
    LAST_NAME=$(sed -n 777p "$RING/blocked.txt")
    wait_for 300 listed_last || die "the big list is not enforced"
    row "Redis -> enforced at an empty resolver" "$(since "$start")" s "" - 30 "<="
    "$BENCH" info "$SINKHOLE_DIR" > "$RING/info.json"
    names=$(field names < "$RING/info.json")
    row "names in force" "$names" names "" - - -
    row "index, hot" "$(field hot_bytes_a_name < "$RING/info.json")" "bytes/name" "Unbound RPZ 1,227" - 4.5 "<="
    row "index, whole" "$(field bytes_a_name < "$RING/info.json")" "bytes/name" "" - 20 "<="
    row "Redis memory for the blocklist" "$(awk -v a="$before" -v b="$(used_memory)" -v n="$names" \
        'BEGIN { printf "%.2f", (b - a) / n }')" "bytes/name" "one hash 92" - 16 "<="
    "$BENCH" find "$SINKHOLE_DIR" "$RING/blocked.txt" > "$RING/find.json"
    row "look-up, listed" "$(field ns < "$RING/find.json")" ns "" - - -
    "$BENCH" find "$SINKHOLE_DIR" "$RING/benign.txt" > "$RING/find.json"
    row "look-up, not listed" "$(field ns < "$RING/find.json")" ns "" - - -
    start_compared
    stop TERM "$AGENT_PID"; stop TERM "$UNBOUND_PID"; stop TERM "$REDIS_PID"
}
# Unbound's own start against the time until the list is enforced, median of five pairs.
start_compared() {
    local round start
    resolver_conf bare iterator ""
    for ((round = 0; round < 5; round++)); do
        start=$(date +%s.%N); resolver_start bare; since "$start" >> "$RING/start.bare"; echo >> "$RING/start.bare"
        stop TERM "${PIDS[bare]}"
        stop TERM "$UNBOUND_PID"
        start=$(date +%s.%N)
        run unbound "$UNBOUND/unbound" -d -c "$RING/unbound/unbound.conf"; UNBOUND_PID=$PID
        wait_for 60 listed_last || die "not enforced after a start"
        since "$start" >> "$RING/start.module"; echo >> "$RING/start.module"
    done
    unset 'PIDS[bare]'
    row "start, enforcing, after Unbound's own" "$(awk -v a="$(median < "$RING/start.module")" \
        -v b="$(median < "$RING/start.bare")" 'BEGIN { printf "%.2f", a - b }')" s "Unbound $(median < "$RING/start.bare") s" - 0.3 "<="
}

# --- publication to enforcement with a full cache -------------------------------------------------
part_publish() {
    rm -rf "$RING/redis"; mkdir -p "$RING/redis"
    rm -rf "$SINKHOLE_DIR"; mkdir -p "$SINKHOLE_DIR"
    ring_redis
    MODULES="dynlib iterator" ring_unbound_conf 2
    ring_unbound
    ring_agent
    awk -v n="$CACHED" 'BEGIN { for (i = 0; i < n; i++) printf "f%d.full%d.org\n", i, i % 1000 }' > "$RING/fill.txt"
    "$FLOOD" --port "$PORT" --names "$RING/fill.txt" --clients 8 --window 32 --queries "$CACHED" --seconds 600 > "$RING/fill.json"
    row "messages cached meanwhile" "$(field answered < "$RING/fill.json")" messages "" - - -
    "$FLOOD" --port "$PORT" --names "$RING/fill.txt" --clients 4 --window 64 --rate 2000 --random --seconds 300 > "$RING/during.json" &
    local load=$!
    "$TRIAL" --config "$RING/sinkhole.yaml" --port "$PORT" --ask "own%u.first.org" --trials 200 > "$RING/trial.json" 2>> "$RING/trial.err"
    row "published -> enforced, own name, p50" "$(field enforced_ms_p50 < "$RING/trial.json")" ms "" - 200 "<="
    row "published -> enforced, own name, p99" "$(field enforced_ms_p99 < "$RING/trial.json")" ms "" - 1000 "<="
    row "withdrawn -> resolves, p99" "$(field withdrawn_ms_p99 < "$RING/trial.json")" ms "" - 1000 "<="
    "$TRIAL" --config "$RING/sinkhole.yaml" --port "$PORT" --ask "www.below%u.second.org" --list "below%u.second.org" \
        --trials 50 > "$RING/trial.json" 2>> "$RING/trial.err"
    row "published -> enforced, a cached name below it, max" "$(field enforced_ms_max < "$RING/trial.json")" ms "" - 5000 "<="
    kill -TERM "$load" 2>/dev/null; wait "$load" 2>/dev/null
    changes_compared
    stop TERM "$AGENT_PID"; stop TERM "$UNBOUND_PID"; stop TERM "$REDIS_PID"
}
changes_compared() {
    local start
    ctl feed add changes > /dev/null
    awk 'BEGIN { for (i = 0; i < 10000; i++) printf "c%d.changes.org\n", i }' > "$RING/changes.txt"
    # The same load alone and during the change.
    "$FLOOD" --port "$PORT" --names "$RING/fill.txt" --clients 4 --window 64 --rate 5000 --random --seconds 6 > "$RING/base.json"
    "$FLOOD" --port "$PORT" --names "$RING/fill.txt" --clients 4 --window 64 --rate 5000 --random --seconds 6 > "$RING/during.json" &
    local load=$!
    sleep 2
    start=$(date +%s.%N)
    ctl feed import changes "$RING/changes.txt" --format plain --publish > /dev/null 2> "$RING/changes.err" || say "$(cat "$RING/changes.err")"
    wait_for 20 sinkholed c9999.changes.org
    row "10,000 changes: file -> enforced" "$(since "$start")" s "" - 2 "<="
    wait "$load"
    row "benign p99.9 meanwhile" "$(awk -v a="$(field us_p999 < "$RING/base.json")" -v b="$(field us_p999 < "$RING/during.json")" \
        'BEGIN { printf "%.2f", (b - a) / 1000 }')" "ms more" "alone $(field us_p999 < "$RING/base.json") us" - 5 "<="
    row "benign unanswered meanwhile" "$(field unanswered < "$RING/during.json")" queries "" - 0 "<="
}

# --- hits ------------------------------------------------------------------------------------
part_hits() {
    rm -rf "$RING/redis"; mkdir -p "$RING/redis"
    rm -rf "$SINKHOLE_DIR"; mkdir -p "$SINKHOLE_DIR"
    local start
    row "journal append" "$(micro_instructions append)" instr "" - 500 "<="
    ring_redis
    MODULES="dynlib iterator" ring_unbound_conf 2
    ring_unbound
    ring_agent
    awk 'BEGIN { for (i = 0; i < 1000; i++) printf "bot%d.hits.org\n", i }' > "$RING/hits.txt"
    publish_file hits "$RING/hits.txt"
    wait_for 20 sinkholed bot999.hits.org || die "not enforced"
    "$BENCH" latency "$RING/sinkhole.yaml" "$PORT" bot%u.hits.org 200 > "$RING/latency.json"
    row "answer sent -> hit in Redis, p50" "$(field ms_p50 < "$RING/latency.json")" ms "" - 500 "<="
    "$FLOOD" --port "$PORT" --names "$RING/hits.txt" --clients 50 --window 32 --random --rate 20000 --seconds 60 \
        --expect 192.0.2.53 --ledger "$RING/ledger" > "$RING/flood.json"
    drained 120
    "$BUILD/tests/ring/audit" --config "$RING/sinkhole.yaml" --ledger "$RING/ledger" --under hits.org \
        --unanswered 100000 > "$RING/audit.json"
    row "hits sustained for a minute" "$(field qps < "$RING/flood.json")" hits/s "" - 19900 ">="
    row "answers without their hit" "$(field missing < "$RING/audit.json")" hits "of $(field answered < "$RING/audit.json")" - 0 "<="
    stop TERM "$AGENT_PID"; stop TERM "$UNBOUND_PID"
    rm -rf "$SINKHOLE_DIR"; mkdir -p "$SINKHOLE_DIR"
    redis flushall > /dev/null
    "$BENCH" fill "$SINKHOLE_DIR" 1000000 > "$RING/fill.json" || die "fill: $(cat "$RING/fill.json")"
    start=$(date +%s.%N)
    ring_agent
    wait_for 120 shipped 1000000 || die "not all shipped: $(redis xlen 'sinkhole:hits:{ring}:0')"
    row "shipping alone, from a full journal" "$(awk -v s="$(since "$start")" 'BEGIN { printf "%.0f", 1000000 / s }')" hits/s "" - 100000 ">="
    stop TERM "$AGENT_PID"; stop TERM "$REDIS_PID"
}
shipped() { [ "$(redis xlen 'sinkhole:hits:{ring}:0')" = "$1" ]; }
# Instructions of one call, the slope between two counts.
micro_instructions() {
    local n sums=()
    for n in 10000 50000; do
        valgrind --tool=callgrind --callgrind-out-file="$RING/callgrind.out" "$BENCH" "$1" "$RING/micro" "$n" > /dev/null 2>&1
        rm -rf "$RING/micro"
        sums+=("$(sed -n 's/^summary: \([0-9]*\).*/\1/p; s/^totals: \([0-9]*\).*/\1/p' "$RING/callgrind.out" | tail -n 1)")
    done
    awk -v a="${sums[0]}" -v b="${sums[1]}" 'BEGIN { printf "%.0f", (b - a) / 40000 }'
}

# --- feeds and reports ----------------------------------------------------------------------------
part_parse() {
    local start
    start=$(date +%s.%N); "$BUILD/tests/feeds/parse_time" plain "$RING/big.txt" > "$RING/parse.json"
    row "parsing a plain list alone" "$(since "$start")" s "$(field names < "$RING/parse.json") names" - 3 "<="
    awk '{ print "0.0.0.0 " $0 }' "$RING/big.txt" > "$RING/big.hosts"
    start=$(date +%s.%N); "$BUILD/tests/feeds/parse_time" hosts "$RING/big.hosts" > "$RING/parse.json"
    row "parsing a hosts file alone" "$(since "$start")" s "$(field names < "$RING/parse.json") names" - 3 "<="
}
part_report() {
    local start
    ring_redis
    redis flushall > /dev/null
    "$BENCH" hits "$RING/sinkhole.yaml" 1000000 500 "$RING/units.csv" > /dev/null || die "hits for the report"
    mkdir -p "$RING/reports"
    echo "  units: $RING/units.csv" >> "$RING/sinkhole.yaml"
    start=$(date +%s.%N)
    ctl report unit --all --output "$RING/reports" > "$RING/report.log" 2>&1 || die "report: $(tail -n 3 "$RING/report.log")"
    [ "$(ls "$RING/reports" | grep -c html)" -eq 500 ] || die "500 reports wanted: $(tail -n 3 "$RING/report.log")"
    row "report over 1,000,000 hits, 500 units" "$(since "$start")" s "" - 10 "<="
    stop TERM "$REDIS_PID"
}

ring_begin
ring_nsd
say "lists of $BIG and $PEER names ..."
lists_make
printf '%-58s %12s %-10s %-28s %8s %10s  %s\n' metric value unit "compared with" ratio target met
peers_conf
for p in instructions cpu memory publish hits parse report; do
    part "$p" || continue
    [ "$p" != instructions ] && [ "$p" != cpu ] || list_for_peers
    "part_$p"
done
json_write
echo "written: $OUT"
