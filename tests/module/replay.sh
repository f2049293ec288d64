#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Replays under Unbound's own tester, with simulated time and network; each also with a wrong
# expectation, which has to fail.
. "$(dirname "$0")/world.sh"
[ -n "$UNBOUND" ] && [ -x "$UNBOUND/testbound" ] || skip "no testbound in the Unbound tree given to configure"
# It ends its first thread alone, and waits for the others: ThreadSanitizer's own never ends.
! ldd "$UNBOUND/testbound" | grep -q libtsan || skip "testbound does not end under ThreadSanitizer"
WORLD=$(mktemp -d "${TMPDIR:-/tmp}/replay.XXXXXX")
trap 'rm -rf "$WORLD"' EXIT
export SINKHOLE_DIR=$WORLD/sinkhole
here=$(cd "$(dirname "$0")" && pwd)
mkdir "$SINKHOLE_DIR"
rules_default
echo 'rule 13 allow scope=subtree action=allow until=5000' >> "$WORLD/rules"
printf '%s\n' "evil.example.com 1" "gone.example.com 2" "excepted.example.com 1,13" | index 1

# replay FILE ORDER [SED SCRIPT]
replay() {
    sed -e "s|@MODULE@|$MODULE|; s|@ORDER@|$2|" -e "${3:-}" "$here/$1" > "$WORLD/$1"
    (cd "$WORLD" && "$UNBOUND/testbound" -p "$1" > "$1.log" 2>&1)
}
holds() {
    replay "$@" && return 0
    grep -v 'info: \|debug: ' "$WORLD/$1.log" | tail -n 25
    return 1
}
fails() { ! replay "$@"; }
check "ttl" holds ttl.rpl -
check "ttl: a wrong TTL is noticed" fails ttl.rpl - 's/ 7 IN A 192/ 8 IN A 192/'
check "ttl: a wrong address is noticed" fails ttl.rpl - 's/192\.0\.2\.53/192.0.2.52/'
for order in "dynlib iterator" "dynlib validator iterator" "dynlib respip validator iterator"; do
    check "expired, $order" holds expired.rpl "$order"
done
check "expired: served twice is noticed" fails expired.rpl "dynlib iterator" \
    '/^STEP 21/,/^STEP 22/s/ 7 IN A 192.0.2.53/ 30 IN A 5.6.7.8/'
check "counted as a prefetch" test "$(counter prefetched)" -ge 3
[ "$FAILED" -eq 0 ] || exit 1
say "all $CHECKS checks hold"
