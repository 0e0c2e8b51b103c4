#!/bin/bash
# Fetches the headers of cudnn-frontend, which the CUDA plug-in is built with, into build/cudnn-frontend/include. They are
# part of a package of Python's index; nothing of it is installed or run.
set -euo pipefail
cd "$(dirname "$0")/.."
version=1.32.0
folder=build/cudnn-frontend
[ -f "$folder/version-$version" ] && exit 0
mkdir -p "$folder"
pip=pip
if ! command -v pip >/dev/null; then
  python3 -m venv "$folder/venv"
  pip=$folder/venv/bin/pip
fi
"$pip" -q --disable-pip-version-check download --no-deps -d "$folder/wheel" "nvidia-cudnn-frontend==$version"
rm -rf "$folder/include"
python3 - "$folder" <<'PYTHON'
import pathlib, sys, zipfile
folder = pathlib.Path(sys.argv[1])
(wheel,) = (folder / "wheel").glob("*.whl")
with zipfile.ZipFile(wheel) as archive:
    archive.extractall(folder, [name for name in archive.namelist() if name.startswith("include/")])
PYTHON
rm -rf "$folder/wheel"
touch "$folder/version-$version"
