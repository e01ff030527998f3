#!/bin/sh
# Install the Debian packages that some tests need and that are not here yet: kubectl and PostgreSQL.
set -eu
missing=
command -v kubectl >/dev/null || missing="$missing kubernetes-client"
command -v postgres >/dev/null || ls /usr/lib/postgresql/*/bin/postgres >/dev/null 2>&1 || missing="$missing postgresql"
python3 -c 'import venv, ensurepip' 2>/dev/null || missing="$missing python3-venv"
if [ -z "$missing" ]; then
    echo "kubectl, PostgreSQL and python3-venv are there"
    exit 0
fi
if ! command -v apt-get >/dev/null; then
    echo "error: this is no Debian; install what these Debian packages have:$missing" >&2
    exit 1
fi
root=
if [ "$(id -u)" != 0 ]; then
    command -v sudo >/dev/null || { echo "error: run make deps as root to install:$missing" >&2; exit 1; }
    root=sudo
fi
export DEBIAN_FRONTEND=noninteractive
$root apt-get update -q
# shellcheck disable=SC2086 # a list of packages
$root apt-get install -q -y --no-install-recommends $missing
