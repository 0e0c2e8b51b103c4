"""Disks that fail: reads that give less or nothing or EIO, writes that find no room, renames and closes that fail, at
every such call of a run. The program ends by itself with exit code 3 and one line that names a file; nothing stays that
is not whole, and a run database can be resumed. Short reads and writes, which are no faults, change nothing."""
import errno
import json
import unittest

from planned import PreparedFaultTest, run_planned, sample
from program import run


class FailingFiles(PreparedFaultTest):
    MOST = 8

    def each(self, command, call, path, **plan):
        """(the usual outcome, the outcomes with each planned call failing in turn); the path is part of the files' names
        that the calls concern."""
        usual = run_planned(command, call, path=path, **plan)
        self.assertEqual(usual.code, 0, usual)
        self.assertGreater(usual.count, 0, f"there is no {call} to fail")
        numbers = sample(range(1, usual.count + 1), self.MOST)
        return usual, ((number, run_planned(command, call, number, path=path, **plan)) for number in numbers)

    def check_refused(self, command, call, path, reason, named=None, **plan):
        usual, outcomes = self.each(command, call, path, **{"as": reason}, **plan)
        for number, outcome in outcomes:
            with self.subTest(call=call, reason=reason, number=number):
                self.assertTrue(outcome.failed, outcome)
                self.assertEqual(outcome.code, 3, outcome)
                self.assertIn(named or path, self.assert_one_line(outcome, usual.stderr), outcome)
                self.assert_clean(outcome, usual.files)

    def check_unchanged(self, command, call, path, reason, may_differ=()):
        usual, outcomes = self.each(command, call, path, **{"as": reason})
        for number, outcome in outcomes:
            with self.subTest(call=call, reason=reason, number=number):
                self.assertEqual((outcome.code, outcome.stdout), (0, usual.stdout), outcome)
                self.assertEqual(outcome.files.keys(), usual.files.keys())
                self.assert_clean(outcome, {name: None if name in may_differ else body
                                            for name, body in usual.files.items()})

    def test_reading_pictures(self):
        command = lambda folder: ("classify", "demo-resnet", self.picture(3), self.picture(4))
        name = str(self.picture(4))
        self.check_refused(command, "read", name, errno.EIO)
        self.check_refused(command, "read", name, "end", length=0)
        self.check_unchanged(command, "read", name, "short")
        self.check_unchanged(command, "read", name, errno.EINTR)

    def test_reading_results(self):
        command = lambda folder: ("verify", self.walks)
        self.check_refused(command, "read", "result.json", errno.EIO)
        self.check_unchanged(command, "read", "result.json", "short")

    def test_reading_a_configuration(self):
        def prepare(folder):
            (folder / "model.safetensors").write_bytes(self.weights.read_bytes())
            (folder / "config.json").write_text('{"num_labels": 10}')
        result = run_planned(lambda folder: ("classify", folder, "--architecture", "cifar_resnet20", self.picture(3)),
                             "read", 1, prepare, path="config.json", **{"as": errno.EIO})
        self.assertEqual(result.code, 3, result)
        self.assertIn("config.json: cannot be read", self.assert_one_line(result), result)

    def test_reading_a_run_database(self):
        usual, outcomes = self.each(lambda folder: ("table", self.database), "read", "run.db", **{"as": errno.EIO})
        for number, outcome in outcomes:
            with self.subTest(number=number):
                # SQLite does without some of what it reads ahead.
                self.assertIn((outcome.code, outcome.stdout), ((0, usual.stdout), (3, b"")), outcome)
                if outcome.code == 3:
                    self.assertIn("run.db", self.assert_one_line(outcome), outcome)
        self.check_unchanged(lambda folder: ("table", self.database), "read", "run.db", errno.EINTR)

    def writing(self, command, path, being_written, may_differ=()):
        """`being_written`: part of the name that the file has while it is."""
        for reason in (errno.ENOSPC, errno.EIO):
            self.check_refused(command, "write", path, reason)
        self.check_unchanged(command, "write", path, "short", may_differ)
        self.check_unchanged(command, "write", path, errno.EINTR, may_differ)
        self.check_refused(command, "close", being_written, errno.EIO, named=path)
        self.check_refused(command, "rename", path, errno.EIO)

    def test_writing_weights(self):
        self.writing(lambda folder: ("weights", "convert", self.weights, "-o", folder / "converted.safetensors"),
                     "converted.safetensors", "/.converted")
        self.writing(lambda folder: ("weights", "random", "cifar_resnet20", "-o", folder / "made.safetensors"),
                     "made.safetensors", "/.made")

    def test_writing_tables_and_reports(self):
        self.writing(lambda folder: ("export", self.database, "-o", folder / "pairs.csv"), "pairs.csv", ".partial-")
        self.writing(lambda folder: ("report", self.walks, "-o", folder / "report.html"), "report.html", ".partial-")

    def test_writing_gradients(self):
        self.writing(lambda folder: ("gradient", "demo-resnet", self.picture(3), "--class", 3, "-o",
                                     folder / "gradient.safetensors"), "gradient.safetensors", "/.gradient")

    def walk(self, folder):
        return ("traverse", "demo-resnet", "--source", self.picture(3), "--target", self.picture(4), "-o",
                folder / "out", "--iterations", 2, "--threads", 1)

    def test_writing_walks(self):
        for name in ("result.json", "images.safetensors", "final-0-0.png", "path-0-0.png"):
            for call in ("write", "close"):
                self.check_refused(self.walk, call, name, errno.ENOSPC)
            self.check_unchanged(self.walk, "write", name, "short")
        self.check_refused(self.walk, "write", ".images-", errno.ENOSPC, named="out")

    def test_a_walk_whose_folder_cannot_get_its_name(self):
        usual, outcomes = self.each(self.walk, "rename", "out.partial-", **{"as": errno.EIO})
        for _, outcome in outcomes:
            self.assertEqual(outcome.code, 3, outcome)
        # The last is the folder's own: the whole result is there under the name that the line says.
        line = self.assert_one_line(outcome, usual.stderr)
        (partial,) = (name for name in outcome.files if outcome.files[name] is None)
        self.assertIn(partial, line)
        self.assertEqual({name.replace(partial, "out"): body for name, body in outcome.files.items()}, usual.files)

    def evaluation(self, folder):
        return ("evaluate", "demo-resnet", "--images", self.pictures, "--limit", 2, "--rounds", 2, "--iterations", 2, "-o",
                folder / "run.db", "--threads", 1, "--quiet")

    def test_an_evaluation_can_be_resumed(self):
        digest = json.loads(run("export", self.database, "-o", self.folder / "usual.csv", "--json").stdout)
        for call, reason in (("write", errno.ENOSPC), ("write", errno.EIO), ("write", "short"), ("truncate", errno.EIO)):
            usual = run_planned(self.evaluation, call, path="run.db", **{"as": reason})
            numbers = sample(range(1, usual.count + 1), self.MOST)
            for number in numbers:
                with self.subTest(call=call, reason=reason, number=number):
                    folder = self.folder / f"{call}-{reason}-{number}"
                    folder.mkdir()
                    outcome = run_planned(self.evaluation, call, number, path="run.db", folder=folder, **{"as": reason})
                    self.assertIn(outcome.code, (0, 3), outcome)
                    if outcome.code == 3:
                        self.assertIn("run.db", self.assert_one_line(outcome), outcome)
                    self.succeed(*self.evaluation(folder))
                    exported = self.succeed("export", folder / "run.db", "-o", folder / "pairs.csv", "--json")
                    self.assertEqual(json.loads(exported.stdout)["content_sha256"], digest["content_sha256"])


if __name__ == "__main__":
    unittest.main()
