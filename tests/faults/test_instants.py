"""Signals at instants spread over the whole of a run, whatever it is at: an exit code of house.md, whole files, nothing
left over; a reader of stdout who goes; a weight file that becomes shorter while it is read."""
import json
import os
import pathlib
import signal
import subprocess
import tempfile
import time
import unittest

from planned import ALL, succeed
from program import PROGRAM, ProgramTest

INSTANTS = 48 if ALL else 12


def contents(folder):
    return {str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None
            for path in sorted(folder.rglob("*"))}


class Instants(ProgramTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.weights = cls.class_folder / "weights.safetensors"
        cls.database = cls.class_folder / "run.db"
        for command in (("weights", "random", "cifar_resnet56", "-o", cls.weights),
                        ("evaluate", "demo-resnet", "--images", cls.pictures, "--limit", 2, "--rounds", 2,
                         "--iterations", 20, "-o", cls.database)):
            succeed(*command)

    def start(self, command, folder):
        return subprocess.Popen([PROGRAM, *map(str, command(folder))], stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def spread(self, command, check):
        """Stops `command`, a function of a fresh folder, at instants from its start to its end; `check` is given the
        folder and whether the run came to its end."""
        with tempfile.TemporaryDirectory() as folder:
            begin = time.monotonic()
            process = self.start(command, pathlib.Path(folder))
            _, stderr = process.communicate(timeout=120)
            seconds = time.monotonic() - begin
            self.assertEqual(process.returncode, 0, stderr.decode())
        for number in (signal.SIGINT, signal.SIGTERM):
            for instant in range(INSTANTS):
                with self.subTest(signal=number.name, instant=instant), tempfile.TemporaryDirectory() as name:
                    folder = pathlib.Path(name)
                    process = self.start(command, folder)
                    time.sleep(seconds * (instant + 0.5) / INSTANTS)
                    process.send_signal(number)
                    _, stderr = process.communicate(timeout=60)
                    # Before the program has set its handler, and when it has ended its work, a signal ends it as any
                    # other.
                    self.assertIn(process.returncode, (0, 128 + number, -number), stderr.decode())
                    left = [path for path in contents(folder) if ".partial" in path or path.endswith(".part")]
                    self.assertEqual(left, [])
                    check(folder, process.returncode == 0)

    def test_a_walk(self):
        def check(folder, ended):
            if not ended and not (folder / "out").exists():
                self.assertEqual(contents(folder), {})
                return
            result = json.loads((folder / "out" / "result.json").read_text())
            pictures = list((folder / "out").glob("final-*.png"))
            self.assertEqual(len(pictures), len(result["pairs"]))
            # Also where all were walked and not all measured.
            if not result.get("interrupted", False):
                self.assertEqual(len(result["pairs"]), 4)
                self.assertNotIn(None, [pair["final"]["ssim"] for pair in result["pairs"]])
            self.assertTrue(self.document("verify", "verify", folder / "out")["holds"])
        self.spread(lambda folder: ("traverse", "demo-resnet", "--source", self.picture(3), "--target",
                                    *(self.picture(k) for k in (1, 4, 5, 6)), "--iterations", 40, "--batch", 2, "-o",
                                    folder / "out"), check)

    def test_converting_weights(self):
        converted = self.folder / "usual.safetensors"
        self.succeed("weights", "convert", self.weights, "-o", converted)
        def check(folder, ended):
            there = contents(folder)
            self.assertLessEqual(set(there.items()), {("converted.safetensors", converted.read_bytes())})
            self.assertTrue(there or not ended)
        self.spread(lambda folder: ("weights", "convert", self.weights, "-o", folder / "converted.safetensors"), check)

    def test_a_report(self):
        usual = self.folder / "usual.html"
        self.succeed("report", self.database, "-o", usual)
        def check(folder, ended):
            there = contents(folder)
            self.assertLessEqual(set(there.items()), {("report.html", usual.read_bytes())})
            self.assertTrue(there or not ended)
        self.spread(lambda folder: ("report", self.database, "-o", folder / "report.html"), check)

    def test_an_evaluation(self):
        command = lambda folder: ("evaluate", "demo-resnet", "--images", self.pictures, "--limit", 2, "--rounds", 2,
                                  "--iterations", 20, "-o", folder / "run.db")
        usual = self.document("export", "export", self.database, "-o", self.folder / "usual.csv")["content_sha256"]
        def check(folder, ended):
            del ended
            self.assertLessEqual(set(contents(folder)), {"run.db"})
            self.succeed(*command(folder))
            exported = self.document("export", "export", folder / "run.db", "-o", folder / "pairs.csv")
            self.assertEqual(exported["content_sha256"], usual)
        self.spread(command, check)


class LostReaders(ProgramTest):
    def test_a_reader_of_stdout_who_goes_ends_it_as_any_other_program(self):
        for command in (("classify", "demo-resnet", self.picture(3), "--json"), ("--help",),
                        ("traverse", "demo-resnet", "--source", self.picture(3), "--target", self.picture(4), "-o",
                         self.folder / "out", "--iterations", 2, "--json", "--quiet")):
            with self.subTest(command=command[0]):
                process = subprocess.Popen([PROGRAM, *map(str, command)], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
                process.stdout.close()
                stderr = process.stderr.read()
                process.stderr.close()
                self.assertEqual((process.wait(), stderr), (-signal.SIGPIPE, b""))
        # The work was done, and is kept.
        self.assertTrue(self.document("verify", "verify", self.folder / "out")["holds"])

    def test_a_reader_of_the_progress_who_goes_stops_nothing(self):
        process = subprocess.Popen([PROGRAM, "traverse", "demo-resnet", "--source", self.picture(3), "--target",
                                    self.picture(4), "-o", self.folder / "out", "--iterations", "2"],
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        process.stderr.close()
        self.assertIn(b"written to", process.stdout.read())
        process.stdout.close()
        self.assertEqual(process.wait(), 0)
        self.assertEqual([path.name for path in self.folder.iterdir()], ["out"])


class LostFiles(ProgramTest):
    def test_a_weight_file_that_becomes_shorter_is_named(self):
        weights = self.folder / "weights.safetensors"
        self.succeed("weights", "random", "vit_b_16", "-o", weights)
        process = subprocess.Popen([PROGRAM, "weights", "inspect", weights], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.addCleanup(process.kill)
        mapped = lambda: str(weights) in pathlib.Path(f"/proc/{process.pid}/maps").read_text()
        while not mapped():
            self.assertIsNone(process.poll(), "it ended before")
        os.truncate(weights, 4096)
        stdout, stderr = process.communicate(timeout=60)
        self.assert_refused(subprocess.CompletedProcess([], process.returncode, stdout, stderr), {3}, str(weights),
                            "became shorter")


if __name__ == "__main__":
    unittest.main()
