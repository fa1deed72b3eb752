#!/bin/sh
# Install those of the Debian packages named as arguments that are missing:
#
#   tests/peers/debian.sh dovecot-core nghttp2-server
#
# by apt, as root or through sudo; where neither is at hand, print the line to run and end with 1. PYTHON is the
# interpreter that python3-venv is wanted for.
set -eu

# A user's PATH on Debian lacks the folders that servers are in.
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin

# By what they bring, not by name: it may have come another way.
is_there() {
    case $1 in
        python3-venv) "${PYTHON:-python3}" -c 'import venv; from ensurepip import bootstrap' 2>/dev/null ;;
        dovecot-core) command -v dovecot >/dev/null ;;
        dovecot-imapd) test -x /usr/lib/dovecot/imap ;;
        dovecot-lmtpd) test -x /usr/lib/dovecot/lmtp ;;
        mariadb-server) command -v mariadbd >/dev/null ;;
        postgresql) command -v initdb >/dev/null || ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 ;;
        redis-server) command -v redis-server >/dev/null ;;
        nghttp2-server) command -v nghttpd >/dev/null ;;
        chromium | curl | zsh | fish | groff) command -v "$1" >/dev/null ;;
        nodejs) command -v node >/dev/null ;;
        openjdk-17-jdk-headless) command -v javac >/dev/null ;;
        npm) command -v npm >/dev/null ;;
        *) echo "debian.sh: no way to tell whether $1 is there" >&2; exit 2 ;;
    esac
}

missing=
for package in "$@"; do
    is_there "$package" || missing="$missing $package"
done
test -n "$missing" || exit 0

command="apt-get update && apt-get install -y --no-install-recommends$missing"

refuse() {
    echo "$1$missing; as root, run" >&2
    echo "    $command" >&2
    exit 1
}

if test "$(id -u)" -eq 0; then
    become_root=
elif command -v sudo >/dev/null && { sudo -n true 2>/dev/null || test -t 0; }; then
    become_root=sudo  # it asks for the password where there is a terminal
else
    refuse "Debian packages are missing:"
fi
command -v apt-get >/dev/null || refuse "There is no apt-get here to install what is missing:"

echo "Installing from Debian:$missing"
log=$(mktemp)
trap 'rm -f "$log"' EXIT
if ! $become_root env DEBIAN_FRONTEND=noninteractive sh -ec "$command" >"$log" 2>&1 </dev/null; then
    cat "$log" >&2
    refuse "apt-get could not install"
fi

for package in "$@"; do
    is_there "$package" && continue
    echo "$package is installed, and what it brings is still not found (PYTHON is ${PYTHON:-python3})" >&2
    exit 1
done
