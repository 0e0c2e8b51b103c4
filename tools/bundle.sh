#!/bin/bash
# Makes build/blindspot-VERSION-x86_64.tar.xz: what runs, tests and measures blindspot on another x86-64 Linux machine with
# nothing installed but a C library, and for CUDA its driver, cuDNN 9 and cuBLAS.
#   tools/bundle.sh [--build FOLDER]
# FOLDER: a release build that has the plug-in, instead of building into build/bundle for every architecture, or those that
# $BLINDSPOT_CUDA_ARCHITECTURES lists ("90" or "80;90"). Fails if the archive is larger than 40 MB.
set -euo pipefail
cd "$(dirname "$0")/.."
. tools/requirements.sh
most_bytes=40000000
folder=""
case "${1:-}" in
  "") ;;
  --build) folder=${2:?tools/bundle.sh: --build needs a folder} ;;
  *) echo "tools/bundle.sh: no option $1; there is --build FOLDER" >&2; exit 2 ;;
esac
require build bundle

programs="test_operations test_networks test_walk test_walk_goldens
  test_operations_gpu test_networks_gpu test_walk_goldens_gpu test_gpu"
if [ -z "$folder" ]; then
  folder=build/bundle
  require test  # Python, for the headers of cudnn-frontend
  tools/cudnn-frontend.sh
  cmake --preset release -B "$folder" -DBLINDSPOT_CUDA=ON "-DBLINDSPOT_CUDA_ARCHITECTURES=${BLINDSPOT_CUDA_ARCHITECTURES:-}" \
    -DBLINDSPOT_BENCH=OFF >"$folder-configure.log" 2>&1 || { cat "$folder-configure.log"; exit 1; }
fi
cmake --build "$folder" --target blindspot_cli blindspot_cuda $programs

version=$("$folder/blindspot" --version)
version=${version#blindspot }
version=${version%%:*}
name=blindspot-$version-x86_64
stage=build/bundle-stage/$name
rm -rf build/bundle-stage
mkdir -p "$stage"/{bin,lib,tests,bench,licences}
cp "$folder/blindspot" "$stage/bin/"
cp "$folder/libblindspot_cuda.so" "$stage/lib/"
for program in $programs; do cp "$(find "$folder/tests" -type f -name "$program" -perm -100)" "$stage/tests/"; done
cp bench/gpu.sh "$stage/bench/"
cp tools/bundle/run-gpu-checks LICENSE "$stage/"

# What the C library's package brings has to fit the kernel and the machine; what NVIDIA's brings, the GPU.
is_of_the_machine() {
  case $1 in
    linux-vdso* | ld-linux* | libc.so* | libm.so* | libpthread.so* | libdl.so* | librt.so* | libutil.so* | libresolv.so* | libmvec.so*) ;;
    libcuda.so* | libcudart.so* | libcudnn* | libcublas* | libnvrtc* | libnvidia*) ;;
    *) return 1 ;;
  esac
}
while read -r library path; do
  if is_of_the_machine "$library"; then continue; fi
  [ -f "$path" ] || { echo "tools/bundle.sh: $library was not found" >&2; exit 1; }
  [ -f "$stage/lib/$library" ] || cp -L "$path" "$stage/lib/$library"
  package=$(dpkg -S "$(readlink -f "$path")" 2>/dev/null || dpkg -S "*/$(basename "$(readlink -f "$path")")" 2>/dev/null || true)
  package=${package%%:*}
  [ -z "$package" ] || [ ! -f "/usr/share/doc/$package/copyright" ] || cp -L "/usr/share/doc/$package/copyright" "$stage/licences/$package"
done < <(ldd "$stage"/bin/* "$stage"/lib/* "$stage"/tests/* | while read -r library arrow path _; do
  [ "$arrow" != "=>" ] || echo "$library $path"; done | sort -u)
# Headers of these are compiled in.
for package in libcli11-dev nlohmann-json3-dev libstb-dev doctest-dev; do
  [ ! -f "/usr/share/doc/$package/copyright" ] || cp -L "/usr/share/doc/$package/copyright" "$stage/licences/$package"
done

# The plug-in and the libraries find each other beside them, programs in ../lib, whatever LD_LIBRARY_PATH holds.
for file in "$stage"/bin/* "$stage"/tests/* "$stage"/lib/*; do
  strip --strip-unneeded "$file"
  case $file in */lib/*) rpath='$ORIGIN' ;; *) rpath='$ORIGIN/../lib' ;; esac
  patchelf --force-rpath --set-rpath "$rpath" "$file"
done

glibc=$(objdump -T "$stage"/bin/* "$stage"/lib/* "$stage"/tests/* 2>/dev/null | grep -o 'GLIBC_[0-9.]*' | sort -u -V | tail -n 1)
glibc=${glibc#GLIBC_}
architectures=$(sed -n 's/.*CUDA plug-in: .*kernels for \(.*\)/\1/p' "$folder-configure.log" 2>/dev/null || true)
cat >"$stage/README" <<TEXT
blindspot $version for x86-64 Linux with glibc $glibc or later (Debian 12, Ubuntu 24.04 and later, for instance).
Processor: x86-64-v2 or later. Nothing has to be installed, and nothing is downloaded.

  bin/blindspot          the program: bin/blindspot demo, bin/blindspot devices, bin/blindspot --help
  lib/                   the CUDA plug-in, and every library but those of the C library's own package
  tests/                 test programs for the CPU and (*_gpu, test_gpu) for a GPU
  bench/gpu.sh           measures a GPU; bench/gpu.sh --seconds 300
  run-gpu-checks         all of it in eight minutes, with one table: ./run-gpu-checks [REFERENCE-FOLDER]
  LICENSE, licences/     of blindspot, and of the libraries

CUDA: compute capabilities ${architectures:-as built}. A driver for the CUDA version of the
plug-in (bin/blindspot devices says what is missing), cuDNN 9 and cuBLAS: from the system, a toolkit, or the nvidia-*
wheels of the Python that is first on the PATH or in \$VIRTUAL_ENV; \$BLINDSPOT_CUDA_LIBRARIES, folders separated by
colons, says where else. Plans that were chosen for the GPU are kept in \$XDG_CACHE_HOME or ~/.cache.
TEXT

archive=build/$name.tar.xz
rm -f "$archive"
tar --sort=name --owner=0 --group=0 --numeric-owner -C build/bundle-stage -cf - "$name" | xz -9 >"$archive"
bytes=$(stat -c %s "$archive")
echo "$archive: $bytes bytes, $(du -sm "$stage" | cut -f 1) MiB unpacked; needs glibc $glibc or later"
if [ "$bytes" -gt $most_bytes ]; then
  du -k "$stage"/*/* | sort -rn | head -n 12 >&2
  echo "tools/bundle.sh: the archive is larger than $most_bytes bytes" >&2
  exit 1
fi
