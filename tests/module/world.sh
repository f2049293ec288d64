# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash
# A small world for the module's tests: NSD as the whole Internet (a root zone with wildcards, signed),
# Unbound with the module, an index made from text. Source it. Everything listens on loopback, lives in one
# folder and is stopped by its own process id.
#
# From the environment, if need be: BUILD (the product's build folder, else the current one), UNBOUND (the
# configured Unbound tree, else the one given to configure), MODULE (the module's file).
set -u
BUILD=${BUILD:-$PWD}
UNBOUND=${UNBOUND:-$(sed -n 's/^UNBOUND_SOURCE = //p' "$BUILD/Makefile")}
MODULE=${MODULE:-$BUILD/.libs/sinkhole.so}
PIDS=()
FAILED=0
CHECKS=0

say() { printf '%s %s\n' "$(date +%T)" "$*"; }
die() { say "FAILED: $*"; exit 1; }
# check WHY COMMAND...: counts, goes on after a failure.
check() {
    local why=$1; shift
    CHECKS=$((CHECKS + 1))
    if "$@"; then return 0; fi
    FAILED=$((FAILED + 1))
    say "NOT SO: $why ($*)"
    [ -z "${LAST:-}" ] || printf '%s\n' "$LAST" | sed 's/^/    | /'
    return 1
}
skip() { say "skipped: $*"; exit 77; }
wait_for() { # SECONDS COMMAND...
    local end=$((SECONDS + $1)); shift
    until "$@" >/dev/null 2>&1; do
        [ "$SECONDS" -lt "$end" ] || return 1
        sleep 0.02
    done
}
port_is_free() { ! grep -qi ":$(printf '%04X' "$1") " /proc/net/udp /proc/net/tcp /proc/net/udp6 /proc/net/tcp6; }
free_port() {
    local port
    while port=$((12000 + RANDOM % 20000)); do
        port_is_free "$port" && { echo "$port"; return; }
    done
}

