#!/bin/bash
# blindspot against PyTorch on this machine's CPU: the same walk, in turn, several times, and the ratios of the medians.
#   bench/compare.sh [--rounds N] [--networks resnet50,vit_b_16] [--batch N] [--output FILE.json]
# Needs the release build (tools/test.sh makes it) and the PyTorch script of the shared material; PyTorch is installed into
# a virtual environment in build/ unless $PYTHON names an interpreter that has torch, torchvision and timm.
set -euo pipefail
cd "$(dirname "$0")/.."
peer=../shared/peers/lst_torch.py
[ -f "$peer" ] || { echo "bench/compare.sh: skipped: no ../shared" >&2; exit 0; }
[ -x build/release/blindspot ] || { echo "bench/compare.sh: build first: tools/test.sh" >&2; exit 2; }
if [ -z "${PYTHON:-}" ]; then
  PYTHON=build/torch/bin/python
  [ -x "$PYTHON" ] || python3 -m venv build/torch
  "$PYTHON" -c 'import torch, torchvision, timm' 2>/dev/null || "$PYTHON" -m pip install -q torch torchvision timm
fi
exec python3 bench/compare.py --python "$PYTHON" --peer "$peer" --program build/release/blindspot "$@"
