#!/bin/sh
# Installs the Debian programs that tests and `make bench-check` use, with `bench` also those of the benchmark, if this
# user may; otherwise the tests and rows that need them are left out by name.
set -eu

missing=""
command -v redis-server >/dev/null || command -v valkey-server >/dev/null || missing="$missing redis-server"
command -v nats-server >/dev/null || missing="$missing nats-server"
command -v chromium >/dev/null || missing="$missing chromium"
command -v nginx >/dev/null || missing="$missing nginx-light"
command -v initdb >/dev/null || ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || missing="$missing postgresql"
command -v curl >/dev/null || missing="$missing curl"
command -v wrk >/dev/null || missing="$missing wrk"
command -v h2load >/dev/null || missing="$missing nghttp2-client"
command -v systemd-analyze >/dev/null || missing="$missing systemd"
if [ "${1:-}" = bench ] && [ ! -e /usr/lib/nginx/modules/ngx_nchan_module.so ]; then
    missing="$missing libnginx-mod-nchan"
fi

if [ -n "$missing" ] && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq
    # shellcheck disable=SC2086  # one word a package
    apt-get install -y -qq --no-install-recommends $missing >/dev/null
elif [ -n "$missing" ]; then
    echo "not installed, what needs them is left out:$missing" >&2
fi

# Without it `make bench-check` skips its counts by name, so a machine that can't have it is no failure.
if ! command -v valgrind >/dev/null && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    export DEBIAN_FRONTEND=noninteractive
    { apt-get update -qq && apt-get install -y -qq --no-install-recommends valgrind >/dev/null; } ||
        echo "valgrind can't be installed, instructions are not counted" >&2
fi
