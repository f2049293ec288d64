#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# The figure: appending a typical hit takes at most 500 instructions and no system call.
set -eu
here=$(dirname "$0")
program=${APPEND_COST:-./tests/journal/append_cost}
command -v valgrind >/dev/null || { echo "no valgrind: skipped"; exit 77; }
if grep -q 'define SINKHOLE_SANITIZED 1' config.h 2>/dev/null; then
    echo "a sanitizer's instructions say nothing: skipped"; exit 77
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
run=$program
[ ! -x "$(dirname "$program")/.libs/$(basename "$program")" ] ||
    run=$(dirname "$program")/.libs/$(basename "$program")
failed=0
for kind in distinct repeat seconds; do
    TMPDIR=$work valgrind --tool=callgrind --callgrind-out-file="$work/out" \
        --toggle-collect=sinkhole_lane_append "$run" "$kind" 10000 >"$work/log" 2>&1 ||
        { cat "$work/log"; exit 1; }
    total=$(sed -n 's/^summary: //p; s/^totals: //p' "$work/out" | head -1)
    [ "${total:-0}" -gt 0 ] || { echo "callgrind counted nothing"; exit 1; }
    each=$((total / 10000))
    echo "append, $kind: $each instructions"
    [ "$each" -le 500 ] || failed=1
done
if command -v strace >/dev/null; then
    for count in 1 20000; do
        TMPDIR=$work strace -f -o "$work/calls" "$run" distinct $count
        wc -l <"$work/calls" >"$work/$count"
    done
    echo "system calls: $(cat "$work/1") for 1 hit, $(cat "$work/20000") for 20000"
    # The start's own calls differ by one or two from run to run; a call a hit would be 19,999 more.
    [ "$(cat "$work/20000")" -lt "$(($(cat "$work/1") + 20))" ] || failed=1
fi
exit $failed
