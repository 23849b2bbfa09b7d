#!/bin/sh
# Run a command against a PostgreSQL of its own, on loopback: with-postgres.sh COMMAND ...
set -eu
initdb=$(ls /usr/lib/postgresql/*/bin/initdb 2>/dev/null | tail -n 1)
if [ -z "$initdb" ]; then
    echo "PostgreSQL is not installed: this was not tested against it (apt install postgresql)." >&2
    exit 0
fi
bin=$(dirname "$initdb")
folder=$(mktemp -d)
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
as_user=
if [ "$(id -u)" = 0 ]; then # PostgreSQL refuses to run as root
    chown nobody "$folder"
    as_user="runuser -u nobody --"
fi
stop() {
    $as_user "$bin/pg_ctl" -D "$folder/data" -m immediate stop >/dev/null 2>&1 || true
    rm -rf "$folder"
}
trap stop EXIT
$as_user "$bin/initdb" -D "$folder/data" -U llm -A trust -E UTF8 --no-sync >/dev/null
$as_user "$bin/pg_ctl" -D "$folder/data" -w -l "$folder/log" \
    -o "-c listen_addresses=127.0.0.1 -c port=$port -k $folder -c fsync=off" start >/dev/null
$as_user "$bin/createdb" -h "$folder" -p "$port" -U llm llm
LLM_DATABASE_URL="postgres://llm@127.0.0.1:$port/llm" "$@"
