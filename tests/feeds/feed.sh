#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# sinkholectl feed against a redis-server of its own: import, diff, publish, rollback, remove; what the
# guards refuse; publishers that are killed; two publishers at once. With SINKHOLE_DATA=FOLDER also the
# real lists that lie there.
set -euo pipefail
command -v redis-server >/dev/null || { echo "redis-server is missing: skipped"; exit 77; }
ctl=$PWD/sinkholectl
src=$(cd "${srcdir:-.}" && pwd)
dir=$(mktemp -d)
redis-server --port 0 --unixsocket "$dir/redis" --dir "$dir" --save '' --appendonly no \
    --logfile "$dir/redis.log" &
redis=$!
trap 'kill "$redis" 2>/dev/null || :; wait "$redis" 2>/dev/null || :; rm -rf "$dir"' EXIT
for ((i = 0; i < 200; i++)); do
    redis-cli -s "$dir/redis" ping 2>/dev/null | grep -q PONG && break
    sleep 0.05
done
printf 'redis:\n  socket: %s/redis\nguard:\n  suffixes: %s/deploy/data/public_suffix_list.dat\n' \
    "$dir" "$src" >"$dir/conf.yaml"
export SINKHOLE_CONFIG=$dir/conf.yaml
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
same() { # same WHY FOUND EXPECTED
    [[ $2 == "$3" ]] || { echo "FAIL: $1: \"$2\", expected \"$3\""; failures=$((failures + 1)); }
}
# A number that a feed's JSON says of the feed itself
field() { "$ctl" --json feed show "$1" | grep -o "\"$2\":[0-9]*" | head -1 | cut -d: -f2; }
generation() { redis-cli -s "$dir/redis" hget 'sinkhole:{bl}:head' generation; }

# --- a letter, from paste to enforcement and back ---
expect "no feed yet" 0 "No feed yet" "$ctl" feed list
expect "bad name" 2 "a feed's name" "$ctl" feed add Ais
expect "the exceptions' name" 2 "sinkholectl allow" "$ctl" feed add allow
expect "the agents' name" 2 "agents' own" "$ctl" feed add canary
expect "add" 0 "is made" "$ctl" feed add ais --kind authority --format text --title "Công văn"
expect "add again" 1 "there already" "$ctl" feed add ais
expect "import into no feed" 5 "feed add nofeed" "$ctl" feed import nofeed "$src/tests/feeds/data/letter.txt"
expect "diff of nothing" 5 "nothing is staged" "$ctl" feed diff ais
expect "publish nothing" 5 "nothing is staged" "$ctl" feed publish ais
expect "roll back nothing" 5 "no such publication" "$ctl" feed rollback ais
before=$(generation)
expect "import" 0 "8 names" "$ctl" feed import ais "$src/tests/feeds/data/letter.txt" \
    --reference "12/CV" --issuer "Cục A" --issued 24/11/2026 --family OceanLotus --tlp amber
same "an import changes nothing" "$(generation)" "$before"
expect "diff" 0 "8 added, 0 removed" "$ctl" feed diff ais
expect "diff shows names" 0 "+ cdn.evil-two.net" "$ctl" feed diff ais
expect "publish" 0 "8 added" "$ctl" feed publish ais
expect "publish twice" 0 "Nothing to change" "$ctl" feed publish ais
expect "the letter" 0 "12/CV of Cục A" "$ctl" feed show ais
expect "what is kept beside" 0 "203.0.113.5" "$ctl" feed show ais --beside
import=$("$ctl" --json feed show ais --beside | grep -o '"import":"[0-9-]*"' | tail -1 | cut -d'"' -f4)
expect "one import's" 0 "Kept beside by import $import: 12/CV of Cục A, from letter.txt" \
    "$ctl" feed show ais --beside "$import"
expect "as JSON" 0 '"kind":"address","text":"198.51.100.7"' "$ctl" --json feed show ais --beside "$import"
expect "no such import" 5 "no import" "$ctl" feed show ais --beside 1-1
expect "an import needs --beside" 2 "--beside" "$ctl" feed show ais "$import"
expect "who is the process's own user" 0 "by $(id -un) at" "$ctl" feed show ais
printf 'new[.]example\nevil-one[.]com\n' >"$dir/second.txt"
expect "a second letter adds" 0 "1 added, 0 removed, 0 changed, 1 kept" \
    "$ctl" feed import ais "$dir/second.txt" --family OceanLotus --tlp amber --reference 13/CV --publish
