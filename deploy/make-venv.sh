#!/bin/sh
# Make a virtual environment and install a requirements file into it: make-venv.sh FOLDER REQUIREMENTS
set -eu
folder=$1 requirements=$2
python=$(command -v python3.11 || command -v python3 || true)
if [ -z "$python" ] || ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
    echo "Python 3.11 or later is needed (Debian 12: apt install python3 python3-venv)." >&2
    exit 1
fi
if [ ! -x "$folder/bin/pip" ]; then
    echo "Making $folder ..."
    if ! "$python" -m venv "$folder" 2>/dev/null; then
        # Debian ships Python without venv.
        rm -rf "$folder"
        if [ "$(id -u)" = 0 ]; then as_root=; elif sudo -n true 2>/dev/null; then as_root=sudo; else
            echo "Python's venv is missing: apt install python3-venv" >&2
            exit 1
        fi
        $as_root apt-get update -qq && $as_root apt-get install -y -qq python3-venv >/dev/null
        "$python" -m venv "$folder"
    fi
fi
echo "Installing $requirements ..."
"$folder/bin/pip" install --quiet --disable-pip-version-check -r "$requirements"
