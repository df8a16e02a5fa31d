# Sourced by scripts/songwright and scripts/test: `set_up EXTRA` makes .venv hold this checkout with that extra ("" for
# none) beside those that it has. Quiet and instant when nothing is to do: a stamp in .venv names the exact inputs of
# the last good install, and holds a line for every extra.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
venv="$root/.venv"

find_python() {
    local candidate
    for candidate in ${PYTHON:+"$PYTHON"} python3 python3.11 python3.12 python3.13 python; do
        if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            command -v "$candidate"
            return
        fi
    done
    echo "songwright needs Python 3.11 or newer, and none was found; install it, or name one: PYTHON=/path/to/python3.11 $0" >&2
    return 1
}

set_up() {
    local extra=$1 extras python stamp log
    # Only what decides the install: a checkout that moved needs a new one, since an editable install holds its path.
    stamp="$venv/.stamp-$({ echo "$root"; cat "$root/pyproject.toml" "$root/constraints.txt"; } | cksum | tr ' ' -)"
    # Every install contains the light one, and the development install all others.
    if [ -e "$stamp" ] && { [ "$extra" = "" ] || grep -qxe "$extra" -e dev "$stamp"; }; then return; fi
    python=$(find_python) || return 1
    log="$venv/install.log"
    echo "songwright: setting up in $venv (once; a minute or two) ..." >&2
    if ! { "$venv/bin/python" -c 'import pip' 2>/dev/null || "$python" -m venv --clear "$venv"; }; then
        echo "songwright: could not make a virtual environment in $venv; is the folder writable, and is Python's venv module installed (Debian: apt install python3-venv)?" >&2
        return 1
    fi
    extras=$({ cat "$stamp" 2>/dev/null || true; echo "$extra"; } | grep . | sort -u | paste -sd, - || true)
    if ! "$venv/bin/python" -m pip install --disable-pip-version-check --constraint "$root/constraints.txt" \
        --editable "$root${extras:+[$extras]}" >"$log" 2>&1; then
        tail -n 5 "$log" >&2
        echo "songwright: the install failed; is the package registry reachable? The full log is $log" >&2
        return 1
    fi
    rm -f "$venv"/.stamp-* "$venv/.dev-is-installed"
    echo "$extras" | tr ',' '\n' >"$stamp"
}