same "names" "$(field ais names)" 9
expect "what a letter does not say it does not take away" 0 "Nothing to change" \
    "$ctl" feed import ais "$dir/second.txt" --reference 14/CV --publish
expect "other attributes" 0 "0 added, 0 removed, 2 changed" \
    "$ctl" feed import ais "$dir/second.txt" --family Other --publish
expect "rollback" 0 "Rolled back" "$ctl" feed rollback ais
expect "what was staged is dropped" 5 "nothing is staged" "$ctl" feed diff ais
expect "the letter's attributes are back" 0 "0 added, 0 removed, 0 changed, 2 kept" \
    "$ctl" feed import ais "$dir/second.txt" --family OceanLotus --tlp amber --publish
first=$("$ctl" --json feed show ais | sed 's/.*"publications":\[//' | grep -o '"generation":[0-9]*' | tail -1)
expect "rollback to before the first letter" 0 "9 went" "$ctl" feed rollback ais "${first#*:}"
same "names after it" "$(field ais names)" 0
expect "a rollback is not undone by saying it again" 6 "is a rollback already" "$ctl" feed rollback ais
same "names after saying it again" "$(field ais names)" 0
expect "nor by naming again what was undone" 0 "Nothing to undo" "$ctl" feed rollback ais "${first#*:}"
undone=$("$ctl" --json feed show ais | sed 's/.*"publications":\[//' | grep -o '"generation":[0-9]*' | head -1)
expect "a rollback can be undone" 0 "9 lines came back" "$ctl" feed rollback ais "${undone#*:}"

expect "what was kept beside stays when all is undone" 0 "203.0.113.5" "$ctl" feed show ais --beside

# --- a letter also names vendors and its sender's sites ---
printf 'See virustotal.com/gui, microsoft.com and 192.0.2.9.\nC2: plain-evil[.]example\n' >"$dir/mixed.txt"
expect "plain mentions" 0 "for review  plain-mention" "$ctl" feed import ais "$dir/mixed.txt"
expect "what is staged says so" 0 "1 names for review" "$ctl" feed show ais
expect "not published yet" 0 "(staged, not published)" "$ctl" feed show ais --beside
expect "no vendor in it" 0 "1 added, 0 removed" "$ctl" feed publish ais
expect "kept by its letter" 0 "name     microsoft.com" "$ctl" feed show ais --beside
expect "taken when it is said" 0 "1 added, 0 removed, 0 changed, 1 kept" \
    "$ctl" feed import ais "$dir/mixed.txt" --undefanged take --publish
expect "back" 0 "Rolled back" "$ctl" feed rollback ais

# --- lists ---
expect "add a list" 0 "is made" "$ctl" feed add list
printf 'a.example\nb.example\nc.example\n' >"$dir/list"
expect "list" 0 "3 added" "$ctl" feed import list "$dir/list" --publish
printf 'b.example\nc.example\nd.example\n' >"$dir/list"
expect "a list is all that its feed lists" 0 "1 added, 1 removed, 0 changed, 2 kept" \
    "$ctl" feed import list "$dir/list" --publish
expect "hosts file as a plain list" 4 "another --format" "$ctl" feed import list "$src/tests/feeds/data/hosts.txt"
expect "hosts" 0 "4 names" "$ctl" feed import list "$src/tests/feeds/data/hosts.txt" --format hosts --amend --publish
expect "CSV" 0 "3 names" "$ctl" feed import list "$src/tests/feeds/data/table.csv" --amend --publish
expect "both modes" 2 "not both" "$ctl" feed import list "$dir/list" --amend --replace

