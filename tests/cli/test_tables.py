"""table and export as a user runs them, on the database of a small evaluation."""
import array
import csv
import json
import pathlib
import shutil
import sqlite3
import unittest

from evaluation import EvaluateTest, PAIRS, change
from program import SHARED, has_shared, run, validate


class Tables(EvaluateTest):
    def test_formats_agree(self):
        document = json.loads(self.succeed("table", self.whole, "--format", "json").stdout)
        validate(document, "table")
        (row,) = document["rows"]
        self.assertEqual((row["model"], row["sources"], row["pairs"]), ("demo-resnet", 8, PAIRS))
        self.assertIsNone(row["distances"]["lpips"])
        rmse = row["distances"]["rmse"]
        cell = f"{rmse['mean']:.3f} ± {rmse['sd']:.3f}"
        path = row["confidences"]["edge_mean"]
        text = self.succeed("table", self.whole).stdout.decode()
        self.assertIn(f"demo-resnet & {cell} & ", text)
        self.assertIn(f" & {path['mean']:.2f} ± {path['sd']:.2f}\n", text)
        self.assertIn(f"| {cell} |", self.succeed("table", self.whole, "--format", "markdown").stdout.decode())
        latex = self.succeed("table", self.whole, "--format", "latex").stdout.decode()
        self.assertIn(cell.replace("±", "$\\pm$"), latex)
        self.assertIn("model & RMSE & $L_\\infty$ & SSIM & LPIPS\\\\\n", latex)
        self.assertIn("model & $p_\\mathrm{src}$ & triangle & drop 0.0", latex)
        (line,) = csv.DictReader(self.succeed("table", self.whole, "--format", "csv").stdout.decode().splitlines())
        self.assertEqual(float(line["rmse_mean"]), rmse["mean"])
        self.assertEqual(float(line["edge_mean_sd"]), path["sd"])
        self.assert_refused(run("table", self.whole, self.whole), [2], f"RUN.db {self.whole}: is named twice")
        link = self.folder / "link.db"
        link.symlink_to(self.whole)
        self.assert_refused(run("table", self.whole, link), [2], f"RUN.db {link}", f"first as {self.whole}")
        copied = self.folder / "copied.db"
        shutil.copy(self.whole, copied)
        apart = json.loads(self.succeed("table", self.whole, copied, "--json").stdout)
        self.assertEqual([row["model"] for row in apart["rows"]],
                         [f"demo-resnet ({self.whole})", f"demo-resnet ({copied})"])

    def test_one_of_a_thing_is_no_plural_and_nothing_has_no_sign(self):
        database = self.folder / "run.db"
        shutil.copy(self.whole, database)
        change(database, "UPDATE pairs SET ssim = -0.0001; DELETE FROM pairs WHERE source > 0 OR round > 0")
        self.assertIn(" & 0.000 ± -", self.succeed("table", database).stdout.decode())
        said = self.succeed("export", database, "-o", self.folder / "x.csv").stdout.decode()
        self.assertEqual(said, f"1 row written to {self.folder / 'x.csv'}\n")

    def test_missing_triangles_are_said(self):
        said = self.succeed("table", self.whole).stderr.decode()
        self.assertRegex(said, r"\A\S+: (\d+) of \1 pairs of demo-resnet without LPIPS, "
                               r"which needs evaluate's --lpips FILE\n\Z")
        self.assertEqual(self.succeed("table", "--quiet", self.whole).stderr, b"")
        database = self.folder / "run.db"
        shutil.copy(self.whole, database)
        change(database, "DELETE FROM hulls WHERE source < 3")
        message = self.succeed("table", database).stderr.decode()
        self.assertIn("triangles of 5 of 8 sources of demo-resnet", message)
        self.assertNotRegex(message, r"pairs of demo-resnet done")
        self.assertEqual(message.count("\n"), 2, message)

    def test_export_is_what_the_tables_are_made_of(self):
        rows = list(csv.DictReader(self.exported(self.whole).splitlines()))
        self.assertEqual(len(rows), PAIRS)
        document = json.loads(self.succeed("table", self.whole, "--json").stdout)
        mean = sum(float(row["rmse"]) for row in rows) / len(rows)
        self.assertAlmostEqual(mean, document["rows"][0]["distances"]["rmse"]["mean"], 12)
        for row in rows:
            self.assertNotEqual(row["source"], row["target"])
            lost = float(row["source_probability"]) - float(row["probability"])
            self.assertEqual(row["outside"], str(int(not lost < 0.2)))
        triangles = self.folder / "triangles.csv"
        self.succeed("export", self.whole, "--triangles", "-o", triangles)
        rows = list(csv.DictReader(triangles.read_text().splitlines()))
        self.assertEqual(len(rows), 8)
        self.assertAlmostEqual(sum(float(row["mean"]) for row in rows) / 8,
                               document["rows"][0]["confidences"]["mean"]["mean"], 12)
        self.assert_refused(run("export", self.whole, "-o", triangles), [2], "triangles.csv")

    def test_export_leaves_the_database_alone(self):
        database = self.folder / "run.db"
        shutil.copy(self.whole, database)
        link = self.folder / "link.csv"
        link.symlink_to(database)
        for output in (database, link):
            self.assert_refused(run("export", database, "-o", output, "--overwrite"), [2], output.name, "itself")
        self.assertEqual(self.content_of(database), self.content)
        self.assert_refused(run("export", database, "--targets", "-o", self.folder / "targets", "--overwrite"), [2],
                            "--overwrite", "--targets")

    def test_the_selected_targets(self):
        """In seeded order the first image of each class that the network gets right with p > 0.6."""
        connection = sqlite3.connect(self.whole)
        chosen = {}
        for name, label, predicted, probability in connection.execute(
                "SELECT name, label, predicted, probability FROM images JOIN inputs ON image = number ORDER BY number"):
            if predicted == label and probability > 0.6:
                chosen.setdefault(label, pathlib.Path(name).stem)
        connection.close()
        folder = self.folder / "targets"
        document = self.document("export", "export", self.whole, "--targets", "-o", folder)
        self.assertEqual(document["rows"], len(chosen))
        self.assertEqual(sorted(path.name for path in folder.iterdir()),
                         [f"{k:04}-{stem}.png" for k, stem in enumerate(chosen.values())])

    def test_the_fixture(self):
        """The made-up evaluation, put into a run database."""
        if not has_shared():
            return
        fixture = json.loads((SHARED / "fixtures" / "tables" / "evaluation.json").read_text())
        database = self.folder / "made-up.db"
        shutil.copy(self.whole, database)
        connection = sqlite3.connect(database)
        for table in ("pairs", "records", "hulls", "inputs", "images"):
            connection.execute(f"DELETE FROM {table}")
        connection.execute("UPDATE models SET name = 'made-up'")
        connection.execute("UPDATE settings SET value = 5 WHERE name = 'rounds'")
        for source in range(5):
            connection.execute("INSERT INTO images VALUES (?, ?, 0, '')", (source, f"{source}.png"))
            connection.execute("INSERT INTO inputs VALUES (0, ?, 0, 1, NULL, x'')", (source,))
            for round_number in range(5):
                rmse, linf, ssim, lpips = fixture["distances"][round_number][source]
                connection.execute(
                    "INSERT INTO pairs VALUES (0, ?, ?, ?, 0, 0, 1, 1, 1, 1, 1, 1, 0, 1, 0, 0, ?, ?, ?, ?, x'')",
                    (source, round_number, (source + 1) % 5, rmse, linf, ssim, lpips))
            for (i, j), values in zip(fixture["hull_pairs"], fixture["hulls"][source]["pairs"]):
                connection.execute("INSERT INTO hulls VALUES (0, ?, ?, ?, ?)",
                                   (source, i, j, array.array("f", values).tobytes()))
        connection.commit()
        connection.close()
        expected = fixture["expected"]
        for mode in ("default", "reference"):
            text = self.succeed("table", database, "--mode", mode).stdout.decode()
            self.assertIn(expected["distances"]["row"] + "\n", text)
            self.assertIn(expected[f"confidences_{mode}"]["row"] + "\n", text)


if __name__ == "__main__":
    unittest.main()
