"""SIGINT and SIGTERM in every phase of every command: a prompt end, the right exit code, nothing half written.

Each command is given far more to do than the test waits for, so that the signal falls into the phase of its name."""
import json
import pathlib
import signal
import struct
import subprocess
import time
import unittest
import zlib

from program import PROGRAM, ProgramTest, validate, write_safetensors

# What is promised is about a second; a loaded machine gets some more.
PROMPT = 4


def large_png(path, side=3000):
    """Grey noise-free rows: quick to write, slow enough to decode and resize."""
    def chunk(kind, body):
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
    rows = b"".join(b"\0" + bytes([y % 256]) * (3 * side) for y in range(side))
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)) +
                     chunk(b"IDAT", zlib.compress(rows, 1)) + chunk(b"IEND", b""))


class Stopping(ProgramTest):
    def catches_signals(self, process):
        """Whether the program has set its handler: before that a signal ends it as any other program."""
        try:
            status = pathlib.Path(f"/proc/{process.pid}/status").read_text()
        except OSError:
            return False
        (caught,) = [line.split()[1] for line in status.splitlines() if line.startswith("SigCgt:")]
        return int(caught, 16) >> (signal.SIGINT - 1) & 1

    def stop(self, *arguments, after=0.7, number=signal.SIGINT, ready=lambda: True, message=b""):
        """Starts, waits for the phase (which `message` on stderr may announce), sends the signal. Returns what was
        printed."""
        process = subprocess.Popen([PROGRAM, *map(str, arguments)], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        end = time.monotonic() + 60
        while not (self.catches_signals(process) and ready()):
            self.assertLess(time.monotonic(), end, "waited in vain")
            self.assertIsNone(process.poll(), "it ended by itself")
            time.sleep(0.01)
        while message and message not in (line := process.stderr.readline()):
            self.assertTrue(line, "it ended by itself")
        time.sleep(after)
        self.assertIsNone(process.poll(), "it ended before the signal")
        process.send_signal(number)
        start = time.monotonic()
        stdout, stderr = process.communicate(timeout=60)
        self.assertLess(time.monotonic() - start, PROMPT)
        self.assertEqual(process.returncode, 128 + number, stderr.decode())
        return stdout, stderr

    def stop_without_a_trace(self, *arguments, **more):
        before = sorted(self.folder.rglob("*"))
        stdout, stderr = self.stop(*arguments, **more)
        self.assertEqual(stdout, b"")
        self.assertIn(b"stopped", stderr)
        self.assertEqual(sorted(self.folder.rglob("*")), before)

    def images(self, count):
        path = self.folder / "images.safetensors"
        write_safetensors(path, "image", [count, 3, 32, 32], [0.5] * (count * 3 * 32 * 32))
        return path

    def test_opening_a_network(self):
        for number in (signal.SIGINT, signal.SIGTERM):
            with self.subTest(signal=number):
                self.stop_without_a_trace("classify", "rule:vit_l_16", self.picture(0), number=number)
        self.stop_without_a_trace("traverse", "rule:vit_l_16", "--source", self.picture(0), "--target",
                                  self.picture(1), "-o", self.folder / "out")

    def test_writing_weights(self):
        self.stop_without_a_trace("weights", "random", "vit_l_16", "-o", self.folder / "random.safetensors")

    def test_converting_weights(self):
        made, converted = self.folder / "made.safetensors", self.folder / "converted.safetensors"
        self.succeed("weights", "random", "vit_b_16", "-o", made)
        begun = lambda: list(self.folder.glob(".converted*"))
        for more in ((), ("--as-is",)):
            with self.subTest(more=more):
                self.stop_without_a_trace("weights", "convert", made, "-o", converted, *more, after=0, ready=begun)

    def test_loading_images(self):
        large = self.class_folder / "large.png"
        large_png(large)
        self.stop_without_a_trace("classify", "demo-resnet", *[large] * 500)
        self.stop_without_a_trace("grid", "demo-resnet", *[large] * 500, "-o", self.folder / "out")

    def test_classifying(self):
        self.stop_without_a_trace("classify", "rule:cifar_resnet110", self.images(4000), "--json", after=2)

    def test_gradients(self):
        self.stop_without_a_trace("gradient", "rule:cifar_resnet110", self.images(4000), "--class", 1, "-o",
                                  self.folder / "gradient.safetensors", after=2)

    def test_verifying(self):
        pairs = 4000
        out = self.folder / "out"
        self.succeed("traverse", "rule:cifar_resnet110", "--source", self.picture(0), "--target", self.picture(1), "-o",
                     out, "--iterations", 1)
        result = json.loads((out / "result.json").read_text())
        result["pairs"] *= pairs
        (out / "result.json").write_text(json.dumps(result))
        rows = struct.pack("<f", 0.5) * (3 * 32 * 32 * pairs)
        header = json.dumps({name: {"dtype": "F32", "shape": [pairs, 3, 32, 32],
                                    "data_offsets": [k * len(rows), (k + 1) * len(rows)]}
                             for k, name in enumerate(("source", "target", "final"))}).encode()
        (out / "images.safetensors").write_bytes(struct.pack("<Q", len(header)) + header + 3 * rows)
        self.stop_without_a_trace("verify", out, after=2)

    def test_measuring(self):
        self.stop_without_a_trace("bench", "--network", "cifar_resnet20", "--iterations", 1_000_000)

    def test_drawing_pictures(self):
        self.stop_without_a_trace("demo", "--images", self.folder / "pictures", "--count", 1_000_000)

    def test_path_widths(self):
        out = self.folder / "out"
        command = ("traverse", "rule:cifar_resnet110", "--source", self.picture(0), "--target", self.picture(1), "-o",
                   out, "--iterations", 100, "--record-every", 1, "--width")
        # After 5 s comes the first line of theirs.
        stdout, stderr = self.stop(*command, message=b"path widths of 101 records", after=6)
        self.assertRegex(stderr.decode(), r"path widths of 101 records: \d+ %, \d+ (s|min) left\n")
        self.assertIn("1 of 1 pair done and saved", stderr.decode())
        self.assertIn(b"written to", stdout)
        result = json.loads((out / "result.json").read_text())
        validate(result, "result")
        self.assertTrue(result["interrupted"])
        self.assertEqual(len(result["pairs"][0]["records"]), 101)
        self.succeed("verify", out)

    def test_a_round_of_a_large_network(self):
        # A round of 64 walks takes many seconds; the signal need not wait for its end.
        stdout, _ = self.stop("traverse", "rule:wrn_28_10", "--source", self.picture(0), "--target",
                              *[self.picture(1)] * 64, "-o", self.folder / "out", "--batch", 64, "--json",
                              message=b"64 pairs of")
        self.assertEqual(json.loads(stdout)["pairs"], [])
        self.assertEqual(list(self.folder.iterdir()), [])


if __name__ == "__main__":
    unittest.main()