# --- what must not get in; a failed import changes nothing ---
before=$(generation)
staged=$(redis-cli -s "$dir/redis" hget 'sinkhole:{bl}:staged:list' token)
printf 'com\ncom.vn\n.\ngov.vn\nx.gov.vn\nchinhphu.vn\nblogspot.com\n' >"$dir/bad"
expect "all refused" 4 "nothing was changed" "$ctl" feed import list "$dir/bad" --publish
expect "with reasons" 4 "protected-below" "$ctl" feed import list "$dir/bad" --publish
expect "web page" 4 "web page" "$ctl" feed import list <(printf '<!DOCTYPE html>\n<p>a.example\n') --publish
expect "empty" 4 "no name" "$ctl" feed import list /dev/null --publish
expect "missing file" 1 "No such file" "$ctl" feed import list "$dir/none" --publish
expect "bad date" 2 "--issued" "$ctl" feed import list "$dir/list" --issued 31/02/2026
expect "date gone by" 2 "--valid-until" "$ctl" feed import list "$dir/list" --valid-until 2020-01-01
expect "JSON of a refused import" 4 '"protected":2' "$ctl" --json feed import list "$dir/bad" --publish
same "generation after failed imports" "$(generation)" "$before"
same "what was staged before stays" "$(redis-cli -s "$dir/redis" hget 'sinkhole:{bl}:staged:list' token)" "$staged"
# guards again at publication: settings may have changed since the import
expect "staged under old settings" 0 "Staged" "$ctl" feed import list "$dir/list"
printf '  protected: [gov.vn, d.example]\n' >>"$dir/conf.yaml"
expect "diff under new settings" 0 "! d.example" "$ctl" feed diff list
expect "published without it" 0 "1 refused by the guards" "$ctl" feed publish list
same "names past both guards" "$(field list names)" 2
sed -i '$d' "$dir/conf.yaml"

# and at a rollback
expect "feed" 0 "is made" "$ctl" feed add back
printf 'shop.example\nevil.example\n' >"$dir/list"
expect "two" 0 "2 added" "$ctl" feed import back "$dir/list" --publish
echo other.example >"$dir/list"
expect "replaced" 0 "1 added, 2 removed" "$ctl" feed import back "$dir/list" --publish
printf '  protected: [gov.vn, shop.example]\n' >>"$dir/conf.yaml"
expect "rollback shows what stays out" 0 "! shop.example  (subtree): a protected zone's own name" \
    "$ctl" feed rollback back
same "it stays out" "$(field back names)" 1
echo evil.example >"$dir/list"
sed -i '$d' "$dir/conf.yaml"
expect "both" 0 "1 added" "$ctl" feed import back <(printf 'shop.example\nevil.example\n') --publish
expect "one" 0 "1 removed" "$ctl" feed import back "$dir/list" --publish
printf '  protected: [gov.vn, shop.example]\n' >>"$dir/conf.yaml"
before=$(generation)
expect "nothing else to bring back" 4 "nothing was changed" "$ctl" feed rollback back
expect "as JSON" 4 '"name":"shop.example"' "$ctl" --json feed rollback back
same "no generation for it" "$(generation)" "$before"
sed -i '$d' "$dir/conf.yaml"

# --- what is mistyped, and what a file is called ---
expect "the exceptions' feed is not turned into a list" 2 "nothing to set" \
    bash -c "'$ctl' allow a.example --reason -h --until 1d && '$ctl' feed set allow --kind block"
expect "an argument that looks like a call for help" 2 "--client --help: expected" "$ctl" hits --client --help
printf 'p\xd0\xb0ypal.com\n' >"$dir/alike"
expect "a name that looks like another" 0 "Staged" "$ctl" feed import list "$dir/alike"
expect "is told as it is asked for, too" 0 $'+ xn--pypal-4ve.com (p\xd0\xb0ypal.com)' "$ctl" feed diff list
expect "one letter" 2 "no option -x;" "$ctl" feed list -xy
expect "a word of the wrong encoding" 2 "--remark: it is not UTF-8" \
    "$ctl" feed import list "$dir/list" --remark $'\xff'
