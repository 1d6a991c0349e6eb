#!/bin/sh
# system_packages.sh PURPOSE PACKAGE[=SIGN]...
# A package is there when its sign is: a program's name, or a pattern of paths; by default the package's own
# name. Installs Debian's packages where that can be done, and says what is missing where it cannot.
set -eu
purpose=$1
shift
PATH="$PATH:/usr/sbin"
missing=""
for each; do
    # shellcheck disable=SC2086 # a pattern is expanded, and one file is enough
    set -- ${each#*=}
    [ -e "$1" ] || command -v "$1" >/dev/null || missing="$missing ${each%%=*}"
done
[ -n "$missing" ] || exit 0
if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
    echo "error: $purpose need$missing" >&2
    echo "hint: install them with your system's package manager, on Debian: sudo apt-get install$missing" >&2
    exit 1
fi
echo "Installing$missing for $purpose; this takes a minute or two"
log=$(mktemp)
export DEBIAN_FRONTEND=noninteractive
# shellcheck disable=SC2086 # one word for each package
if ! { apt-get update && apt-get install --yes --no-install-recommends $missing; } >"$log" 2>&1; then
    cat "$log" >&2
    echo "error: could not install$missing" >&2
    exit 1
fi
case $missing in *" prometheus"*) # tests start their own; Debian's would run always
    { update-rc.d prometheus disable; invoke-rc.d prometheus stop; } >/dev/null 2>&1 || true ;;
esac
rm "$log"
