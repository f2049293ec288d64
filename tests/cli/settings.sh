#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# sinkholectl: exit codes, help, settings, completion; needs no server.
set -euo pipefail
ctl=$PWD/sinkholectl
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
unset SINKHOLE_CONFIG
failures=0

# expect WHY CODE TEXT COMMAND...: exit code, and TEXT in what it prints
expect() {
    local why=$1 code=$2 text=$3 got=0 out
    shift 3
    out=$("$@" 2>&1) || got=$?
    if [[ $got -ne $code || $out != *"$text"* ]]; then
        echo "FAIL: $why: exit $got (expected $code), expected \"$text\" in:"
        echo "$out"
        failures=$((failures + 1))
    fi
}

printf 'redis:\n  port: 70000\n' >"$dir/bad.yaml"
printf 'redis:\n  port: 7\n' >"$dir/good.yaml"
expect "no command" 2 "commands:" "$ctl"
expect "help" 0 "commands:" "$ctl" --help
expect "help of a command" 0 "usage: sinkholectl settings check" "$ctl" help settings check
expect "help of a subcommand" 0 "usage: sinkholectl settings check" "$ctl" settings check --help
expect "version" 0 "sinkholectl " "$ctl" --version
expect "misspelt command" 2 'did you mean "settings"?' "$ctl" setings
expect "misspelt subcommand" 2 'did you mean "check"?' "$ctl" settings chek
expect "unknown option" 2 "no option --what" "$ctl" settings check --what
expect "a word too many" 2 "one word too many" "$ctl" settings show x
expect "--config without a file" 2 "missing after it" "$ctl" settings show --config
expect "wrong file" 2 "$dir/bad.yaml:2: redis.port: found \"70000\"" "$ctl" settings check "$dir/bad.yaml"
expect "wrong file by --config" 2 "bad.yaml:2: redis.port" "$ctl" --config "$dir/bad.yaml" settings check
expect "wrong file, JSON" 2 '"right":false' "$ctl" settings check "$dir/bad.yaml" --json
expect "right file" 0 "right" "$ctl" settings check "$dir/good.yaml"
expect "value in force" 0 "port: 7" "$ctl" settings show --config="$dir/good.yaml"
expect "value in force by environment" 0 "port: 7" env SINKHOLE_CONFIG="$dir/good.yaml" "$ctl" settings show
"$ctl" settings sample >"$dir/sample.yaml"
expect "the sample is right" 0 "right" "$ctl" settings check "$dir/sample.yaml"
"$ctl" --config "$dir/good.yaml" settings show >"$dir/shown.yaml"
expect "what is shown can be read again" 0 "right" "$ctl" settings check "$dir/shown.yaml"
expect "manual" 0 ".It Cm socket" "$ctl" settings manual
expect "output into a full device" 1 "" bash -c "'$ctl' settings sample >/dev/full"

expect "the sample units file" 0 $'so-gddt                   2 prefixes  Sở Giáo dục và Đào tạo\nkhach' \
    "$ctl" --config "$dir/good.yaml" report units --units "${srcdir:-.}/doc/units.csv.sample"

# The Tab key, as bash does it.
complete_words() {
    # shellcheck disable=SC2016
    PATH=$(dirname "$ctl"):$PATH bash -c 'source <(sinkholectl completion bash)
        COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
        _sinkholectl
        echo "${COMPREPLY[@]}"' bash sinkholectl "$@"
}
expect "completes commands" 0 "settings " complete_words ""
expect "completes subcommands" 0 "sample check show manual" complete_words settings ""
expect "completes a beginning" 0 "check" complete_words settings ch
expect "no colours into a pipe" 1 "" bash -c "'$ctl' --help | grep -q $'\\033'"

[[ $failures -eq 0 ]]
