#!/bin/bash
# Builds the fuzz targets of tests/fuzz and runs each for MINUTES (fractions allowed) from seeds made at run time; what was
# found before is kept in build/fuzz-corpus. Ends with an error and the input's path at the first finding.
#   tools/fuzz.sh MINUTES [TARGET...]             libFuzzer under address and undefined-behaviour sanitizers
#   tools/fuzz.sh --afl MINUTES [TARGET...]       the same targets built and run by AFL++
#   tools/fuzz.sh --coverage [TARGET...]          line coverage of each parser by all that was found so far
#   tools/fuzz.sh --planted MINUTES [TARGET...]   whether each finds a bug planted in a copy of the sources within MINUTES,
#                                                 from the seeds alone (tests/fuzz/planted_bugs.py)
set -euo pipefail
cd "$(dirname "$0")/.."
all_targets="safetensors pickle zip json png jpeg run_rows command_line"
corpora="$PWD/build/fuzz-corpus"
fixtures="${BLINDSPOT_SHARED:-$PWD/../shared}/fixtures"

build() {  # build PRESET
  cmake --preset "$1" >"build/$1-configure.log" 2>&1 || { cat "build/$1-configure.log"; exit 1; }
  cmake --build "build/$1" --target ${targets[@]/#/fuzz_}
}

sources_of() {  # sources_of TARGET: the parser that it is there for; `pytorch`: what zip and pickle share
  case $1 in
    safetensors) echo weights/safetensors_reader.cpp ;;
    pickle) echo weights/unpickler.cpp weights/unpickler_calls.cpp weights/unpickler_literals.cpp weights/pickle_heap.cpp \
      weights/pickle_names.cpp weights/state_dict_search.cpp ;;
    zip) echo weights/zip_archive.cpp weights/zip_directory.cpp ;;
    pytorch) echo weights/pytorch_reader.cpp ;;
    json) echo engine/small_json.cpp engine/preprocessing_json.cpp engine/folder_configuration.cpp ;;
    png) echo engine/images/png_structure.cpp ;;
    jpeg) echo engine/images/jpeg_structure.cpp engine/images/jpeg_entropy.cpp engine/images/jpeg_canonical.cpp ;;
    run_rows) echo engine/evaluation/run_rows.cpp engine/evaluation/run_database.cpp ;;
    command_line) echo tools/command_line.cpp tools/numbers.cpp tools/options.cpp ;;
  esac
}

# As many targets at a time as there are processors; the first failure ends it.
run_together() {  # run_together FUNCTION
  local target running=0
  for target in "${targets[@]}"; do
    if [ "$running" -ge "$(nproc)" ]; then wait -n; running=$((running - 1)); fi
    "$1" "$seconds" "$target" &
    running=$((running + 1))
  done
  while [ "$running" -gt 0 ]; do wait -n; running=$((running - 1)); done
}

# Time, one allocation, and all of them: far above what the targets themselves allow (tests/fuzz/fuzz_target.cpp).
libfuzzer() {  # libfuzzer PROGRAM SECONDS TARGET PREFIX-OF-WHAT-IS-FOUND
  "$1" -max_total_time="$2" -max_len=9216 -timeout=120 -malloc_limit_mb=80 -rss_limit_mb=2048 -print_final_stats=1 \
    -artifact_prefix="$4" "$corpora/$3"
}

executions_in() { sed -n 's/^stat::number_of_executed_units: *//p' "$1"; }

run_libfuzzer() {
  local seconds=$1 target=$2 log="build/fuzz-$2.log"
  libfuzzer "build/fuzz/tests/fuzz/fuzz_$target" "$seconds" "$target" "build/fuzz-found-$target-" >"$log" 2>&1 ||
    { tail -n 40 "$log"; echo "tools/fuzz.sh: $target failed, its input is at build/fuzz-found-$target-*" >&2; exit 1; }
  echo "$target: $(executions_in "$log") executions in $seconds s"
}

run_afl() {
  local seconds=$1 target=$2 out="$PWD/build/fuzz-afl-out/$2"
  rm -rf "$out"
  mkdir -p "$out"
  AFL_SKIP_CPUFREQ=1 AFL_I_DONT_CARE_ABOUT_MISSING_CRASHES=1 AFL_NO_UI=1 AFL_IGNORE_SEED_PROBLEMS=1 \
    afl-fuzz -V "$seconds" -m none -t 120000 -i "$corpora/$target" -o "$out" -- \
    "build/fuzz-afl/tests/fuzz/fuzz_$target" >"build/fuzz-afl-$target.log" 2>&1 ||
    { tail -n 20 "build/fuzz-afl-$target.log"; exit 1; }
  echo "$target: $(sed -n 's/^execs_done *: //p' "$out/default/fuzzer_stats") executions by AFL++ in $seconds s"
  if [ -n "$(find "$out/default/crashes" "$out/default/hangs" -name 'id*' 2>/dev/null)" ]; then
    echo "tools/fuzz.sh: $target failed, see $out/default/crashes and hangs" >&2
    exit 1
  fi
}

