#!/bin/bash
# Installs what is missing, builds, and tests.
#   tools/test.sh          the release build and its tests, the host execution of CUDA among them (about 15 minutes on two
#                          cores); the CUDA plug-in is built where there is an nvcc
#   tools/test.sh --ci     what .ci/run adds: clang-format, the CPU device by oneDNN 3, the library alone, the sanitizers on
#                          small shapes, half a minute of each fuzz target, clang-tidy over all but tests and bench
#   tools/test.sh --onednn-3, --minimal, --small-sanitizers   one of these alone; --minimal tells the size of the library
#                          alone and what it needs, and runs a program that uses it
#   tools/test.sh --tidy   clang-format and clang-tidy over all but the kernels, and every file by itself
#   tools/test.sh --fuzz   half a minute of each fuzz target
#   tools/test.sh --nvcc   the CUDA plug-in by nvcc for one architecture; registers must not spill
#   tools/test.sh --sanitizers  address and undefined-behaviour sanitizers on every test
#   tools/test.sh --thread-sanitizer  the kernels, with an operating-system thread for each CUDA thread
#   tools/test.sh --full   the release build and every test, the long ones too, then these two sanitizers' runs: hours
#   tools/test.sh --gpu    on a machine with a GPU: the tests that need one, under NVIDIA's checkers too, and bench/gpu.sh
set -euo pipefail
cd "$(dirname "$0")/.."
. tools/requirements.sh
mkdir -p build
# As many tests run at a time as there are processors: waiting threads must not spin on each other's.
export OMP_WAIT_POLICY="${OMP_WAIT_POLICY:-passive}"

configure() {  # configure PRESET [CMAKE-OPTION...]
  preset=$1; shift
  # The packages' own Python, which has the packages' jsonschema.
  cmake --preset "$preset" -DPython3_EXECUTABLE=/usr/bin/python3 "$@" >"build/$preset-configure.log" 2>&1 || { cat "build/$preset-configure.log"; exit 1; }
}

build() {  # build PRESET [CMAKE-OPTION...]
  configure "$@"
  cmake --build "build/$1"
}

run_release() {
  build release -DBLINDSPOT_SECOND_ONEDNN_ROOT=
  ctest --test-dir build/release --output-on-failure -j "$(nproc)" "$@"
}

# The plug-in as nvcc makes it: where there is an nvcc, a build that left CUDA out fails. ptxas must not spill registers.
run_nvcc() {
  if [ ! -x "$(command -v nvcc || echo /usr/local/cuda/bin/nvcc)" ]; then echo "nvcc: skipped: there is none"; return; fi
  tools/cudnn-frontend.sh
  build release -DBLINDSPOT_CUDA=ON -DBLINDSPOT_CUDA_ARCHITECTURES=90
  tools/kernel-report.sh 90
}

