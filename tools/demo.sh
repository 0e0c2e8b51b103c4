#!/bin/bash
# Installs what is missing, builds blindspot and runs its demonstration; arguments go to `blindspot demo`.
set -euo pipefail
here=$PWD
cd "$(dirname "$0")/.."
. tools/requirements.sh

require build
mkdir -p build
cmake --preset release >build/release-configure.log 2>&1 || { cat build/release-configure.log; exit 1; }
cmake --build build/release --target blindspot_cli
program=$PWD/build/release/blindspot
cd "$here"
exec "$program" demo "$@"
