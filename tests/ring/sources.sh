#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Where Debian's source package is fetched from: what deploy/deb-src.awk makes of the forms that a
# machine's package sources have.
set -uo pipefail
root=$(cd "${1:-${srcdir:-.}}" && pwd)
failed=0 passed=0

case_is() { # WHY FORMAT INPUT EXPECTED
    local got
    got=$(printf '%b' "$3" | awk -v codename=bookworm -v format="$2" -f "$root/deploy/deb-src.awk")
    if [ "$got" = "$(printf '%b' "$4")" ]; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        printf 'NOT OK %s\n--- got\n%s\n--- expected\n%b\n' "$1" "$got" "$4"
    fi
}

m=http://mirror.example/debian
case_is 'plain' list "deb $m bookworm main\n" "deb-src $m bookworm main"
case_is 'options stay' list "deb [signed-by=/k arch=amd64] $m bookworm main contrib\n" \
    "deb-src [signed-by=/k arch=amd64] $m bookworm main"
case_is 'updates and security; not backports' list \
    "deb $m bookworm-updates main\ndeb $m bookworm-security main\ndeb $m bookworm-backports main\n" \
    "deb-src $m bookworm-updates main\ndeb-src $m bookworm-security main"
case_is 'another suite is left alone' list "deb $m trixie main\ndeb $m bookworm-x main\n" ''
case_is 'stable is this release' list "deb $m stable-updates main\n" "deb-src $m bookworm-updates main"
case_is 'switched off, and a CD' list "# deb $m bookworm main\ndeb cdrom:[x]/ bookworm main\n" ''
case_is 'no main' list "deb $m bookworm contrib\n" ''
case_is 'a comment behind' list "deb $m bookworm main # ours\n" "deb-src $m bookworm main"
case_is 'deb822' sources \
    "Types: deb\n# c\nURIs: $m\nSuites: bookworm bookworm-updates bookworm-backports\nComponents: main contrib\nSigned-By: /k\n" \
    "Types: deb-src\nURIs: $m\nSuites: bookworm bookworm-updates\nComponents: main\nSigned-By: /k"
case_is 'deb822 with a key inside, and names in other cases' sources \
    "types: deb\nuris: $m\nsuites: bookworm\ncomponents: main\nsigned-by:\n -----BEGIN\n .\n -----END\n" \
    "Types: deb-src\nURIs: $m\nSuites: bookworm\nComponents: main\nSigned-By:\n -----BEGIN\n .\n -----END"
case_is 'deb822 switched off, then another stanza' sources \
    "Enabled: no\nTypes: deb\nURIs: $m\nSuites: bookworm\nComponents: main\n\nTypes: deb\nURIs: $m/2\nSuites: bookworm\nComponents: main\n" \
    "Types: deb-src\nURIs: $m/2\nSuites: bookworm\nComponents: main"
case_is 'deb822 of another release' sources "Types: deb\nURIs: $m\nSuites: nodistro\nComponents: main\n" ''

echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