# The library of the other generation: Debian 12 has oneDNN 2.6, Debian 13 and Ubuntu 24.04 have 3.x.
run_onednn_3() {
  if [ ! -d build/onednn-3 ]; then
    python3 -m venv build/venv
    build/venv/bin/pip -q download --no-deps -d build/onednn-wheels onednn-devel-cpu-gomp==2023.2.0 onednn-cpu-gomp==2023.2.0
    # Headers and library are packages of their own; laid over each other they make one prefix.
    for wheel in build/onednn-wheels/*.whl; do python3 -m zipfile -e "$wheel" build/onednn-wheels/unpacked; done
    mkdir build/onednn-3
    cp -r build/onednn-wheels/unpacked/*.data/data/. build/onednn-3/
  fi
  # Only engine/cpu knows oneDNN (tests/floors): it alone is compiled again, and the tests of what it computes linked to it.
  configure release -DBLINDSPOT_SECOND_ONEDNN_ROOT="$PWD/build/onednn-3"
  cmake --build build/release --target second_onednn_tests
  ctest --test-dir build/release --output-on-failure -R '_second_onednn$'
}

# All files of a target as one: most of the time goes into the headers of others.
run_clang_tidy() {  # run_clang_tidy [REGULAR-EXPRESSION of the files to read]
  cmake --preset release -B build/tidy -DCMAKE_UNITY_BUILD_BATCH_SIZE=0 -DBLINDSPOT_CUDA=OFF \
    -DPython3_EXECUTABLE=/usr/bin/python3 >build/tidy-configure.log
  cmake --build build/tidy --target generated_sources >>build/tidy-configure.log
  run-clang-tidy -quiet -j "$(nproc)" -p build/tidy -extra-arg=-Wno-unknown-warning-option \
    -checks=-bugprone-suspicious-include '-header-filter=(engine|weights|tools|bench|tests)/.*\.(h|cpp)$' \
    "$@" >build/clang-tidy.log 2>&1 ||
    { grep -E '(error|warning): ' build/clang-tidy.log | sort -u || tail -n 20 build/clang-tidy.log; exit 1; }
  grep -q unity_ build/clang-tidy.log || { echo "tools/test.sh: clang-tidy was given nothing to read" >&2; exit 1; }
  echo "clang-tidy: clean"
}

run_clang_format() {
  find bench engine kernels tests tools weights -regex '.*\.\(cpp\|h\|cu\|cuh\)' -print0 | xargs -0 clang-format --dry-run -Werror
  echo "clang-format: clean"
}

# Each file by itself, so that one that leaves out a header is seen: read, not compiled.
run_file_by_file() {
  cmake --preset release -B build/files -DCMAKE_UNITY_BUILD=OFF -DBLINDSPOT_CUDA=OFF -DPython3_EXECUTABLE=/usr/bin/python3 >build/files-configure.log
  cmake --build build/files --target generated_sources >>build/files-configure.log
  python3 -c 'import json, sys; print(*{e["file"]: e["command"] for e in json.load(sys.stdin)}.values(), sep="\n")' \
    <build/files/compile_commands.json | xargs -d '\n' -P "$(nproc)" -I{} sh -c '{} -fsyntax-only'
  echo "file by file: each has the headers that it needs"
}

# For small deployments: the C example is built against the installed tree and must come to an answer.
run_minimal() {
  cmake --preset release -B build/minimal -DBLINDSPOT_MINIMAL=ON -DBLINDSPOT_CUDA=OFF >build/minimal-configure.log 2>&1 ||
    { cat build/minimal-configure.log; exit 1; }
  cmake --build build/minimal
  rm -rf build/minimal-tree
  cmake --install build/minimal --prefix build/minimal-tree --strip >/dev/null
  library=$(dirname "$(find "$PWD/build/minimal-tree" -name libblindspot.so)")
  cc -std=c99 tests/installed/outside/classify.c -o build/minimal-classify \
    $(PKG_CONFIG_PATH="$library/pkgconfig" pkg-config --cflags --libs blindspot)
  LD_LIBRARY_PATH=$library build/minimal-classify demo-resnet tools/pictures/triangle.png
  stat -L -c 'minimal: %s bytes' "$library/libblindspot.so"
  # What it names itself, and all that comes with it.
  readelf -d "$library/libblindspot.so" | sed -n 's/.*NEEDED.*\[\(.*\)\]/minimal: needs \1/p' | tee build/minimal-needs
  ldd "$library/libblindspot.so" | sed -n 's/^[[:space:]]*\([^ ]*\) => .*/minimal: loads \1/p' | tee -a build/minimal-needs
  if grep -E 'curl|sqlite|fmt|cairo' build/minimal-needs; then
    echo "tools/test.sh: the library alone needs what it is to do without" >&2
    exit 1
  fi
}

run_under_sanitizers() {  # run_under_sanitizers PRESET [CTEST-OPTION...]
  local preset=$1; shift
  ASAN_OPTIONS=detect_leaks=1 LSAN_OPTIONS="suppressions=$PWD/tests/leak_suppressions.txt:print_suppressions=0" \
    ctest --test-dir "build/$preset" --output-on-failure -j "$(nproc)" -LE 'full|gpu' "$@"
}

run_sanitizers() {
  build asan
  run_under_sanitizers asan
}

