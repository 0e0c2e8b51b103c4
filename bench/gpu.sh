#!/bin/bash
# How near the hardware blindspot runs on a GPU, in one run and one table.
#   bench/gpu.sh [--seconds N] [--networks A,B] [--batches 196,32,1] [--precisions bf16,tf32,fp16,fp32] [--output FILE.json]
# Every row is `blindspot bench`, which measures the card's copy and matrix rates in the same process and gives the share of
# the floor that they leave. Where python3 has PyTorch with CUDA and the reference material's PyTorch script is there
# (../shared/peers/lst_torch.py, or below $BLINDSPOT_SHARED), the same walk in PyTorch stands beside it, in turn with ours.
# The rows as JSON go into FILE.json, by default blindspot-gpu.json in the current folder. How busy a long walk keeps the GPU is
# asked of nvidia-smi. The rows that matter most come first; what the seconds (900) do not reach is listed as not measured.
# Plans that are chosen are kept on disk, so a second run measures more. Needs bash and coreutils. Exit 4: no GPU can be used.
set -euo pipefail
export LC_ALL=C
export CUDA_DEVICE_ORDER=${CUDA_DEVICE_ORDER:-PCI_BUS_ID}  # nvidia-smi's order
here=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
seconds=900 networks=resnet50,vit_b_16,wrn_28_10,deit_small batches=196,32,1 precisions=bf16,tf32,fp16,fp32 output=blindspot-gpu.json
usage() { echo "bench/gpu.sh: $1" >&2; exit 2; }
while [ $# -gt 0 ]; do
  [ $# -ge 2 ] || usage "$1: no such option, or no value"
  case $1 in
    --seconds) seconds=$2 ;;
    --networks) networks=$2 ;;
    --batches) batches=$2 ;;
    --precisions) precisions=$2 ;;
    --output) output=$2 ;;
    *) usage "$1: there are --seconds, --networks, --batches, --precisions and --output" ;;
  esac
  shift 2
done
start=$SECONDS  # looking for GPU and PyTorch counts too
[[ $seconds =~ ^[1-9][0-9]{0,5}$ ]] || usage "--seconds $seconds: it must be a whole number from 1 to 999999"

program=${BLINDSPOT_PROGRAM:-}
for candidate in "$here/bin/blindspot" "$here/build/release/blindspot" "$here/build/cuda/blindspot"; do
  [ -n "$program" ] || { [ -x "$candidate" ] && program=$candidate; } || true
done
[ -n "$program" ] || { echo "bench/gpu.sh: build first: tools/test.sh" >&2; exit 2; }

# value KEY TEXT: the value of a key of a flat JSON document, without quotes; nothing if absent.
value() {
  local pattern="\"$1\": *(\"([^\"]*)\"|[^,}[:space:]]+)"
  [[ $2 =~ $pattern ]] || return 0
  if [ -n "${BASH_REMATCH[2]}" ]; then echo "${BASH_REMATCH[2]}"; else echo "${BASH_REMATCH[1]}"; fi
}
# quotient A B: A / B to two places; numbers as JSON writes them.
quotient() {
  local a b
  a=$(printf '%.0f' "${1/[eE]*/}e6"); b=$(printf '%.0f' "${2/[eE]*/}e6")
  [ "$b" -gt 0 ] || { echo -; return; }
  local hundredths=$(((a * 100 + b / 2) / b))
  printf '%d.%02d\n' $((hundredths / 100)) $((hundredths % 100))
}

devices=$("$program" devices)
pattern=$'(^|\n)cuda(:0)?: not usable: ([^\n]*)'
if ! [[ $devices == *cuda:* ]] || [[ $devices =~ $pattern ]]; then
  echo "bench/gpu.sh: no GPU can be used: ${BASH_REMATCH[3]:-none was found}" >&2
  exit 4
fi

peer=""
for folder in ${BLINDSPOT_SHARED:+"$BLINDSPOT_SHARED/peers"} "$here/../shared/peers"; do
  [ -n "$peer" ] || { [ -f "$folder/lst_torch.py" ] && peer=$folder/lst_torch.py; } || true
done
no_peer=""
if [ -z "$peer" ]; then
  no_peer="the PyTorch script is not there"
elif ! timeout 120 python3 -c 'import sys, torch; sys.exit(not torch.cuda.is_available())' 2>/dev/null; then
  no_peer="python3 has no PyTorch with CUDA"
fi

work=$(mktemp -d)
watch="" sampler=""
trap 'for one in $watch $sampler; do kill "$one" 2>/dev/null || true; done; rm -rf "$work"' EXIT
if command -v nvidia-smi >/dev/null; then
  timeout "$seconds" nvidia-smi --query-gpu=utilization.gpu,clocks.sm,clocks.mem --format=csv,noheader,nounits -l 2 >"$work/clocks" 2>/dev/null &
  watch=$!
