"""The program on the CUDA device in its host execution, by a plug-in made for the test: walks, a device lost in the middle
of them, memory that runs out.

BLINDSPOT_PROGRAM names the program, BLINDSPOT_HOST_PLUGIN the folder of the plug-in."""
import contextlib
import json
import os
import pathlib
import sqlite3
import subprocess
import sys
import tempfile
import unittest

sys.path.append(str(pathlib.Path(__file__).resolve().parents[1] / "cli"))
from program import validate  # noqa: E402

PROGRAM = os.environ["BLINDSPOT_PROGRAM"]
PLUGIN = os.environ["BLINDSPOT_HOST_PLUGIN"]


def run(*arguments, **environment):
    return subprocess.run([PROGRAM, *map(str, arguments)], capture_output=True, timeout=300, text=True,
                          env={**os.environ, "BLINDSPOT_PLUGINS": PLUGIN, **environment})


class OnTheHost(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory(prefix="blindspot-host-")
        cls.root = pathlib.Path(cls.folder.name)
        drawn = run("demo", "--images", cls.root / "pictures", "--count", 4)
        assert drawn.returncode == 0, drawn.stderr
        cls.pictures = sorted((cls.root / "pictures").rglob("*.png"))[:4]
        cls.output = 0

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def traverse(self, *options, iterations=12, **environment):
        """One source, three targets; the finished process and its folder."""
        OnTheHost.output += 1
        folder = self.root / f"out-{self.output}"
        done = run("traverse", "demo-resnet", "--source", self.pictures[0], "--target", *self.pictures[1:4], "-o", folder,
                   "--iterations", iterations, "--record-every", 4, *options, **environment)
        return done, folder

    def test_a_walk_is_as_on_the_processor(self):
        on_gpu, gpu = self.traverse("--device", "cuda", "--precision", "fp32")
        self.assertEqual(on_gpu.returncode, 0, on_gpu.stderr)
        on_cpu, cpu = self.traverse("--device", "cpu")
        self.assertEqual(on_cpu.returncode, 0, on_cpu.stderr)
        theirs, ours = (json.loads((folder / "result.json").read_text()) for folder in (cpu, gpu))
        self.assertEqual(ours["device"], "cuda:0")
        self.assertIn(f", {len(ours['plans'])} plans ", ours["device_description"])
        self.assertTrue(all(ours["plans"]), ours["plans"])
        self.assertNotIn("plans", theirs)
        for a, b in zip(theirs["pairs"], ours["pairs"], strict=True):
            self.assertAlmostEqual(a["final"]["probability"], b["final"]["probability"], delta=1e-4)
            self.assertAlmostEqual(a["final"]["rmse"], b["final"]["rmse"], delta=1e-4)
            self.assertEqual(a["accepted"], b["accepted"])

    def test_every_command_prints_what_its_schema_says(self):
        """But for bench, which multiplies large matrices for its yardstick."""
        folder = self.traverse("--device", "cuda", iterations=4)[1]
        validate(json.loads((folder / "result.json").read_text()), "result")
        one, two, three = self.pictures[:3]
        for schema, command, *arguments in (
                ("classify", "classify", "demo-resnet", one), ("gradient", "gradient", "demo-resnet", one, "--class", 3, "-o", self.root / "g.safetensors"),
                ("width", "width", "demo-resnet", one, "--target", two, "--radii", 1), ("path", "path", "demo-resnet", one, two),
                ("triangle", "triangle", "demo-resnet", one, two, three),
                ("simplex", "simplex", "demo-resnet", one, two, three), ("distance", "distance", one, two),
                ("verify", "verify", folder), ("devices", "devices"),
                ("evaluate", "evaluate", "demo-resnet", "--images", self.root / "pictures", "--iterations", 1, "--rounds", 1,
                 "-o", self.root / "schema.db")):
            with self.subTest(command=command):
                device = () if command == "devices" else ("--device", "cuda")
                done = run(command, *arguments, *device, "--json")
                self.assertEqual(done.returncode, 0, done.stderr)
                validate(json.loads(done.stdout), schema)

    def test_a_device_lost_in_the_middle_keeps_what_was_walked(self):
        lost_at = 0
        for lost_at in range(500, 40000, 500):
            lost, folder = self.traverse("--device", "cuda", "--batch", 1, HOST_GPU_LOST_AFTER=str(lost_at))
            self.assertEqual(lost.returncode, 4, lost.stderr)
            if (folder / "result.json").exists():
                break
            self.assertFalse(folder.exists())
            self.assertIn("blindspot: ", lost.stderr)
        result = json.loads((folder / "result.json").read_text())
        self.assertTrue(result["interrupted"])
        self.assertIn(len(result["pairs"]), (1, 2))
        self.assertIn(f"{len(result['pairs'])} of 3 pairs done and saved", lost.stderr)
        whole, undisturbed = self.traverse("--device", "cuda", "--batch", 1)
        self.assertEqual(whole.returncode, 0, whole.stderr)
        expected = json.loads((undisturbed / "result.json").read_text())["pairs"]
        for kept, pair in zip(result["pairs"], expected):
            self.assertEqual(kept["records"], pair["records"])
            self.assertEqual(kept["final"]["probability"], pair["final"]["probability"])

    def test_a_batch_that_does_not_fit_is_halved(self):
        plenty, roomy = self.traverse("--device", "cuda", iterations=1)
        self.assertEqual(plenty.returncode, 0, plenty.stderr)
        self.assertEqual(json.loads((roomy / "result.json").read_text())["batch"], 3)
        # Just under the least memory that all three fit into; how much that is depends on the build.
        too_little, enough = 1024, 8192
        while enough - too_little > 1:
            kibibytes = (too_little + enough) // 2
            fitting, folder = self.traverse("--device", "cuda", iterations=1, HOST_GPU_MEMORY=str(kibibytes << 10))
            fits = fitting.returncode == 0 and json.loads((folder / "result.json").read_text())["batch"] == 3
            too_little, enough = (too_little, kibibytes) if fits else (kibibytes, enough)
        # What is taken last is small, so whoever is not asked to make room for it fails only close to the threshold.
        for less in (0, 4, 16, 64):
            short, folder = self.traverse("--device", "cuda", iterations=1, HOST_GPU_MEMORY=str(too_little - less << 10))
            self.assertEqual(short.returncode, 0, short.stderr)
            result = json.loads((folder / "result.json").read_text())
            self.assertEqual(result["batch"], 1)
            self.assertEqual(len(result["pairs"]), 3)

    def evaluated(self, name, **environment):
        """The four pictures, one round, after which the same command must find the run done; the batch it ran at."""
        database = self.root / name
        for _ in range(2):
            done = run("evaluate", "demo-resnet", "--device", "cuda", "--images", self.root / "pictures", "--rounds", 1,
                       "--iterations", 2, "-o", database, **environment)
            self.assertEqual(done.returncode, 0, done.stderr)
        with contextlib.closing(sqlite3.connect(database)) as rows:
            return rows.execute("SELECT batch FROM models").fetchone()[0]

    def test_an_evaluation_goes_on_at_whatever_batch_it_came_to(self):
        self.assertEqual(self.evaluated("few.db"), 4)  # fewer than a network is opened for
        for kibibytes in range(6000, 1000, -250):
            if self.evaluated(f"{kibibytes}.db", HOST_GPU_MEMORY=str(kibibytes << 10)) < 4:
                return
        self.fail("the batch was never halved")

    def test_an_evaluation_whose_device_is_lost_keeps_its_pairs_and_goes_on(self):
        def evaluate(name, **environment):
            return run("evaluate", "demo-resnet", "--device", "cuda", "--batch", 1, "--images", self.root / "pictures",
                       "--rounds", 1, "--iterations", 6, "-o", self.root / name, **environment)

        def pairs(name):
            with contextlib.closing(sqlite3.connect(self.root / name)) as rows:
                return rows.execute("SELECT * FROM pairs ORDER BY 1, 2, 3, 4").fetchall()

        whole = evaluate("undisturbed.db")
        self.assertEqual(whole.returncode, 0, whole.stderr)
        expected = pairs("undisturbed.db")
        kept = []
        for lost_at in range(500, 40000, 250):
            lost = evaluate("lost.db", HOST_GPU_LOST_AFTER=str(lost_at))
            self.assertEqual(lost.returncode, 4, lost.stderr)
            self.assertIn("blindspot: ", lost.stderr)
            kept = pairs("lost.db") if (self.root / "lost.db").exists() else []
            if kept:
                break
        self.assertTrue(kept)
        self.assertLess(len(kept), len(expected))
        self.assertEqual(kept, [pair for pair in expected if pair in kept])
        again = evaluate("lost.db")
        self.assertEqual(again.returncode, 0, again.stderr)
        self.assertEqual(pairs("lost.db"), expected)

    def test_a_triangle_of_which_less_fits_at_a_time_has_the_same_values(self):
        def triangle(**environment):
            done = run("triangle", "demo-resnet", *self.pictures[:3], "--device", "cuda", "--precision", "fp32", "--json",
                       HOST_GPU_WAY="1", **environment)
            self.assertIn(done.returncode, (0, 4), done.stderr)
            document = json.loads(done.stdout) if done.returncode == 0 else {"batch": 0}
            return document.pop("batch"), document

        all_at_once, plenty = triangle()
        self.assertEqual(all_at_once, 66)
        batches = []
        for kibibytes in (32768, 16384, 8192, 4096, 2048, 1024, 512):
            batch, document = triangle(HOST_GPU_MEMORY=str(kibibytes << 10))
            if batch == 0:  # not even one image
                break
            batches.append(batch)
            self.assertEqual(document, plenty, f"{batch} at a time")
        self.assertEqual(batches, sorted(batches, reverse=True))
        self.assertGreater(len({batch for batch in batches if batch < 66}), 1, batches)

    def test_too_little_memory_for_one_walk_is_said(self):
        short, folder = self.traverse("--device", "cuda", HOST_GPU_MEMORY=str(100000))
        self.assertEqual((short.returncode, short.stdout), (4, ""))
        self.assertIn("memory", short.stderr)
        self.assertFalse(folder.exists())


if __name__ == "__main__":
    unittest.main()
