"""evaluate --width as a user runs it: killed and sharded runs hold the same widths, report and export show them, a run is gone
on with as it was begun, and --dry-run counts them."""
import csv
import os
import pty
import re
import shutil
import sqlite3
import subprocess
import unittest

from evaluation import EvaluateTest, KillTest, PAIRS, change
from program import PROGRAM, run

DETAILED, RECORDS, RADII = 3, 3, 5  # of evaluation.py's SMALL and 4 steps


class Widths(EvaluateTest):
    @classmethod
    def command(cls, database, *more, iterations=4):
        return super().command(database, "--width", *more, iterations=iterations)

    def without_width(self, database, *more):
        return super().command(database, *more)

    def test_every_record_of_the_detailed_pairs_has_them(self):
        self.assertEqual({table: len(rows) for table, rows in self.content.items() if table != "settings"},
                         {"images": 8, "unreadable": 0, "models": 1, "inputs": 8, "pairs": PAIRS,
                          "records": PAIRS * RECORDS, "widths": DETAILED * RECORDS * RADII, "finals": 0, "hulls": 8})

    def test_shards(self):
        parts = [self.folder / f"part{number}.db" for number in (1, 2)]
        for number, part in enumerate(parts, 1):
            self.succeed(*self.command(part, "--shard", f"{number}/2"))
            self.assertLess(len(self.content_of(part)["widths"]), len(self.content["widths"]))
        merged = self.folder / "merged.db"
        document = self.document("merge", "merge", *parts, "-o", merged)
        self.assertEqual(self.content_of(merged), self.content)
        whole = self.document("export", "export", self.whole, "-o", self.folder / "whole.csv")
        self.assertEqual(document["content_sha256"], whole["content_sha256"])
        self.go_on(merged)

    def test_the_report_shows_them_as_it_does_for_traverse(self):
        page = self.folder / "report.html"
        self.succeed("report", self.whole, "-o", page, "--figures", self.folder / "figures")
        text = page.read_text(encoding="utf-8")
        section = text[text.index('id="widths"'):]
        self.assertEqual(section.count('<article class="width">'), DETAILED)
        self.assertEqual(len(re.findall('<figure class="(?:surface|lines)">', section)), 2 * DETAILED)
        for kind in ("width", "width-lines"):
            names = {path.stem for path in (self.folder / "figures").glob(f"{kind}-[0-9]*.svg")}
            self.assertEqual(names, {f"{kind}-{number + 1}" for number in range(DETAILED)})

    def test_export(self):
        path = self.folder / "widths.csv"
        self.document("export", "export", self.whole, "--widths", "-o", path)
        rows = list(csv.DictReader(path.read_text().splitlines()))
        connection = sqlite3.connect(self.whole)
        held = connection.execute("SELECT iteration, radius, q05, q95 FROM widths ORDER BY source, round, iteration, radius")
        self.assertEqual([tuple(float(row[name]) for name in ("iteration", "radius", "q05", "q95")) for row in rows],
                         held.fetchall())
        connection.close()
        self.assertEqual({row["model"] for row in rows}, {"demo-resnet"})
        self.assert_refused(run("export", self.whole, "--widths", "--triangles", "-o", self.folder / "x.csv"), [2],
                            "--widths", "--triangles")

    def test_a_run_is_gone_on_with_as_it_was_begun(self):
        database = self.folder / "run.db"
        self.assert_refused(run(*self.without_width(self.whole)), [2], "whole.db", "--width 0", "begun with 1")
        self.assertEqual(self.content_of(self.whole), self.content)
        self.succeed(*self.without_width(database))
        before = self.content_of(database)
        self.assertNotIn("widths", before)
        self.assert_refused(run(*self.command(database)), [2], "run.db", "--width 1", "begun with 0")
        self.assertEqual(self.content_of(database), before)
        self.assert_refused(run("export", database, "--widths", "-o", self.folder / "x.csv"), [3], "run.db", "--width")
        self.assertFalse((self.folder / "x.csv").exists())

    def test_usage(self):
        command = [word if word != DETAILED else 0 for word in self.command(self.folder / "new.db")]
        self.assert_refused(run(*command), [2], "--detailed-pairs 0", "--width")
        self.assertFalse((self.folder / "new.db").exists())

    def test_the_time_left_counts_widths_that_are_to_come(self):
        """On a terminal, where the line is drawn at once: while the first batch walks nothing is measured yet."""
        command = self.command(self.folder / "run.db", iterations=60)
        command[command.index("--detailed-pairs") + 1] = PAIRS
        estimate = self.document("evaluate-estimate", *command, "--dry-run")["seconds"]
        ours, theirs = pty.openpty()
        process = subprocess.Popen([PROGRAM, *map(str, command)], stdout=subprocess.PIPE, stderr=theirs)
        os.close(theirs)
        said = ""
        try:
            while not (found := re.search(r"image-iterations/s, (\d+) (s|min) left", said)):
                said += os.read(ours, 4096).decode()
        finally:
            process.kill()
            process.communicate()
            os.close(ours)
        self.assertNotIn("path widths", said)
        left = int(found[1]) * (60 if found[2] == "min" else 1)
        self.assertGreater(left, estimate / 4)
        self.assertLess(left, estimate * 4)

    def test_dry_run(self):
        document = self.document("evaluate-estimate", *self.command(self.folder / "run.db", "--dry-run"))
        plain = self.document("evaluate-estimate", *self.without_width(self.folder / "run.db", "--dry-run"))
        self.assertGreater(document["seconds"], 3 * plain["seconds"])
        self.assertGreater(document["seconds"], self.seconds / 8)
        self.assertLess(document["seconds"], self.seconds * 8)
        self.assertGreater(document["disk_bytes"], plain["disk_bytes"])
        self.assertFalse((self.folder / "run.db").exists())

    def test_damaged_widths(self):
        database = self.folder / "damaged.db"
        shutil.copy(self.whole, database)
        change(database, "UPDATE widths SET q05 = 7 WHERE radius = 1")
        for command in (("report", database, "-o", self.folder / "x.html"), ("export", database, "-o", self.folder / "x.csv")):
            self.assert_refused(run(*command), [3], "damaged.db", "path width", "0 to 1")


class Killed(KillTest):
    """The widths take most of the time, so that is where most kills fall."""

    @classmethod
    def command(cls, database, *more, iterations=4):
        return super().command(database, "--width", *more, iterations=iterations)

    def test_killed_now_and_then(self):
        self.killed_at((self.seconds * k / 5 for k in range(1, 5)), least_kills=2, least_states=2)

    def test_the_device_is_busy_with_them(self):
        self.assertGreaterEqual(self.document("evaluate", *self.command(self.folder / "run.db"))["device_busy"], 0.95)


if __name__ == "__main__":
    unittest.main()
