#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# The manual pages: no warning, every command, option, exit code and setting in them.
set -euo pipefail
src=${srcdir:-.}
ctl=$PWD/sinkholectl
page=doc/sinkholectl.8
settings=doc/sinkhole.yaml.5
command -v mandoc >/dev/null || { echo "mandoc is not installed"; exit 77; }
failures=0
fail() {
    echo "FAIL: $*"
    failures=$((failures + 1))
}

out=$(mandoc -Tlint -Wwarning "$page" "$settings" 2>&1) || true
[[ -z $out ]] || fail "mandoc: $out"
if grep -n '@[A-Za-z]*@' "$page" "$settings"; then fail "a mark was not filled"; fi
text=$(mandoc -Tutf8 -Owidth=500 "$page" | sed 's/.\x08//g')

# words TABLE...: the commands of a table's help
words() {
    "$ctl" "$@" --help | sed -n '/^commands:$/,/^$/s/^  \([a-z][a-z-]*\)  .*/\1/p'
}
count=0
for command in $(words); do
    subcommands=$(words "$command")
    for sub in ${subcommands:-$command}; do
        name=$command
        [[ $sub == "$command" ]] || name="$command $sub"
        count=$((count + 1))
        [[ $text == *"   $name"* ]] || fail "\"$name\" has no part in the page"
        # shellcheck disable=SC2086
        for option in $("$ctl" $name --help | sed -n '/^options:$/,/^examples:$/s/^  --\([a-z-]*\).*/\1/p'); do
            [[ $text == *"--$option"* ]] || fail "\"$name --$option\" is not in the page"
        done
    done
done
[[ $count -ge 15 ]] || fail "only $count commands found"
for code in $(sed -n 's/^    CLI_[A-Z]* = \([0-9]\),.*/\1/p' "$src/cli/cli.h"); do
    grep -q "^\.It $code\$" "$page" || fail "exit code $code is not in the page"
done
count=0
for key in $("$ctl" settings sample | sed -n 's/^  #\([a-z0-9_]*\): .*/\1/p'); do
    count=$((count + 1))
    grep -q "^\.It Cm $key\$" "$settings" || fail "setting $key is not in sinkhole.yaml.5"
done
[[ $count -ge 30 ]] || fail "only $count settings found"
# A page that lost a command must not pass.
[[ $text != *"no-such-command"* ]] || fail "the test cannot fail"
bash -n doc/bash-completion/sinkholectl || fail "the completion script"
[[ $failures -eq 0 ]]
