# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash
# A ring of real servers in a folder of its own: Redis on a Unix socket, NSD as the world (every
# name resolves to 203.0.113.80), Unbound with the module, sinkhole-agent. Source it; ring_begin first.
# Everything is started and stopped by its own process id; everything listens on loopback.
#
# BUILD is the product's build folder (the current one unless said), UNBOUND the configured Unbound tree (the one that
# BUILD was configured with). SINKHOLE_LONG=1: more rounds, longer loads.

set -u
BUILD=${BUILD:-$PWD}
UNBOUND=${UNBOUND:-$(sed -n 's/^UNBOUND_SOURCE = *//p' "$BUILD/Makefile")}
[ -n "$UNBOUND" ] || { echo "skipped: built without --with-unbound-source"; exit 77; }
RING_PIDS=() RING_MOUNT=

say() { printf '%s %s\n' "$(date +%T)" "$*"; }
die() { say "FAILED: $*"; exit 1; }

# wait_for SECONDS COMMAND...: until the command succeeds; false when the time is over.
wait_for() {
    local end=$((SECONDS + $1)); shift
    until "$@" >/dev/null 2>&1; do
        [ "$SECONDS" -lt "$end" ] || return 1
        sleep 0.02
    done
}

port_is_free() { ! grep -qi ":$(printf '%04X' "$1") " /proc/net/udp /proc/net/tcp /proc/net/udp6 /proc/net/tcp6; }
free_port() {
    local port
    while port=$((20000 + RANDOM % 12000)); do
        port_is_free "$port" && { echo "$port"; return; }
    done
}

ring_begin() {
    RING=$(mktemp -d "${TMPDIR:-/tmp}/ring.XXXXXX")
    mkdir -p "$RING/redis" "$RING/nsd" "$RING/unbound" "$RING/sinkhole"
    export SINKHOLE_DIR=$RING/sinkhole SINKHOLE_CONFIG=$RING/sinkhole.yaml
    PORT=$(free_port) NSD_PORT=$(free_port)
    trap ring_end EXIT
    trap 'exit 1' INT TERM
    cat > "$RING/sinkhole.yaml" <<CONF
redis:
  socket: $RING/redis/redis.sock
resolver:
  name: ring
  directory: $RING/sinkhole
  address: 127.0.0.1
  port: $PORT
  canary: canary.sinkhole-check.net
  canary_every_s: 2
answer:
  ipv4: 192.0.2.53
  ipv6: "2001:db8::53"
guard:
  protected: [gov.vn, chinhphu.vn]
report:
  organisation: Bộ Thử nghiệm
CONF
}

ring_end() {
    local status=$? pid
    trap - EXIT
    for pid in "${RING_PIDS[@]}"; do kill -CONT "$pid" 2>/dev/null; kill "$pid" 2>/dev/null; done
    for pid in "${RING_PIDS[@]}"; do
        wait_for 10 bash -c "! kill -0 $pid" || kill -9 "$pid" 2>/dev/null
    done
    [ -z "$RING_MOUNT" ] || umount -l "$RING_MOUNT"
    if [ "$status" -ne 0 ]; then
        tail -n 8 "$RING"/*.log "$RING"/*/*.log 2>/dev/null
        [ -z "${RING_KEEP:-}" ] || { say "kept: $RING"; exit "$status"; }
    fi
    rm -rf "$RING"
    exit "$status"
}

# run NAME COMMAND...: in the background, output to NAME.log; sets PID.
run() {
    local name=$1; shift
    "$@" >> "$RING/$name.log" 2>&1 &
    PID=$!
    RING_PIDS+=("$PID")
}
forget() { # PID: it was stopped by the test itself
    local pid keep=()
    for pid in "${RING_PIDS[@]}"; do [ "$pid" = "$1" ] || keep+=("$pid"); done
    RING_PIDS=("${keep[@]}")
}
# stop SIGNAL PID: and wait until it is gone.
stop() {
    kill "-$1" "$2" 2>/dev/null
    wait "$2" 2>/dev/null
    forget "$2"
}

redis() { redis-cli -s "$RING/redis/redis.sock" "$@"; }
ring_redis() { # extra arguments for redis-server
    run redis redis-server --port 0 --unixsocket "$RING/redis/redis.sock" --dir "$RING/redis" \
        --appendonly yes --appendfsync everysec --save "" --maxmemory-policy noeviction "$@"
    REDIS_PID=$PID
    wait_for 20 bash -c "redis-cli -s $RING/redis/redis.sock ping | grep -q PONG" || die "Redis does not start"
}