# The readers of files, the operations and the walk: what touches memory itself, in tests without a network of full size.
# In the fuzz targets' tree, whose libraries are the same: by clang, where the whole run has GCC's sanitizers.
run_small_sanitizers() {
  local tests="weights images device operations walk measures_properties cuda_on_host kernels cuda_device operations_cuda plan_trial"
  configure fuzz
  cmake --build build/fuzz --target $(printf 'test_%s ' $tests) arena_overrun planted_faults
  run_under_sanitizers fuzz -R "^(${tests// /|}|arena_overrun|planted_.*)\$"
}

# Races in shared memory: an operating-system thread for each CUDA thread, without oneDNN, whose threads it cannot follow.
run_thread_sanitizer() {
  cmake --preset tsan -DPython3_EXECUTABLE=/usr/bin/python3
  cmake --build build/tsan --target test_cuda_on_host test_operations_cuda planted_faults
  ctest --test-dir build/tsan --output-on-failure -R '^(cuda_on_host|operations_cuda|planted_.*)$'
}

# The plug-in has to be there; compute-sanitizer comes with CUDA's toolkit.
run_gpu() {
  tools/cudnn-frontend.sh
  build release -DBLINDSPOT_CUDA=ON
  ctest --test-dir build/release --output-on-failure -L gpu
  if build/release/blindspot devices | grep -q '^cuda.*not usable'; then
    echo "tools/test.sh --gpu: no GPU can be used, see build/release/blindspot devices" >&2
    exit 4
  fi
  local compute_sanitizer status
  compute_sanitizer=$(command -v compute-sanitizer || echo /usr/local/cuda/bin/compute-sanitizer)
  if [ -x "$compute_sanitizer" ]; then
    for checker in memcheck racecheck initcheck; do
      echo "compute-sanitizer, $checker:"
      status=0
      BLINDSPOT_PLUGINS="$PWD/build/release" "$compute_sanitizer" --tool "$checker" --error-exitcode 1 --target-processes all \
        build/release/tests/operations/test_operations_gpu --no-intro >"build/$checker.log" 2>&1 || status=$?
      [ $status -ne 77 ] || echo "tools/test.sh --gpu: under $checker the tests see no GPU" >&2
      [ $status -eq 0 ] || { tail -n 40 "build/$checker.log"; exit 1; }
      tail -n 1 "build/$checker.log"
    done
  else
    echo "compute-sanitizer is neither on the PATH nor in /usr/local/cuda/bin: memcheck, racecheck and initcheck are left out"
  fi
  env -u OMP_WAIT_POLICY bench/gpu.sh --output build/gpu.json
}

# The report's page is tested in a browser, where the distribution has one as a package.
require_browser() {
  require report_test || echo "tools/test.sh: no chromium to be had; the report's page is not tested in a browser"
}

case "${1:-}" in
  "") require build test; require_browser; run_release -LE 'full|gpu' ;;
  --full)
    require build test check; require_browser
    run_release -LE gpu; run_sanitizers; run_thread_sanitizer ;;
  --gpu) require build test; run_gpu ;;
  --ci)
    require build test check fuzz
    run_clang_format; run_onednn_3; run_minimal; run_small_sanitizers; tools/fuzz.sh 0.5
    # The CUDA device is compiled for its tests on the host.
    run_clang_tidy "^$(pwd -P)/(build/tidy/)?(CMakeFiles|engine|tools|weights|tests/cuda_device/CMakeFiles/blindspot_cuda_on_host.dir)/" ;;
  --nvcc) require build test check; run_nvcc ;;
  --onednn-3) require build test check; run_onednn_3 ;;
  --sanitizers) require build test check; run_sanitizers ;;
  --small-sanitizers) require build test check fuzz; run_small_sanitizers ;;
  --thread-sanitizer) require build test check; run_thread_sanitizer ;;
  --tidy) require build test check; run_clang_format; run_clang_tidy; run_file_by_file ;;
  --minimal) require build; run_minimal ;;
  --fuzz) require build check fuzz; tools/fuzz.sh 0.5 ;;
  *)
    echo "tools/test.sh: no option $1; there are --ci, --nvcc, --onednn-3, --minimal, --small-sanitizers, --sanitizers, --thread-sanitizer, --tidy, --fuzz, --full and --gpu" >&2
    exit 2 ;;
esac
