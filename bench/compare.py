#!/usr/bin/env python3
"""Runs blindspot and its PyTorch peer in turn and prints ratios of medians; called by compare.sh."""
import argparse
import json
import platform
import statistics
import subprocess
import sys

# (precision of ours, way and precision of the peer): what each line of the table compares.
PAIRS = [
    ("fp32", "authors", "fp32"),
    ("fp32", "tuned", "fp32"),
    ("bf16", "authors", "fp32"),
    ("bf16", "tuned", "bf16"),
]


def run(command):
    finished = subprocess.run(command, capture_output=True, text=True)
    if finished.returncode != 0:
        sys.exit(f"{' '.join(command)}: exit {finished.returncode}\n{finished.stderr}")
    return json.loads(finished.stdout.strip().splitlines()[-1] if "lst_torch" in " ".join(command) else finished.stdout)


def processor():
    with open("/proc/cpuinfo") as lines:
        for line in lines:
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor()


def median(runs, key):
    return statistics.median(r[key] for r in runs)


def compare_network(options, network):
    """One table: every program and precision once a round, round after round, so that a drift of the machine hits all."""
    ours = {p: [] for p in ("fp32", "bf16")}
    peers = {(way, p): [] for _, way, p in PAIRS}
    for number in range(options.rounds):
        for precision, runs in ours.items():
            runs.append(run([options.program, "bench", "--network", network, "--batch", str(options.batch),
                             "--iterations", str(options.iterations), "--precision", precision, "--json", "--quiet"]))
        for (way, precision), runs in peers.items():
            runs.append(run([options.python, options.peer, "--device", "cpu", "--model", network, "--way", way,
                             "--precision", precision, "--batch", str(options.batch),
                             "--iterations", str(options.iterations)]))
        print(f"{network}: round {number + 1} of {options.rounds}", file=sys.stderr)
    rows = []
    for precision, way, peer_precision in PAIRS:
        mine, other = ours[precision], peers[(way, peer_precision)]
        rows.append({
            "network": network, "ours": precision, "peer": f"{way} {peer_precision}",
            "ours_ms": median(mine, "ms_per_image_iteration"), "peer_ms": median(other, "ms_per_image_iteration"),
            "speedup": median(other, "ms_per_image_iteration") / median(mine, "ms_per_image_iteration"),
            "ours_mib": median(mine, "peak_rss_mib"), "peer_mib": median(other, "peak_rss_mib"),
            "memory": median(mine, "peak_rss_mib") / median(other, "peak_rss_mib"),
            "share_of_gemm": median(mine, "gflops") / median(mine, "gemm_gflops"),
        })
    return rows


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--program", required=True)
    parser.add_argument("--python", required=True)
    parser.add_argument("--peer", required=True)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--iterations", type=int, default=8)
    parser.add_argument("--networks", default="resnet50,vit_b_16")
    parser.add_argument("--output", help="also write the rows as JSON")
    options = parser.parse_args()
    rows = [row for network in options.networks.split(",") for row in compare_network(options, network)]
    print(f"processor: {processor()}; medians of {options.rounds} rounds, batch {options.batch}, "
          "milliseconds an image-iteration")
    print(f"{'network':<10} {'ours':<5} {'PyTorch':<13} {'ours ms':>8} {'theirs':>8} {'faster':>7} "
          f"{'ours MiB':>9} {'theirs':>8} {'memory':>7} {'of gemm':>8}")
    for row in rows:
        print(f"{row['network']:<10} {row['ours']:<5} {row['peer']:<13} {row['ours_ms']:8.1f} {row['peer_ms']:8.1f} "
              f"{row['speedup']:6.2f}x {row['ours_mib']:9.0f} {row['peer_mib']:8.0f} {row['memory']:7.2f} "
              f"{row['share_of_gemm']:8.2f}")
    if options.output:
        with open(options.output, "w") as file:
            json.dump({"processor": processor(), "rows": rows}, file, indent=1)


if __name__ == "__main__":
    main()