# A program of each target with its bug in it, build/fuzz-planted/fuzz_TARGET, and what the bug is.
build_planted() {
  local target file tree=build/fuzz-planted/tree
  mkdir -p "$tree"
  # What has not changed keeps its time, so that it is not compiled again; where a bug was planted the file gets a new one.
  tar --exclude=./build --exclude=./.git -c . | tar -x -C "$tree"
  (cd "$tree" && cmake --preset fuzz) >build/fuzz-planted-configure.log 2>&1 || { cat build/fuzz-planted-configure.log; exit 1; }
  for target in "${targets[@]}"; do
    python3 tests/fuzz/planted_bugs.py "$target" "$tree" >"build/fuzz-planted/$target"
    (cd "$tree" && cmake --build build/fuzz --target "fuzz_$target") >"build/fuzz-planted-$target.log" 2>&1 ||
      { tail -n 40 "build/fuzz-planted-$target.log"; exit 1; }
    cp "$tree/build/fuzz/tests/fuzz/fuzz_$target" build/fuzz-planted/
    file=$(python3 tests/fuzz/planted_bugs.py --file "$target")
    cp "$file" "$tree/$file"
  done
}

hunt_planted() {
  local seconds=$1 target=$2 start=$SECONDS status=0 log="build/fuzz-planted-$2.log"
  rm -f "build/fuzz-planted/found-$target-"*
  libfuzzer "build/fuzz-planted/fuzz_$target" "$seconds" "$target" "build/fuzz-planted/found-$target-" >"$log" 2>&1 || status=$?
  local executions
  executions=$(executions_in "$log")
  if [ $status -eq 0 ] || [ -z "$(find build/fuzz-planted -name "found-$target-crash-*")" ]; then
    echo "tools/fuzz.sh: $target did not find what was forgotten: $(<"build/fuzz-planted/$target") ($executions executions)" >&2
    exit 1
  fi
  echo "$target: found in $((SECONDS - start)) s, ${executions:-few} executions: $(<"build/fuzz-planted/$target")"
}

note_coverage() {
  LLVM_PROFILE_FILE="build/fuzz-$1.profraw" "build/fuzz-coverage/tests/fuzz/fuzz_$1" -runs=0 -max_len=9216 "$corpora/$1" \
    >/dev/null 2>&1
}

print_coverage() {  # print_coverage PARSER TARGET...
  local parser=$1 target programs=() profiles=()
  shift
  for target; do
    programs+=(-object "build/fuzz-coverage/tests/fuzz/fuzz_$target")
    profiles+=("build/fuzz-$target.profraw")
  done
  llvm-profdata merge -sparse "${profiles[@]}" -o "build/fuzz-$parser.profdata"
  echo "$parser: lines, missed, coverage"
  # By their names alone: what llvm-cov calls a folder depends on how the compiler was called.
  llvm-cov report "${programs[@]:1}" -instr-profile="build/fuzz-$parser.profdata" |
    awk -v sources="$(sources_of "$parser")" '
      BEGIN { n = split(sources, paths, " "); for (i = 1; i <= n; ++i) { sub(/.*\//, "", paths[i]); wanted[paths[i]] = 1 } }
      { name = $1; sub(/.*\//, "", name) }
      name in wanted { printf "  %s: %d, %d, %s\n", name, $8, $9, $10; lines += $8; missed += $9 }
      END { if (lines == 0) exit 1; printf "  all: %d, %d, %.1f%%\n", lines, missed, 100 * (lines - missed) / lines }'
}

mode=libfuzzer
case "${1:-}" in
  --afl) mode=afl; shift ;;
  --coverage) mode=coverage; shift ;;
  --planted) mode=planted; corpora="$PWD/build/fuzz-planted/seeds"; shift ;;
esac
if [ "$mode" != coverage ]; then
  [[ "${1:-}" =~ ^[0-9]*\.?[0-9]+$ ]] || { echo "usage: tools/fuzz.sh [--afl | --planted] MINUTES [TARGET...] | --coverage [TARGET...]" >&2; exit 2; }
  seconds=$(awk -v minutes="$1" 'BEGIN { printf "%d", minutes * 60 + 0.5 }')
  shift
fi
targets=(${@:-$all_targets})
if [ "$mode" = planted ]; then rm -rf "$corpora"; fi
mkdir -p build
python3 tests/fuzz/make_seeds.py "$corpora" "$fixtures"
case $mode in
  libfuzzer) build fuzz; run_together run_libfuzzer ;;
  afl) build fuzz-afl; run_together run_afl ;;
  planted) build_planted; run_together hunt_planted ;;
  coverage)
    build fuzz-coverage
    for target in "${targets[@]}"; do note_coverage "$target"; print_coverage "$target" "$target"; done
    if [[ " ${targets[*]} " == *" zip "* && " ${targets[*]} " == *" pickle "* ]]; then print_coverage pytorch zip pickle; fi ;;
esac
