#!/bin/bash
# Registers, shared memory and spills of every kernel, as ptxas tells them; fails where a kernel spills registers to memory.
#   tools/kernel-report.sh [CAPABILITY]     90 if not given
set -euo pipefail
cd "$(dirname "$0")/.."
capability=${1:-90}
nvcc=$(command -v nvcc || echo /usr/local/cuda/bin/nvcc)
[ -x "$nvcc" ] || { echo "tools/kernel-report.sh: no nvcc" >&2; exit 2; }
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

compile() {  # compile NVCC CAPABILITY FOLDER FILE
  "$1" -std=c++20 -O3 -arch="sm_$2" -Xptxas -v -Iengine/include -I. -cubin -o "$3/$(basename "$4").cubin" "$4" \
    2>"$3/$(basename "$4").log" || { cat "$3/$(basename "$4").log" >&2; return 1; }
}
export -f compile
printf '%s\n' kernels/*.cu | xargs -P "$(nproc)" -I{} bash -c 'compile "$@"' _ "$nvcc" "$capability" "$folder" {}

cat "$folder"/*.log | awk '
  /Compiling entry function/ { split($0, quoted, "\047"); name = quoted[2] }
  /bytes stack frame/        { stack = $1; spilled = $5 + $9 }
  /Used [0-9]+ registers/ {
    registers = $0; sub(/.*Used /, "", registers); sub(/ registers.*/, "", registers)
    shared = 0
    if (match($0, /[0-9]+ bytes smem/)) shared = substr($0, RSTART, RLENGTH) + 0
    kernels++
    spills += spilled > 0
    printf "%3d registers %6d bytes shared %5d bytes stack %5d bytes spilled  %s%s\n", registers, shared, stack, spilled, \
      name, (spilled > 0 ? "  SPILLS" : "")
    spilled = 0
  }
  END {
    printf "%d kernels for sm_%s, %d spill\n", kernels, capability, spills
    exit kernels == 0 || spills > 0
  }' capability="$capability" | { if command -v c++filt >/dev/null; then c++filt; else cat; fi; }