odd=$dir/$'odd\xff\e[31m'
cp "$dir/list" "$odd"
expect "a file's name is shown, not obeyed" 0 'odd\ufffd\u{1b}[31m' bash -c "'$ctl' feed import list '$odd' | sed 's/\xef\xbf\xbd/\\\\ufffd/'"
redis-cli -s "$dir/redis" hset 'sinkhole:{bl}:batches' 4000000000 x >/dev/null
expect "a damaged rule is told, not an empty reason" 1 "not our JSON" "$ctl" feed show list
redis-cli -s "$dir/redis" hdel 'sinkhole:{bl}:batches' 4000000000 >/dev/null
expect "the disk is full" 1 "could not be written" bash -c "'$ctl' feed list >/dev/full"

# --- Redis away ---
expect "Redis away" 3 "" env SINKHOLE_CONFIG=<(printf 'redis:\n  socket: %s/none\n' "$dir") "$ctl" feed list

# --- publishers that are killed, at any moment: all of a publication or nothing ---
expect "feed" 0 "is made" "$ctl" feed add many
seq -f "n%.0f.example" 200000 >"$dir/many"
expect "import many" 0 "Staged" "$ctl" feed import many "$dir/many"
before=$(generation)
killed=0
for ((i = 1; i <= 20; i++)); do
    "$ctl" feed publish many >/dev/null 2>&1 &
    victim=$!
    read -rt "0.$(printf '%02d' $((i * 2)))" <> <(:) || :
    kill -9 "$victim" 2>/dev/null && killed=$((killed + 1))
    wait "$victim" 2>/dev/null || :
    names=$(field many names)
    if [[ $(generation) -ne $before && $names -eq 200000 ]]; then # it was fast enough: back, and on
        "$ctl" feed rollback many >/dev/null
        "$ctl" feed import many "$dir/many" >/dev/null
        before=$(generation)
    elif [[ $(generation) -ne $before || $names -ne 0 ]]; then
        echo "FAIL: killed in the middle: generation $(generation) after $before, $names names"
        failures=$((failures + 1))
    fi
done
echo "$killed publishers killed"
[[ $killed -gt 0 ]] || { echo "FAIL: no publisher was caught alive"; failures=$((failures + 1)); }
expect "after all that" 0 "200,000 added" "$ctl" feed publish many

# --- two publishers at once: both get in, one after the other ---
expect "feed" 0 "is made" "$ctl" feed add one
expect "feed" 0 "is made" "$ctl" feed add two
for ((i = 0; i < 5; i++)); do
    echo "one$i.example" >"$dir/one"
    echo "two$i.example" >"$dir/two"
    "$ctl" feed import one "$dir/one" --amend --publish >/dev/null &
    first=$!
    "$ctl" feed import two "$dir/two" --amend --publish >/dev/null || failures=$((failures + 1))
    wait "$first" || failures=$((failures + 1))
done
same "both" "$(field one names) $(field two names)" "5 5"

# --- removal ---
expect "removal asks" 2 "--yes" "$ctl" feed remove many
expect "removal" 0 "200,000 names" "$ctl" feed remove many --yes
expect "gone" 5 "" "$ctl" feed show many
same "and nothing else" "$(field list names)" 2

# --- real lists, when they are there ---
if [[ -n ${SINKHOLE_DATA:-} && -f $SINKHOLE_DATA/big.txt.xz ]]; then
    xz -dc "$SINKHOLE_DATA/big.txt.xz" >"$dir/big"
    "$ctl" feed add big >/dev/null
    began=$SECONDS
    "$ctl" feed import big "$dir/big" --all >"$dir/big.out"
    "$ctl" feed publish big | tee -a "$dir/big.out"
    echo "big list, file to committed: $((SECONDS - began)) s; refused:"
    sed -n '/^Not taken/,/^  line/{/^  line/!p}' "$dir/big.out"
    for name in gov.vn chinhphu.vn com.cn duckdns.org; do
        grep -q "^$name\$" "$dir/big" && ! grep -q "^  line .* $name\$" "$dir/big.out" &&
            { echo "FAIL: $name is listed"; failures=$((failures + 1)); }
    done
    [[ $((SECONDS - began)) -le 60 ]] || echo "note: over 60 s on this machine"
    "$ctl" feed add overlap >/dev/null
    "$ctl" feed import overlap "$SINKHOLE_DATA/benign_overlap.txt" | sed -n '1,12p'
fi

[[ $failures -eq 0 ]] || { echo "$failures failures"; exit 1; }
echo "ok"