world_begin() {
    [ -n "$UNBOUND" ] && [ -x "$UNBOUND/unbound" ] || skip "no Unbound tree was given to configure"
    for tool in nsd kdig dig dnsperf pgrep openssl; do command -v $tool >/dev/null || skip "$tool is not installed"; done
    WORLD=$(mktemp -d "${TMPDIR:-/tmp}/world.XXXXXX")
    mkdir -p "$WORLD/nsd" "$WORLD/unbound" "$WORLD/sinkhole"
    export SINKHOLE_DIR=$WORLD/sinkhole
    PORT=$(free_port) NSD_PORT=$(free_port) TLS_PORT=$(free_port) HTTPS_PORT=$(free_port)
    trap world_end EXIT
    trap 'exit 1' INT TERM
    rules_default
}
world_end() {
    local status=$? pid
    trap - EXIT
    for pid in "${PIDS[@]}"; do
        # shellcheck disable=SC2046
        kill -CONT "$pid" $(descendants "$pid") 2>/dev/null
        kill "$pid" 2>/dev/null
    done
    for pid in "${PIDS[@]}"; do
        wait_for 20 bash -c "! kill -0 $pid" || kill -9 "$pid" 2>/dev/null
    done
    [ "$FAILED" -eq 0 ] || status=1
    if [ "$status" -ne 0 ]; then
        tail -n 30 "$WORLD"/*.log 2>/dev/null
        [ -z "${WORLD_KEEP:-}" ] || { say "kept: $WORLD"; exit "$status"; }
    else
        say "all $CHECKS checks hold"
    fi
    rm -rf "$WORLD"
    exit "$status"
}
run() { # NAME COMMAND...: in the background, output to NAME.log; sets PID
    local name=$1; shift
    "$@" >> "$WORLD/$name.log" 2>&1 &
    PID=$!
    PIDS+=("$PID")
}
stop() { # SIGNAL PID: and wait until it is gone; its status is returned
    local pid keep=() status
    kill "-$1" "$2" 2>/dev/null
    wait "$2" 2>/dev/null; status=$?
    for pid in "${PIDS[@]}"; do [ "$pid" = "$2" ] || keep+=("$pid"); done
    PIDS=("${keep[@]}")
    return $status
}

# --- the Internet ------------------------------------------------------------------------------------
# nsd_start [signed]: every name has 203.0.113.80 and 2001:db8:80::80; aliases as listed.
nsd_start() {
    local zone=$WORLD/nsd/root.zone
    cat > "$zone" <<ZONE
\$ORIGIN .
\$TTL ${WORLD_TTL:-3600}
. SOA ns.world. hostmaster.world. 1 3600 600 86400 60
. NS ns.world.
ns.world. A 127.0.0.1
*. A 203.0.113.80
*. AAAA 2001:db8:80::80
*. TXT "the world"
*. MX 10 mail.world.
*.net. A 203.0.113.80
*.net. AAAA 2001:db8:80::80
*.good.net. A 203.0.113.80
*.good.net. AAAA 2001:db8:80::80
alias1.good.net. CNAME c2.evil.com.
alias2.good.net. CNAME alias1.good.net.
aliasm.good.net. CNAME seen.watch.com.
chain.good.net. CNAME target.other.org.
dn.good.net. DNAME evil.com.
empty.good.net. TXT "no address here"
$(cat "$WORLD/more.zone" 2>/dev/null)
ZONE
    if [ "${1:-}" = signed ]; then
        command -v ldns-signzone >/dev/null || skip "ldns-signzone is not installed"
        (cd "$WORLD/nsd" &&
            key=$(ldns-keygen -a ECDSAP256SHA256 -k .) && cat "$key.key" > anchor &&
            ldns-signzone -f root.signed root.zone "$key" && mv root.signed root.zone) || die "signing"
    fi
    cat > "$WORLD/nsd/nsd.conf" <<CONF
server:
  ip-address: 127.0.0.1@$NSD_PORT
  username: ""
  zonesdir: "$WORLD/nsd"
  database: ""
  pidfile: "$WORLD/nsd/nsd.pid"
  xfrdfile: "$WORLD/nsd/xfrd.state"
  zonelistfile: "$WORLD/nsd/zone.list"
  server-count: 1
  rrl-ratelimit: 0
remote-control:
  control-enable: no
zone:
  name: "."
  zonefile: "root.zone"
CONF
    run nsd nsd -d -c "$WORLD/nsd/nsd.conf"
    NSD_PID=$PID
    wait_for 20 bash -c "dig +short +time=1 +tries=1 -p $NSD_PORT @127.0.0.1 any.thing | grep -q 203.0.113.80" ||
        die "NSD does not answer"
}

descendants() { local pid; for pid in $(pgrep -P "$1"); do echo "$pid"; descendants "$pid"; done; }
# The world stands still, and goes on.
world_stop() { kill -STOP "$NSD_PID" $(descendants "$NSD_PID"); }
world_go() { kill -CONT "$NSD_PID" $(descendants "$NSD_PID"); }

# --- the index ---------------------------------------------------------------------------------------
# Rules by number: 1 address subtree, 2 nxdomain subtree, 3 nodata subtree, 4 nxdomain exact,
# 5 address below, 6 monitor subtree, 7 drop subtree, 8 exception, 9 without addresses, 10 EDE 0,
# 11 address exact, 12 expired.
rules_default() {
    cat > "$WORLD/rules" <<'RULES'
policy authority kind=authority action=address ttl=7 rank=200 ede=16 v4=192.0.2.53 v6=2001:db8::53 text=Danh sách của cơ quan chức năng
policy closed action=nxdomain ttl=11 ede=15 text=blocked by policy
policy quiet action=address ttl=5 ede=0 v4=192.0.2.54 v6=2001:db8::54
policy bare action=address ttl=5 ede=17
policy allow kind=allow action=allow
rule 1 authority scope=subtree
rule 2 closed scope=subtree
rule 3 closed scope=subtree action=nodata
rule 4 closed scope=exact
rule 5 authority scope=below
rule 6 authority scope=subtree action=monitor
rule 7 authority scope=subtree action=drop
rule 8 allow scope=subtree action=allow
rule 9 bare scope=subtree
rule 10 quiet scope=subtree
rule 11 authority scope=exact
rule 12 authority scope=subtree until=1000
RULES
}
# index GENERATION < NAMES: a new base.   index_delta GENERATION BASE < NAMES: a head over that base.
# mkindex leaves its memory to the end of the process.
mkindex() { ASAN_OPTIONS=${ASAN_OPTIONS:+$ASAN_OPTIONS:}detect_leaks=0 "$BUILD/tests/lib/mkindex" "$@"; }
index() { mkindex -g "$1" "$WORLD/rules" "$SINKHOLE_DIR" || die "mkindex $1"; }
index_delta() {
    cat > "$WORLD/delta"
    mkindex -g "$1" -b "$2" -k -d "$WORLD/delta" "$WORLD/rules" "$SINKHOLE_DIR" </dev/null ||
        die "mkindex $1 over $2"
}
counter() { "$BUILD/tests/module/hits" --counters "$SINKHOLE_DIR" | awk -v n="$1" '$1 == "counter" && $2 == n {print $3}'; }
hits() { "$BUILD/tests/module/hits" "$SINKHOLE_DIR" | grep '^hit'; }
in_force() { [ "$(counter generation)" = "$1" ]; }
wait_generation() { wait_for "${2:-10}" in_force "$1" || die "generation $1 does not come into force"; }
walks_over() { [ "$(counter cache_walks)" -ge "$1" ]; }

# --- Unbound -----------------------------------------------------------------------------------------
# unbound_conf [MORE]: more lines for server:. THREADS, MODULES are taken from the environment.
unbound_conf() {
    local modules=${MODULES:-dynlib iterator} dynlib=''
    case $modules in *dynlib*) dynlib="dynlib:
  dynlib-file: \"$MODULE\"" ;; esac
    cat > "$WORLD/unbound/unbound.conf" <<CONF
server:
  username: ""
  chroot: ""
  directory: "$WORLD/unbound"
  pidfile: ""
  use-syslog: no
  logfile: ""
  verbosity: 1
  interface: 127.0.0.1@$PORT
  interface: ::1@$PORT
  num-threads: ${THREADS:-2}
  so-reuseport: yes
  access-control: 127.0.0.0/8 allow
  access-control: ::1 allow
  do-not-query-localhost: no
  module-config: "$modules"
${1:-}
$dynlib
remote-control:
  control-enable: yes
  control-use-cert: no
  control-interface: "$WORLD/unbound/control.sock"
stub-zone:
  name: "."
  stub-addr: 127.0.0.1@$NSD_PORT
  stub-prime: no
CONF
}
control() { "$UNBOUND/unbound-control" -c "$WORLD/unbound/unbound.conf" "$@"; }
unbound_start() {
    # shellcheck disable=SC2086
    run unbound ${UNDER:-} "$UNBOUND/unbound" -d -c "$WORLD/unbound/unbound.conf"
    UNBOUND_PID=$PID
    wait_for "${1:-30}" answers probe.anywhere.net || die "Unbound does not answer"
}

# --- asking ------------------------------------------------------------------------------------------
# ask NAME [TYPE and dig words]: the whole answer in LAST.
ask() { LAST=$(dig +noall +comments +answer +authority +additional +time=3 +tries=1 -p "$PORT" @127.0.0.1 "$@" 2>&1); }
short() { dig +short +time=3 +tries=1 -p "$PORT" @127.0.0.1 "$@"; }
says() { grep -q -- "$1" <<< "$LAST"; }
says_not() { ! grep -q -- "$1" <<< "$LAST"; }
answers() { short "$@" | grep -q '^203\.0\.113\.80$'; }
sinkholed() { short "$@" | grep -q '^192\.0\.2\.53$'; }
reconciled() { # outcomes = hits kept and lost
    local s
    s=$("$BUILD/tests/module/hits" --counters "$SINKHOLE_DIR" | awk '
        $2 ~ /^(sinkholed|dropped|monitored|stale)$/ {out += $3}
        $2 ~ /^(recorded|lost)$/ {kept += $3} END {print out - kept}')
    [ "$s" = 0 ]
}
