#!/bin/sh
# Install what tests need beside Python: Chromium for the browser tests, gettext for the check of the translations,
# PostgreSQL to test against it, nginx to test the configuration that is delivered, iproute2 to build a network to search.
# Without the rights to, say so; the tests that need them then skip, saying why.
set -eu
missing=
command -v chromium >/dev/null || missing="$missing chromium"
command -v msgfmt >/dev/null || missing="$missing gettext"
ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || missing="$missing postgresql"
command -v nginx >/dev/null || [ -x /usr/sbin/nginx ] || missing="$missing nginx-light"
command -v ip >/dev/null || missing="$missing iproute2"
[ -n "$missing" ] || exit 0
if [ "$(id -u)" = 0 ]; then as_root=; elif sudo -n true 2>/dev/null; then as_root=sudo; else
    echo "Not installed, for want of root or sudo:$missing. Tests that need them will be skipped." >&2
    exit 0
fi
echo "Installing$missing ..."
export DEBIAN_FRONTEND=noninteractive
if ! { $as_root apt-get update -qq && $as_root apt-get install -y -qq --no-install-recommends $missing >/dev/null; }; then
    echo "Could not install:$missing. Tests that need them will be skipped." >&2
fi