fi
left() { echo $((seconds - (SECONDS - start))); }
rows="" table="" not_measured=""

# A row is given at most this long; the search for plans of a shape that was never run takes most of it. The first row is the
# one that matters most.
row_seconds=420
limit() { local rest; rest=$(left); echo $((rest < row_seconds ? rest : row_seconds)); }

# run COMMAND...: its stdout in $result; false where it failed or there was no time.
run() {
  local rest status=0
  rest=$(limit)
  if [ "$rest" -lt 5 ]; then result="" why="no time left"; return 1; fi
  result=$(timeout "$rest" "$@" 2>"$work/errors") || status=$?
  row_seconds=240
  [ $status -eq 0 ] && return 0
  why="exit $status"
  [ $status -eq 124 ] && why="took more than $rest s"
  local line
  while read -r line; do [ -n "$line" ] && why="$why: $line" && break; done <"$work/errors" || true
  return 1
}

# How busy a walk keeps the GPU: nvidia-smi's utilization, the share of time in which a kernel ran, in the median of what it
# tells from the start of the command to its end. The walk is more than half of that; what comes before and after keeps
# the GPU less busy. Leaves it in $busy, in per cent.
busy_seconds=30
measure_busy() {  # measure_busy NETWORK BATCH PRECISION
  local gpu=${CUDA_VISIBLE_DEVICES:-0} status=0 samples
  if ! command -v nvidia-smi >/dev/null; then why="there is no nvidia-smi"; return 1; fi
  if [ "$(left)" -lt $((4 * busy_seconds)) ]; then why="no time left"; return 1; fi
  timeout "$seconds" nvidia-smi -i "${gpu%%,*}" --query-gpu=utilization.gpu --format=csv,noheader,nounits -lms 200 >"$work/busy" 2>/dev/null &
  sampler=$!
  run "$program" bench --device cuda --network "$1" --batch "$2" --precision "$3" --iterations 1000000 --seconds $busy_seconds --json --quiet || status=$?
  kill $sampler 2>/dev/null || true
  sampler=""
  [ $status -eq 0 ] || return 1
  mapfile -t samples < <(while read -r sample; do [[ $sample =~ ^[0-9]+$ ]] && echo "$sample"; done <"$work/busy" | sort -n)
  if [ ${#samples[@]} -eq 0 ]; then why="nvidia-smi tells no utilization"; return 1; fi
  busy=${samples[$((${#samples[@]} / 2))]}
}

ours() {  # ours NETWORK BATCH PRECISION
  if ! run "$program" bench --device cuda --network "$1" --batch "$2" --precision "$3" --iterations 1000000 --seconds 3 --json --quiet; then
    not_measured+="  $1, batch $2, $3: $why"$'\n'
    return 0
  fi
  rows+="${rows:+,}$result"
  our_ms=$(value ms_per_image_iteration "$result")
  echo "$1, batch $2, $3: $our_ms ms an image-iteration; $(left) s left" >&2
  card=$(value device_description "$result")
  table+=$(printf '%-11s %5s %-5s %10.4f %9.1f %6.1f %8.0f %9.0f %7.2f %8.2f' "$1" "$(value batch "$result")" "$3" "$our_ms" \
    "$(printf '%.4f' "$(value share_of_floor "$result")e2")" "$(printf '%.6f' "$(value walk_share "$result")")e2" "$(value peak_gpu_mib "$result")" \
    "$(value ms_to_open "$result")" "$(value copy_gbs "$result")e-3" "$(value gemm_gflops "$result")e-3")$'\n'
}

theirs() {  # theirs NETWORK BATCH PRECISION WAY [--compile]
  if ! run python3 "$peer" --device cuda --model "$1" --way "$4" --precision "$3" --batch "$2" --iterations 20 ${5:-}; then
    not_measured+="  PyTorch, $1, batch $2, $4 $3${5:+ compiled}: $why"$'\n'
    return 0
  fi
  local line
  while read -r line; do [[ $line == \{* ]] && result=$line; done <<<"$result"
  peers+="${peers:+,}$result"
  local ms
  ms=$(value ms_per_image_iteration "$result")
  echo "PyTorch, $1, batch $2, $4 $3${5:+ compiled}: $ms ms an image-iteration; $(left) s left" >&2
  peer_table+=$(printf '%-11s %5s %-22s %10.4f %8.0f  %sx ours in bf16, %sx in tf32' "$1" "$2" "$4 $3${5:+ compiled}" "$ms" \
    "$(value peak_gpu_mib "$result")" "$(quotient "$ms" "${ours_ms[$1 $2 bf16]:-0}")" \
    "$(quotient "$ms" "${ours_ms[$1 $2 tf32]:-0}")")$'\n'
}

declare -A ours_ms
peers="" peer_table="" card=""
IFS=, read -r -a network_list <<<"$networks"
IFS=, read -r -a batch_list <<<"$batches"
IFS=, read -r -a precision_list <<<"$precisions"
all_theirs() {
  local network
  for network in "${network_list[@]}"; do
    case $network in
      resnet50 | vit_b_16 | deit_small) ;;
      *) not_measured+="  PyTorch, $network: the script does not have it"$'\n'; continue ;;
    esac
    theirs "$network" "$batch" fp32 authors
    theirs "$network" "$batch" tf32 authors
    theirs "$network" "$batch" bf16 authors
    theirs "$network" "$batch" tf32 tuned
    theirs "$network" "$batch" bf16 tuned
    theirs "$network" "$batch" bf16 tuned --compile
    theirs "$network" "$batch" tf32 tuned --compile
  done
}

# PyTorch at the first batch only, once ours is known there in the precisions that it is held against.
busy="" busy_of=""
held_against=${precision_list[1]:-${precision_list[0]}}
for batch in "${batch_list[@]}"; do
  for precision in "${precision_list[@]}"; do
    for network in "${network_list[@]}"; do
      our_ms=""
      ours "$network" "$batch" "$precision"
      # A batch that was halved for want of memory is not held against PyTorch's whole one.
      if [ -n "$our_ms" ] && [ "$(value batch "$result")" = "$batch" ]; then ours_ms["$network $batch $precision"]=$our_ms; fi
    done
    if [ -z "$no_peer" ] && [ "$batch" = "${batch_list[0]}" ] && [ "$precision" = "$held_against" ]; then all_theirs; fi
  done
  if [ -z "$busy_of" ]; then  # once the first batch is through
    busy_of="${network_list[0]}, batch $batch, ${precision_list[0]}"
    why="its row was not measured, or at a smaller batch"
    if [ -z "${ours_ms["${network_list[0]} $batch ${precision_list[0]}"]:-}" ] || ! measure_busy "${network_list[0]}" "$batch" "${precision_list[0]}"; then
      not_measured+="  how busy the GPU is ($busy_of): $why"$'\n'
    fi
  fi
done

smi="" clocks=""
if [ -n "$watch" ]; then
  smi=$(timeout 5 nvidia-smi --query-gpu=driver_version,clocks.max.sm,clocks.max.mem,power.limit --format=csv,noheader 2>/dev/null || true)
  smi=${smi%%$'\n'*}
  least=99999 most=0 memory=0
  while IFS=', ' read -r share now memory_now; do
    [[ $share =~ ^[0-9]+$ && $now =~ ^[0-9]+$ ]] || continue
    [ "$share" -ge 80 ] || continue
    memory=$memory_now
    [ "$now" -ge $least ] || least=$now
    [ "$now" -le $most ] || most=$now
  done <"$work/clocks"
  [ $most -eq 0 ] || clocks="$least to $most MHz, memory $memory MHz, while busy"
fi
{
  echo "${card:-no row was measured}"
  [ -z "$smi" ] || echo "driver, largest clocks, power limit: $smi${clocks:+; clocks seen: $clocks}"
  printf '%-11s %5s %-5s %10s %9s %6s %8s %9s %7s %8s\n' network batch type "ms/image" "% of" "% the" "GPU MiB" "open ms" "copy" "matrix"
  printf '%-11s %5s %-5s %10s %9s %6s %8s %9s %7s %8s\n' "" "" "" "iteration" "its floor" "walk's" "at most" "" "TB/s" "TFLOP/s"
  printf '%s' "$table"
  [ -z "$busy" ] || echo "GPU busy $busy % of the time in a walk of $busy_seconds s ($busy_of; nvidia-smi's utilization, median)"
  if [ -n "$peer_table" ]; then
    printf '\n%-11s %5s %-22s %10s %8s\n' PyTorch batch "" "ms/image" "GPU MiB"
    printf '%s' "$peer_table"
  fi
  [ -z "$no_peer" ] || echo "PyTorch beside it: not measured: $no_peer"
  if [ -n "$not_measured" ]; then echo "not measured:"; printf '%s' "$not_measured"; fi
  echo "in $((SECONDS - start)) s"
}
printf '{"card": "%s", "driver_and_limits": "%s", "clocks_seen": "%s", "gpu_busy_percent": %s, "rows": [%s], "pytorch": [%s]}\n' \
  "$card" "$smi" "$clocks" "${busy:-null}" "$rows" "$peers" >"$output"
[ -n "$table" ]
