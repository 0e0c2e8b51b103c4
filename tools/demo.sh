#!/bin/bash
# Installs what is missing, builds blindspot and runs its demonstration; arguments go to `blindspot demo`.
set -euo pipefail
here=$PWD
cd "$(dirname "$0")/.."
. tools/requirements.sh

require build
cmake --preset release -DBLINDSPOT_TESTS=OFF -DBLINDSPOT_BENCH=OFF -B build/demo >build/demo-configure.log 2>&1 ||
  { cat build/demo-configure.log; exit 1; }
cmake --build build/demo
program=$PWD/build/demo/blindspot
cd "$here"
exec "$program" demo "$@"
