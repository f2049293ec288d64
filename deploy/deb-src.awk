# SPDX-License-Identifier: BSD-3-Clause
# From a file of apt's package sources to deb-src entries for the same mirrors: -v codename=bookworm,
# -v format=list (one line each) or sources (deb822). Keys and options stay; only main of the release
# itself, its updates and its security suite; nothing switched off, nothing from a CD.

function suite_wanted(suite) { return suite ~ ("^" codename "(-updates|-security|/updates)?$") }
function suite_named(suite) { sub(/^(stable|oldstable)/, codename, suite); return suite }

function one_line(    rest, options, word, n, i, main) {
    sub(/#.*/, "")
    if ($1 != "deb" && $1 != "deb-src") return
    rest = $0
    sub(/^[ \t]*deb(-src)?[ \t]+/, "", rest)
    if (match(rest, /^\[[^]]*\][ \t]+/)) {
        options = substr(rest, 1, RLENGTH)
        rest = substr(rest, RLENGTH + 1)
    }
    n = split(rest, word, /[ \t]+/)
    for (i = 3; i <= n; i++) if (word[i] == "main") main = 1
    word[2] = suite_named(word[2])
    if (main && word[1] !~ /^cdrom:/ && suite_wanted(word[2]))
        print "deb-src " options word[1] " " word[2] " main"
}

function stanza(    i, n, word, suites) {
    n = split(value["suites"], word, /[ \t\n]+/)
    for (i = 1; i <= n; i++) {
        word[i] = suite_named(word[i])
        if (suite_wanted(word[i])) suites = suites " " word[i]
    }
    if (suites != "" && tolower(value["enabled"]) !~ /no|false/ &&
        (" " value["components"] " ") ~ /[ \t]main[ \t]/) {
        print "Types: deb-src\nURIs:" value["uris"] "\nSuites:" suites "\nComponents: main"
        if ("signed-by" in value) print "Signed-By:" value["signed-by"]
        if ("trusted" in value) print "Trusted:" value["trusted"]
        print ""
    }
    split("", value)
    key = ""
}

format == "list" { one_line(); next }
/^[ \t]*#/ { next }
/^[ \t]*$/ { stanza(); next }
/^[ \t]/ { if (key != "") value[key] = value[key] "\n" $0; next }
{ key = tolower($0); sub(/:.*/, "", key); sub(/^[^:]*:/, ""); value[key] = $0 }
END { if (format != "list") stanza() }
