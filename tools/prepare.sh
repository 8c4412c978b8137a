#!/bin/sh
# Makes the virtual environment and builds awxfast into it: `prepare.sh FOLDER PYTHON EXTRAS`; EXTRAS `wheel`: builds a
# wheel in dist/ instead. A line for each step, and one every 4 s while it lasts; what the tools say is shown only if one
# fails.
set -eu

folder=$1 python=$2 extras=$3
rust_needed=1.88

fail() {
    echo "$1" >&2
    exit 1
}

check() {
    [ "$(uname -s)" = Linux ] || fail "awxfast runs on Linux only"
    [ -n "$python" ] || fail "awxfast needs Python 3.11 or later: apt-get install python3.11-venv"
    command -v cargo >/dev/null && command -v rustc >/dev/null ||
        fail "awxfast needs Rust $rust_needed or later: https://rustup.rs"
    rust=$(rustc --version | cut -d ' ' -f 2)
    oldest=$(printf '%s\n%s\n' "$rust_needed" "${rust%%-*}" | sort -V | head -n 1)
    [ "$oldest" = "$rust_needed" ] ||
        fail "awxfast needs Rust $rust_needed or later, this is $rust: rustup update (https://rustup.rs)"
}

# Runs a command in the background; tells every 4 s how long it has taken, and what the compiler is at.
step() {
    name=$1
    shift
    echo "$name"
    log=$(mktemp)
    "$@" >"$log" 2>&1 &
    pid=$!
    trap 'kill $pid 2>/dev/null || true; rm -f "$log"; exit 130' INT TERM
    began=$(date +%s) told=0
    while kill -0 "$pid" 2>/dev/null; do
        sleep 1
        seconds=$(($(date +%s) - began))
        if [ $((seconds - told)) -ge 4 ] && kill -0 "$pid" 2>/dev/null; then
            told=$seconds
            at=$(grep -oE '(Compiling|Downloading) [^ ]+|Installing collected packages' "$log" | tail -n 1)
            echo "  $seconds s${at:+, $at}"
        fi
    done
    if ! wait "$pid"; then
        cat "$log" >&2
        rm -f "$log"
        fail "this failed: $name"
    fi
    trap - INT TERM
    rm -f "$log"
}

make_environment() {
    "$python" -m venv "$folder" || {
        rm -rf "$folder"
        fail "python -m venv failed: apt-get install python3-venv"
    }
}

check
[ -x "$folder/bin/python" ] || step "Making a virtual environment in $folder" make_environment
step "Fetching maturin, which builds the extension" \
    "$folder/bin/python" -m pip install --disable-pip-version-check 'maturin>=1.16,<2'
export VIRTUAL_ENV="$PWD/$folder"
if [ "$extras" = wheel ]; then
    step "Compiling the extension for a wheel, after fetching zig (minutes, also after make demo)" \
        "$folder/bin/python" tools/make_wheel.py
    ls dist/awxfast-*.whl
    exit
fi
step "Installing what [$extras] needs and compiling the extension (minutes the first time, seconds later)" \
    "$folder/bin/maturin" develop --release --extras "$extras"
