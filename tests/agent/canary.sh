#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# The canary through the real Unbound: found sinkholed; noticed within a minute when Unbound comes back
# without the module, or not at all; and never a hit in Redis. Skipped without --with-unbound-source.
set -u
BUILD=${BUILD:-$PWD}
UNBOUND=${UNBOUND:-$(sed -n 's/^UNBOUND_SOURCE = //p' "$BUILD/Makefile")}
[ -n "$UNBOUND" ] && [ -x "$UNBOUND/unbound" ] || { echo "skipped: no Unbound tree was given to configure"; exit 77; }
for tool in redis-server redis-cli; do
    command -v $tool >/dev/null || { echo "skipped: $tool is not installed"; exit 77; }
done

home=$(mktemp -d "${TMPDIR:-/tmp}/canary.XXXXXX")
declare -A pids=()
finish() {
    local status=$?
    trap - EXIT
    [ ${#pids[@]} -eq 0 ] || { kill "${pids[@]}"; wait; } 2>/dev/null
    [ $status -eq 0 ] || tail -n 20 "$home"/*.log
    rm -rf "$home"
    exit $status
}
trap finish EXIT
trap 'exit 1' INT TERM
die() { echo "FAILED: $*"; exit 1; }
start() { # NAME COMMAND...
    local name=$1; shift
    "$@" >> "$home/$name.log" 2>&1 &
    pids[$name]=$!
}
stop() { kill "${pids[$1]}"; wait "${pids[$1]}"; unset "pids[$1]"; } 2>/dev/null
wait_for() { # SECONDS WHAT COMMAND...
    local end=$((SECONDS + $1)) what=$2; shift 2
    until "$@" >/dev/null 2>&1; do
        [ $SECONDS -lt $end ] || die "$what"
        sleep 0.05
    done
}
redis() { redis-cli -s "$home/redis.sock" "$@"; }
canary_is() { grep -q "\"canary\": \"$1\"" "$home/d/agent/status.json"; }
condition() { grep -q '"code": "canary-failed"' "$home/d/agent/status.json"; }
no_condition() { ! condition; }

# A free port of loopback, taken and let go.
port_is_free() { ! grep -qi ":$(printf '%04X' "$1") " /proc/net/udp /proc/net/udp6 /proc/net/tcp /proc/net/tcp6; }
port=0
until [ $port -gt 0 ] && port_is_free $port; do port=$((12000 + RANDOM % 20000)); done

unbound_start() { # MODULES
    cat > "$home/unbound.conf" <<END
server:
  directory: "$home"
  chroot: ""
  username: ""
  pidfile: ""
  logfile: ""
  use-syslog: no
  do-daemonize: no
  interface: 127.0.0.1@$port
  num-threads: 2
  module-config: "$1"
  local-zone: "example." typetransparent
dynlib:
  dynlib-file: $BUILD/.libs/sinkhole.so
forward-zone:
  name: "."
  forward-addr: 127.0.0.1@1
END
    start unbound env SINKHOLE_DIR="$home/d" "$UNBOUND/unbound" -d -c "$home/unbound.conf"
}

cat > "$home/sinkhole.yaml" <<END
redis:
  socket: $home/redis.sock
resolver:
  name: canary
  directory: $home/d
  port: $port
  canary_every_s: 1
END
start redis redis-server --port 0 --unixsocket "$home/redis.sock" --save "" --dir "$home"
start agent "$BUILD/sinkhole-agent" --config "$home/sinkhole.yaml"
wait_for 20 "no index" test -f "$home/d/index/head"

unbound_start "dynlib iterator"
wait_for 20 "the canary is not sinkholed by the module" canary_is ok
wait_for 20 "an alarm that was raised before Unbound ran stays" no_condition

stop unbound
unbound_start iterator
began=$SECONDS
wait_for 60 "nobody noticed that the module is gone" condition
canary_is ok && die "the canary sings without the module"
echo "module gone: noticed after $((SECONDS - began)) s"

stop unbound
unbound_start "dynlib iterator"
wait_for 20 "the alarm is not cleared" no_condition

stop unbound
began=$SECONDS
wait_for 60 "nobody noticed that Unbound is gone" condition
canary_is no-answer || die "Unbound is gone, and the canary says something else"
echo "Unbound gone: noticed after $((SECONDS - began)) s"

unbound_start "dynlib iterator"
wait_for 20 "the alarm is not cleared" no_condition
wait_for 20 "alarms in Redis: $(redis xlen sinkhole:alarms)" \
    bash -c "[ \$(redis-cli -s $home/redis.sock --raw xrange sinkhole:alarms - + | grep -c '^canary-failed') -ge 4 ]"
[ "$(redis --raw keys 'sinkhole:hits:*' | grep -c .)" = 0 ] || die "the canary's look-ups are hits in Redis"
echo "the canary tells"