# ring_nsd [FILE]: FILE holds more records of the root zone.
ring_nsd() {
    {
        echo '$ORIGIN .'
        echo '$TTL 300'
        echo '. SOA ns.world. hostmaster.world. 1 3600 600 86400 60'
        echo '. NS ns.world.'
        echo 'ns.world. A 127.0.0.1'
        echo '*. A 203.0.113.80'
        echo '*. AAAA 2001:db8:80::80'
        echo '*. TXT "the world"'
        [ -z "${1:-}" ] || cat "$1"
    } > "$RING/nsd/root.zone"
    cat > "$RING/nsd/nsd.conf" <<CONF
server:
  ip-address: 127.0.0.1@$NSD_PORT
  username: ""
  zonesdir: "$RING/nsd"
  database: ""
  pidfile: "$RING/nsd/nsd.pid"
  xfrdfile: "$RING/nsd/xfrd.state"
  zonelistfile: "$RING/nsd/zone.list"
  server-count: 1
  rrl-ratelimit: 0
remote-control:
  control-enable: no
zone:
  name: "."
  zonefile: "root.zone"
CONF
    run nsd nsd -d -c "$RING/nsd/nsd.conf"
    wait_for 20 bash -c "dig +short +time=1 +tries=1 -p $NSD_PORT @127.0.0.1 any.thing | grep -q 203.0.113.80" ||
        die "NSD does not answer"
}

# ring_unbound_conf THREADS [MORE]: MORE are lines for the server: clause. MODULES, RING_MODULE override.
ring_unbound_conf() {
    cat > "$RING/unbound/unbound.conf" <<CONF
server:
  username: ""
  chroot: ""
  directory: "$RING/unbound"
  pidfile: ""
  use-syslog: no
  logfile: ""
  interface: 127.0.0.1@$PORT
  interface: ::1@$PORT
  num-threads: ${1:-2}
  so-reuseport: yes
  so-rcvbuf: 4m
  access-control: 127.0.0.0/8 allow
  access-control: ::1 allow
  do-not-query-localhost: no
  module-config: "${MODULES:-dynlib iterator}"
  msg-cache-size: 256m
  rrset-cache-size: 256m
${2:-}
dynlib:
  dynlib-file: "${RING_MODULE:-$BUILD/.libs/sinkhole.so}"
remote-control:
  control-enable: yes
  control-use-cert: no
  control-interface: "$RING/unbound/control.sock"
stub-zone:
  name: "."
  stub-addr: 127.0.0.1@$NSD_PORT
  stub-prime: no
CONF
}
control() { "$UNBOUND/unbound-control" -c "$RING/unbound/unbound.conf" "$@"; }
ring_unbound() {
    run unbound "$UNBOUND/unbound" -d -c "$RING/unbound/unbound.conf"
    UNBOUND_PID=$PID
    wait_for "${1:-30}" resolves probe.anywhere.net || die "Unbound does not answer"
}

ring_agent() {
    run agent "$BUILD/sinkhole-agent" --config "$RING/sinkhole.yaml"
    AGENT_PID=$PID
}
ctl() { "$BUILD/sinkholectl" --config "$RING/sinkhole.yaml" "$@"; }

# ask NAME [dig words]: the answer section's data, one a line.
ask() { local name=$1; shift; dig +short +time=2 +tries=1 -p "$PORT" @127.0.0.1 "$name" "$@"; }
resolves() { ask "$@" | grep -q '^203\.0\.113\.80$'; }
sinkholed() { ask "$@" | grep -q '^192\.0\.2\.53$'; }
# One whole ring, nothing listed yet.
ring_start() {
    ring_redis
    ring_nsd
    ring_unbound_conf "${1:-2}"
    ring_unbound
    ring_agent
    wait_for 20 test -f "$SINKHOLE_DIR/index/head" || die "the agent built no index"
}
# Hits of all lanes in Redis.
hits_total() { ctl --json hits | sed -n 's/.*"count": *\([0-9]*\).*/\1/p' | awk '{n += $1} END {print n + 0}'; }
# publish_file FEED FILE: every name of a plain list, in force when it returns on every resolver of the ring.
publish_file() {
    ctl feed list --json 2>/dev/null | grep -q "\"$1\"" || ctl feed add "$1" >> "$RING/ctl.log" 2>&1 || die "feed add $1"
    ctl feed import "$1" "$2" --format plain --publish >> "$RING/ctl.log" 2>&1 || die "feed import $1: $(tail -n 3 "$RING/ctl.log")"
}
# field NAME: a number out of one line of JSON on standard input.
field() { sed -n "s/.*\"$1\": *\"\?\([-0-9.]*\).*/\1/p"; }
# True when the agent said so after $1 (Unix ms).
journal_empty() {
    local status
    status=$(ctl --json status)
    [ "$(field updated_ms <<< "$status")" -gt "$1" ] && [ "$(field backlog <<< "$status")" = 0 ]
}
# drained SECONDS: waits until every hit up to now is in Redis.
drained() { wait_for "$1" journal_empty "$(($(date +%s%3N) + 1000))"; }
