#!/bin/sh
# Pin requirements.in and requirements-dev.in with hashes, for Python 3.11 to 3.13.
set -eu
command -v uv >/dev/null || { echo "error: uv is not on PATH (pip install uv)" >&2; exit 1; }
for name in requirements requirements-dev; do
    uv pip compile --quiet --generate-hashes --universal --python-version 3.11 --no-emit-index-url \
        --no-emit-find-links --custom-compile-command "make requirements" "$name.in" --output-file "$name.txt"
done
