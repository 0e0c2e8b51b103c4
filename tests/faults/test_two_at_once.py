"""Two runs that write the same output at the same time: each ends with 0 or a clear error that names the path, and what
is there in the end is whole and one run's alone."""
import json
import os
import pathlib
import subprocess
import unittest

from planned import ALL, LIBRARY
from program import PROGRAM, ProgramTest, read_safetensors, run

ROUNDS = 12 if ALL else 3


class TwoAtOnce(ProgramTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.weights = cls.class_folder / "weights.safetensors"
        cls.parts = [cls.class_folder / f"part-{number}.db" for number in (1, 2)]
        evaluate = ("evaluate", "demo-resnet", "--images", cls.pictures, "--limit", 2, "--rounds", 2, "--iterations", 5)
        for command in (("weights", "random", "cifar_resnet20", "-o", cls.weights),
                        (*evaluate, "--shard", "1/2", "-o", cls.parts[0]), (*evaluate, "--shard", "2/2", "-o", cls.parts[1])):
            result = run(*command)
            assert result.returncode == 0, result.stderr.decode()

    def at_once(self, *commands, environment=None):
        processes = [subprocess.Popen([PROGRAM, *map(str, command)], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                      env=environment) for command in commands]
        ended = []
        for process in processes:
            outputs = process.communicate(timeout=120)
            ended.append(subprocess.CompletedProcess([], process.returncode, *outputs))
        return ended

    def check_each(self, ended, path):
        """Returns how many have written it."""
        for result in ended:
            if result.returncode != 0:
                self.assert_refused(result, {2, 3}, str(path))
        done = sum(result.returncode == 0 for result in ended)
        self.assertGreater(done, 0)
        return done

    def walk(self, out, target, *more):
        return ("traverse", "demo-resnet", "--source", self.picture(3), "--target", self.picture(target), "-o", out,
                "--iterations", 3, "--quiet", "--threads", 1, *more)

    def check_walk(self, folder):
        """result.json, the images and the pictures are of one run: each target has a class of its own."""
        result = json.loads((folder / "result.json").read_text())
        (pair,) = result["pairs"]
        alone = self.folder / "alone"
        self.succeed(*self.walk(alone, int(pathlib.Path(pair["target"]["path"]).parent.name.split("-")[0]), "--overwrite"))
        names = {path.name for path in alone.iterdir()}
        self.assertEqual({path.name for path in folder.iterdir() if not path.name.startswith(".partial-")}, names)
        for name in names:
            self.assertEqual((folder / name).read_bytes(), (alone / name).read_bytes(), name)
        self.assertEqual(read_safetensors(folder / "images.safetensors")["final"][0][0], 1)

    def test_walks_into_a_new_folder(self):
        for number in range(ROUNDS):
            out = self.folder / f"out-{number}"
            self.check_each(self.at_once(self.walk(out, 4), self.walk(out, 5)), out)
            self.check_walk(out)

    def test_walks_into_an_empty_folder(self):
        for number in range(ROUNDS):
            out = self.folder / f"out-{number}"
            out.mkdir()
            self.check_each(self.at_once(self.walk(out, 4), self.walk(out, 5)), out)
            self.check_walk(out)

    def test_walks_that_replace_a_result(self):
        out = self.folder / "out"
        out.mkdir()
        self.succeed(*self.walk(out, 6))
        # File by file so slowly that they would come between each other.
        slow = dict(os.environ, LD_PRELOAD=LIBRARY, BLINDSPOT_FAULT_CALL="rename", BLINDSPOT_FAULT_NUMBER="1",
                    BLINDSPOT_FAULT_LENGTH="0", BLINDSPOT_FAULT_PATH="/out/", BLINDSPOT_FAULT_AS="slow")
        for _ in range(ROUNDS):
            commands = (self.walk(out, 4 + k, "--overwrite") for k in range(3))
            self.assertEqual(self.check_each(self.at_once(*commands, environment=slow), out), 3)
            self.check_walk(out)

    def test_single_files(self):
        for name, command in (("made.safetensors", ("weights", "random", "cifar_resnet20")),
                              ("converted.safetensors", ("weights", "convert", self.weights)),
                              ("report.html", ("report", self.parts[0])), ("pairs.csv", ("export", self.parts[0]))):
            alone, out = self.folder / f"alone-{name}", self.folder / name
            self.succeed(*command, "-o", alone)
            for _ in range(ROUNDS):
                with self.subTest(output=name):
                    out.unlink(missing_ok=True)
                    self.check_each(self.at_once((*command, "-o", out), (*command, "-o", out)), out)
                    self.assertEqual(out.read_bytes(), alone.read_bytes())
        self.assertEqual([path.name for path in self.folder.iterdir() if "part" in path.name], [])

    def test_merged_databases(self):
        alone = self.folder / "alone.db"
        self.succeed("merge", *self.parts, "-o", alone)
        usual = self.document("export", "export", alone, "-o", self.folder / "alone.csv")["content_sha256"]
        for number in range(2 * ROUNDS):
            out = self.folder / f"merged-{number}.db"
            ended = self.at_once(*(("merge", *self.parts, "-o", out) for _ in range(3)))
            self.assertEqual(self.check_each(ended, out), 1)
            exported = self.document("export", "export", out, "-o", self.folder / f"{number}.csv")
            self.assertEqual(exported["content_sha256"], usual)
        self.assertEqual([path.name for path in self.folder.iterdir() if "partial" in path.name], [])

    def test_evaluations(self):
        out = self.folder / "run.db"
        command = ("evaluate", "demo-resnet", "--images", self.pictures, "--limit", 2, "--rounds", 2, "--iterations", 5,
                   "-o", out, "--quiet")
        ended = self.at_once(command, command)
        self.assertEqual(self.check_each(ended, out), 1)
        self.succeed(*command)


if __name__ == "__main__":
    unittest.main()
