#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# mkindex and askindex, which other tests stand on: what goes in is what decides.
set -eu
tools=$PWD/tests/lib
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
mkdir "$dir/dir"

cat > "$dir/rules" <<'END'
# feeds before their rules
policy malware action=address rank=100 ttl=10 ede=15 v4=127.0.0.9 v6=::9 text=Blocked by the ministry
policy watch   action=monitor rank=50
policy allow   kind=allow action=allow
rule 3 allow
rule 1 malware
rule 2 watch scope=exact
END
printf 'vn evil 1,2\nbad.example 1\nOK.bad.example\t3\ngone.example 1\n' |
    "$tools/mkindex" -g 5 "$dir/rules" "$dir/dir"
printf 'gone.example -\nnew.example 2\n' > "$dir/delta"
"$tools/mkindex" -k -b 5 -g 6 -d "$dir/delta" "$dir/rules" "$dir/dir"

printf '%s\n' evil.vn www.bad.example a.ok.bad.example gone.example new.example a.new.example |
    "$tools/askindex" "$dir/dir" > "$dir/said"
diff -u - "$dir/said" <<'END'
evil.vn: rule 1 of malware, action 3, by evil.vn
www.bad.example: rule 1 of malware, action 3, by bad.example
a.ok.bad.example: rule 3 of allow, action 7, by ok.bad.example
gone.example: not listed
new.example: rule 2 of watch, action 1, by new.example
a.new.example: not listed
END

# What cannot be meant is refused, and nothing is written.
for line in 'com 1' 'a..b 1' 'bad.example' 'bad.example 0' 'bad.example x'; do
    if echo "$line" | "$tools/mkindex" -g 7 "$dir/rules" "$dir/dir" 2> "$dir/why"; then
        echo "taken: $line"
        exit 1
    fi
    [ -s "$dir/why" ] && [ ! -e "$dir/dir/index/base-7" ]
done
