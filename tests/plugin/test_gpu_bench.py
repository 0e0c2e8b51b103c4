"""bench/gpu.sh on a made-up GPU: a script stands in for the program, others for nvidia-smi and for PyTorch.

BLINDSPOT_GPU_BENCH names the script under test."""
import json
import os
import pathlib
import subprocess
import tempfile
import unittest

SCRIPT = os.environ["BLINDSPOT_GPU_BENCH"]

# ResNet-50 takes 0.05 ms in bf16 and twice that in all else; of ViT-B/16 only four images fit; nothing else runs.
PROGRAM = r"""#!/bin/bash
if [ "$1" = devices ]; then echo "cpu: a processor"; echo "$FAKE_GPU"; exit; fi
while [ $# -gt 0 ]; do
  case $1 in --network) network=$2 ;; --batch) batch=$2 ;; --precision) precision=$2 ;; --seconds) seconds=$2 ;; esac
  shift
done
case $network in resnet50) ;; vit_b_16) batch=4 ;; *) echo "blindspot: $network: no such plan" >&2; exit 4 ;; esac
[ "$seconds" = 3 ] || sleep 1
ms=0.1
[ $precision = bf16 ] && ms=0.05
cat <<END
{
  "schema": "blindspot/bench/1",
  "network": "$network",
  "device_description": "a made-up GPU",
  "batch": $batch,
  "precision": "$precision",
  "ms_to_open": 1000.5,
  "ms_per_image_iteration": $ms,
  "walk_share": 0.031,
  "share_of_floor": 0.7,
  "copy_gbs": 3000.0,
  "gemm_gflops": 790000.0,
  "peak_gpu_mib": 2500.0
}
END
"""

WATCH = """#!/bin/bash
case "$*" in
*driver_version*) echo "580.1, 1980 MHz, 2619 MHz, 700 W" ;;
*clocks.sm*) while :; do echo "99, 1755, 2619"; sleep 0.1; done ;;
*) while :; do echo 98; sleep 0.05; done ;;
esac
"""

# The first question is whether PyTorch has CUDA; then 0.4 ms the authors' way, 0.1 ms another.
PYTHON = """#!/bin/bash
if [ "$1" = -c ]; then exit "${FAKE_TORCH:-0}"; fi
ms=0.1
case "$*" in *"--way authors"*) ms=0.4 ;; esac
echo "a line of progress"
echo "{\\"way\\": \\"$*\\", \\"ms_per_image_iteration\\": $ms, \\"peak_gpu_mib\\": 9000.0}"
"""


class GpuBench(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="blindspot-gpu-bench-")
        self.addCleanup(folder.cleanup)
        self.root = pathlib.Path(folder.name)
        (self.root / "bin").mkdir()
        (self.root / "shared" / "peers").mkdir(parents=True)
        (self.root / "shared" / "peers" / "lst_torch.py").write_text("")
        for name, text in (("blindspot", PROGRAM), ("nvidia-smi", WATCH), ("python3", PYTHON)):
            (self.root / "bin" / name).write_text(text)
            (self.root / "bin" / name).chmod(0o755)

    def run_bench(self, *options, **environment):
        done = subprocess.run(
            ["bash", SCRIPT, *options], capture_output=True, text=True, timeout=120, cwd=self.root,
            env={**os.environ, "PATH": f"{self.root / 'bin'}:{os.environ['PATH']}", "FAKE_GPU": "cuda: a made-up GPU",
                 "BLINDSPOT_PROGRAM": str(self.root / "bin" / "blindspot"), "BLINDSPOT_SHARED": str(self.root / "shared"),
                 **environment})
        return done

    def test_the_table_and_the_document(self):
        document = self.root / "gpu.json"
        done = self.run_bench("--networks", "resnet50,vit_b_16,wrn_28_10", "--batches", "8", "--precisions", "bf16,tf32",
                              "--output", document)
        self.assertEqual(done.returncode, 0, done.stderr)
        written = json.loads(document.read_text())
        self.assertEqual([(row["network"], row["batch"], row["precision"]) for row in written["rows"]],
                         [("resnet50", 8, "bf16"), ("vit_b_16", 4, "bf16"), ("resnet50", 8, "tf32"), ("vit_b_16", 4, "tf32")])
        self.assertEqual(written["gpu_busy_percent"], 98)
        self.assertEqual(written["card"], "a made-up GPU")
        self.assertIn("1755 to 1755 MHz", written["clocks_seen"])
        lines = [line.split() for line in done.stdout.splitlines()]
        self.assertIn(["resnet50", "8", "bf16", "0.0500", "70.0", "3.1", "2500", "1000", "3.00", "790.00"], lines)
        self.assertIn("wrn_28_10, batch 8, bf16: exit 4: blindspot: wrn_28_10: no such plan", done.stdout)

    def test_pytorch_in_every_way_against_ours_at_the_same_batch(self):
        done = self.run_bench("--networks", "resnet50,vit_b_16", "--batches", "8", "--precisions", "bf16,tf32")
        self.assertEqual(done.returncode, 0, done.stderr)
        peers = done.stdout[done.stdout.index("\nPyTorch"):]
        for way, bf16, tf32 in (("authors fp32", "8.00", "4.00"), ("authors tf32", "8.00", "4.00"),
                                ("authors bf16", "8.00", "4.00"), ("tuned tf32", "2.00", "1.00"),
                                ("tuned bf16", "2.00", "1.00"), ("tuned bf16 compiled", "2.00", "1.00"),
                                ("tuned tf32 compiled", "2.00", "1.00")):
            with self.subTest(way=way):
                rows = [line for line in peers.splitlines() if f" 8 {way} 0." in " ".join(line.split())]
                ours = [line for line in rows if f"{bf16}x ours in bf16, {tf32}x in tf32" in line]
                self.assertTrue(any(line.startswith("resnet50") for line in ours), peers)
                # Ours ran four images at a time, which is no comparison.
                self.assertTrue(any(line.startswith("vit_b_16") and "-x ours in bf16, -x in tf32" in line for line in rows), peers)

    def test_what_is_not_there_is_said(self):
        done = self.run_bench("--networks", "resnet50", "--batches", "8", "--precisions", "bf16", FAKE_TORCH="1")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("PyTorch beside it: not measured: python3 has no PyTorch with CUDA", done.stdout)
        self.assertEqual(len(json.loads((self.root / "blindspot-gpu.json").read_text())["rows"]), 1)
        other = self.run_bench("--networks", "wrn_28_10", "--batches", "8", "--precisions", "bf16,tf32")
        self.assertIn("PyTorch, wrn_28_10: the script does not have it", other.stdout)
        short = self.run_bench("--networks", "resnet50", "--batches", "8", "--precisions", "bf16", "--seconds", "5")
        self.assertIn("not measured:", short.stdout)
        self.assertIn("no time left", short.stdout)

    def test_without_a_gpu_the_reason_is_given(self):
        done = self.run_bench(FAKE_GPU="cuda: not usable: no driver")
        self.assertEqual((done.returncode, done.stdout), (4, ""))
        self.assertEqual(done.stderr, "bench/gpu.sh: no GPU can be used: no driver\n")
        for options in (("--batch", "8"), ("--seconds", "0"), ("--output",)):
            with self.subTest(options=options):
                self.assertEqual(self.run_bench(*options).returncode, 2)


if __name__ == "__main__":
    unittest.main()
