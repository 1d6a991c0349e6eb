#!/bin/sh
# What the tests need beside Python: a browser, a database server, Node.js, a C compiler with Python's
# headers. Installs Debian's packages where that can be done, and says what is missing where it cannot.
set -eu
missing=""
command -v chromium >/dev/null || missing="$missing chromium"
ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || missing="$missing postgresql"
command -v npm >/dev/null || missing="$missing npm"
command -v cc >/dev/null || missing="$missing gcc libc6-dev"
headers=$("${PYTHON:-python3}" -c 'import sysconfig; print(sysconfig.get_path("include"))')
[ -e "$headers/Python.h" ] || missing="$missing python3-dev"
[ -n "$missing" ] || exit 0
if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
    echo "error: the tests need$missing" >&2
    echo "hint: install them with your system's package manager, on Debian: sudo apt-get install$missing" >&2
    exit 1
fi
echo "Installing$missing for the tests; this takes a minute or two"
log=$(mktemp)
export DEBIAN_FRONTEND=noninteractive
# shellcheck disable=SC2086 # one word for each package
if ! { apt-get update && apt-get install --yes --no-install-recommends $missing; } >"$log" 2>&1; then
    cat "$log" >&2
    echo "error: could not install$missing" >&2
    exit 1
fi
rm "$log"
