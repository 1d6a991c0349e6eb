#!/bin/sh
# What the proxy is measured with, beside Python: nginx, HAProxy, wrk. Installs Debian's packages where that
# can be done, and says what is missing where it cannot.
set -eu
missing=""
PATH="$PATH:/usr/sbin"
command -v nginx >/dev/null || missing="$missing nginx-light"
command -v haproxy >/dev/null || missing="$missing haproxy"
command -v wrk >/dev/null || missing="$missing wrk"
[ -n "$missing" ] || exit 0
if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
    echo "error: the measurement needs$missing" >&2
    echo "hint: install them with your system's package manager, on Debian: sudo apt-get install$missing" >&2
    exit 1
fi
echo "Installing$missing for the measurement; this takes a minute"
log=$(mktemp)
export DEBIAN_FRONTEND=noninteractive
# shellcheck disable=SC2086 # one word for each package
if ! { apt-get update && apt-get install --yes --no-install-recommends $missing; } >"$log" 2>&1; then
    cat "$log" >&2
    echo "error: could not install$missing" >&2
    exit 1
fi
rm "$log"
