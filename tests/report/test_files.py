"""blindspot report as a command: what it writes, what it refuses, and that nothing of a name becomes markup."""
import html.parser
import json
import pathlib
import random
import re
import shutil
import sqlite3
import time
import unittest
import xml.etree.ElementTree

from evaluation import change
from made_results import texture, write_png, write_result, write_triangle
from program import ProgramTest, read_png, run

HOSTILE = [
    "<script>document.title='taken'</script>.png",
    "\"><img src=x onerror=\"document.title='taken'\">.png",
    "</title></script><h1>taken</h1>.png",
    "&lt;b&gt; {{braces}} {0} %s \\u003cscript>.png",
    "right \u202e gnp.to left \x1b[31m red \x00 nul.png",
    "a very long name " + 300 * "x" + ".png",
]


class Elements(html.parser.HTMLParser):
    """What a browser would make of a page: elements, attributes, and the text of scripts."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.inside, self.scripts = [], "", []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))
        self.inside = tag

    def handle_endtag(self, tag):
        self.inside = ""

    def handle_data(self, data):
        if self.inside == "script":
            self.scripts.append(data)


class Report(ProgramTest):
    def report(self, source, *more, exit_code=0, name="report.html"):
        self.succeed("report", source, "-o", self.folder / name, *more, exit_code=exit_code)
        return (self.folder / name).read_text(encoding="utf-8")

    def test_a_real_grid(self):
        pictures = [self.picture(number) for number in (3, 4, 7)]
        self.succeed("grid", "demo-resnet", *pictures, "-o", self.folder / "out", "--iterations", 12, "--record-every", 5,
                     "--threads", 1, "--keep-path")
        page = self.report(self.folder / "out")
        result = json.loads((self.folder / "out" / "result.json").read_text())
        for text in (result["model"]["sha256"], result["model"]["weights_sha256"], result["version"], "demo-resnet",
                     "disc", "heart", "star", str(pictures[0])):
            self.assertIn(text, page)
        data = json.loads(Elements(page).scripts[0])
        self.assertEqual(len(data["walks"]), 6)
        for walk, pair in zip(data["walks"], result["pairs"]):
            stops = walk["stops"]
            self.assertEqual([stop["iteration"] for stop in stops[1:]], [record["iteration"] for record in pair["records"]])
            self.assertEqual(stops[0]["p"], pair["source"]["probability"])
            self.assertEqual([stop["p"] for stop in stops[1:]], [record["probability"] for record in pair["records"]])
            self.assertEqual([stop["q"] for stop in stops[1:]],
                             [record["target_probability"] for record in pair["records"]])
            self.assertTrue(all(stop["picture"] >= 0 for stop in stops))

    def test_one_file_that_asks_for_nothing(self):
        write_result(self.folder / "out")
        page = self.report(self.folder / "out")
        for tag, attributes in Elements(page).elements:
            self.assertNotIn(tag, ("link", "iframe", "object", "embed", "base", "form"))
            for name in ("src", "href", "srcset", "action", "poster", "data", "xlink:href"):
                address = attributes.get(name, "#")
                self.assertTrue(address.startswith(("#", "data:image/")), (tag, name, address[:60]))
            self.assertFalse([name for name in attributes if name.startswith("on") or name == "style"], (tag, attributes))
        policy = dict(next(a for t, a in Elements(page).elements if t == "meta" and "http-equiv" in a))["content"]
        self.assertIn("default-src 'none'", policy)
        self.assertNotIn("unsafe", policy)

    def test_hostile_names_stay_text(self):
        def change(document):
            document["model"]["name"] = HOSTILE[0]
            document["model"]["architecture"] = HOSTILE[2]
            document["dropped"] = [{"source": HOSTILE[1], "reason": HOSTILE[2]}]
        names = self.folder / "names.txt"
        names.write_text("\n".join(HOSTILE).replace("\x00", "") + "\n", encoding="utf-8")
        write_result(self.folder / "plain")
        write_result(self.folder / "out", names=HOSTILE, pairs=12, change=change)
        hostile = Elements(self.report(self.folder / "out", "--class-names", names, "--figures", self.folder / "figures"))
        plain = Elements(self.report(self.folder / "plain", name="plain.html"))
        self.assertFalse([a for _, a in hostile.elements if any(name.startswith("on") for name in a)])
        count = lambda page, tag: sum(1 for t, _ in page.elements if t == tag)
        for tag in ("script", "h1", "b"):
            self.assertEqual(count(hostile, tag), count(plain, tag), tag)
        for svg in (self.folder / "figures").glob("*.svg"):
            tree = xml.etree.ElementTree.parse(svg)
            self.assertFalse([e for e in tree.iter() if e.tag.endswith("script")])

    def test_figures_are_svg_and_png(self):
        write_result(self.folder / "out", width=True)
        write_triangle(self.folder / "triangle.json",
                       ["image-0.png", self.folder / "out/final-0-1.png", self.folder / "out/final-0-2.png"])
        self.report(self.folder / "out", "--figures", self.folder / "figures", "--triangle", self.folder / "triangle.json",
                    "--detail", 2, 7)
        names = sorted(path.stem for path in (self.folder / "figures").glob("*.svg"))
        self.assertEqual(names, ["curves-2", "curves-7", "grid", "histogram-accepted", "histogram-confidence",
                                 "histogram-linf", "histogram-lost", "histogram-rmse", "histogram-target-confidence",
                                 "strip-2", "strip-7", "triangle-1", "width-2", "width-7", "width-lines-2", "width-lines-7"])
        for name in names:
            root = xml.etree.ElementTree.parse(self.folder / "figures" / f"{name}.svg").getroot()
            width, height, rows = read_png(self.folder / "figures" / f"{name}.png")
            self.assertLessEqual(abs(width - 2 * float(root.get("width"))), 1, name)
            self.assertLessEqual(abs(height - 2 * float(root.get("height"))), 1, name)
            self.assertGreater(len({row for row in rows}), 10, name)  # something is drawn

    def test_corners_of_a_triangle_are_the_files_that_it_names(self):
        # Files count the images of the command line: without the first, those of the result do not begin at 0.
        write_result(self.folder / "out")
        moved = self.folder / "moved" / "final-0-1.png"
        moved.parent.mkdir()
        moved.write_bytes((self.folder / "out/final-2-3.png").read_bytes())
        triangle = self.folder / "triangle.json"
        write_triangle(triangle, ["image-0.png", moved, self.folder / "out/final-0-2.png"])
        corners = lambda page: json.loads(Elements(page).scripts[0])["triangles"][0]["pictures"]
        picture = lambda page, number: json.loads(Elements(page).scripts[0])["pictures"][number]
        page = self.report(self.folder / "out", "--triangle", triangle)
        write_triangle(triangle, ["image-0.png", self.folder / "out/final-2-3.png", self.folder / "out/final-0-2.png"])
        other = self.report(self.folder / "out", "--triangle", triangle, name="other.html")
        self.assertEqual([picture(page, number) for number in corners(page)],
                         [picture(other, number) for number in corners(other)])
        write_triangle(triangle, ["image-0.png", self.folder / "gone/final-0-1.png", self.folder / "out/final-0-2.png"])
        self.assert_refused(run("report", self.folder / "out", "-o", self.folder / "x.html", "--triangle", triangle), (3,),
                            "gone/final-0-1.png", "triangle.json", "corner")

    def test_a_thousand_pairs_stay_small(self):
        write_result(self.folder / "out", images=33, pairs=1000, records=3)
        start = time.monotonic()
        document = self.document("report", "report", self.folder / "out", "-o", self.folder / "r.html")
        self.assertEqual((document["pairs"], document["detailed"]), (1000, 20))
        page = (self.folder / "r.html").read_text(encoding="utf-8")
        self.assertIn("<p class=\"notes\">No image grid: it is drawn for 12 sources and targets at the most.</p>", page)
        self.assertNotIn('href="#grid"', page)
        size = (self.folder / "r.html").stat().st_size
        self.assertEqual(size, document["bytes"])
        print(f"1000 pairs: {size / 1e6:.1f} MB in {time.monotonic() - start:.1f} s")
        self.assertLess(size, 20e6)

    def test_a_pair_that_was_walked_twice_leaves_no_grid(self):
        def change(document):
            document["pairs"][1]["target"] = document["pairs"][0]["target"]
        write_result(self.folder / "out", change=change)
        self.assertIn("No image grid: a pair was walked more than once, ", self.report(self.folder / "out"))
        write_result(self.folder / "whole")
        self.assertNotIn("No image grid", self.report(self.folder / "whole", name="whole.html"))

    def test_classes_are_called_as_the_result_says(self):
        def change(document):
            for pair in document["pairs"]:
                for end in ("source", "target"):
                    pair[end]["name"] = f"{pair[end]['class']}-kind"
        write_result(self.folder / "out", change=change)
        write_triangle(self.folder / "triangle.json", ["image-0.png", "image-1.png", "image-2.png"])
        page = self.report(self.folder / "out", "--triangle", self.folder / "triangle.json")
        data = json.loads(Elements(page).scripts[0])
        self.assertEqual([(walk["source"], walk["target"]) for walk in data["walks"][:2]],
                         [("0-kind", "1-kind"), ("0-kind", "2-kind")])
        self.assertEqual(data["triangles"][0]["label"], "3-kind")
        names = self.folder / "names.txt"
        names.write_text("first\n")
        write_result(self.folder / "drawn", change=change, model="demo-resnet")
        page = self.report(self.folder / "drawn", name="drawn.html")
        self.assertEqual(json.loads(Elements(page).scripts[0])["walks"][0]["source"], "0-kind")
        page = self.report(self.folder / "out", "--class-names", names, name="named.html")
        self.assertEqual([(walk["source"], walk["target"]) for walk in json.loads(Elements(page).scripts[0])["walks"][:1]],
                         [("first", "class 1")])

    def test_without_paths_and_with_missing_numbers(self):
        def change(document):
            document["interrupted"] = True
            document["pairs"][1]["final"].update(probability=None, target_probability=None, rmse=None, probability_8bit=None)
            for record in document["pairs"][1]["records"]:
                record.update(probability=None, target_probability=None)
        write_result(self.folder / "out", keep_path=False, change=change)
        page = self.report(self.folder / "out", "--figures", self.folder / "figures")
        self.assertIn("were not recorded", page)
        self.assertIn("interrupted", page)
        text = re.sub(r"base64,[^\"]*", "", page[page.index("<body>"):page.index("<script")])
        self.assertNotRegex(text.lower(), r"\bnan\b|\binf\b|null")

    def test_what_is_refused(self):
        write_result(self.folder / "out")
        write_result(self.folder / "none", pairs=0)
        (self.folder / "empty").mkdir()
        (self.folder / "odd" / "result.json").mkdir(parents=True)
        (self.folder / "text.db").write_text("no database")
        (self.folder / "bad.json").write_text("{}")
        good = self.folder / "out"
        target = self.folder / "x.html"
        for arguments, codes, words in [
            ((self.folder / "missing", "-o", target), (3,), ["missing"]),
            ((self.folder / "empty", "-o", target), (3,), ["empty"]),
            ((self.folder / "none", "-o", target), (3,), ["none", "no finished pair"]),
            ((self.folder / "text.db", "-o", target), (3,), ["text.db"]),
            ((good,), (2,), ["-o"]),
            ((good, "-o", self.folder), (3,), ["folder"]),
            ((good, "-o", self.folder / "no" / "x.html"), (3,), ["x.html"]),
            ((good, "-o", target, "--detail", 13), (2,), ["--detail", "13"]),
            ((good, "-o", target, "--detail", *range(1, 13), *range(1, 10)), (2,), ["20"]),
            ((good, "-o", target, "--triangle", self.folder / "bad.json"), (3,), ["bad.json"]),
            ((good, "-o", target, "--triangle", self.folder / "absent.json"), (3,), ["absent.json"]),
            ((good, "-o", target, "--triangle", self.folder / "empty"), (3,), ["empty", "folder"]),
            ((self.folder / "odd", "-o", target), (3,), ["odd/result.json", "folder"]),
            ((good, "-o", target, "--figures", self.folder / "out"), (2,), ["out"]),
            ((good, "-o", target, "--class-names", self.folder / "absent.txt"), (3,), ["absent.txt"]),
        ]:
            with self.subTest(arguments=arguments):
                self.assert_refused(run("report", *arguments), codes, *words)
                self.assertFalse(target.exists())
        self.succeed("report", good, "-o", target)
        self.assert_refused(run("report", good, "-o", target), (2,), "exists already", "--overwrite")
        self.succeed("report", good, "-o", target, "--overwrite")

    def test_damaged_results(self):
        for key, value, words in [("schema", "blindspot/other/1", "schema"), ("pairs", {}, "pairs"),
                                  ("parameters", {"iterations": -1}, "iterations")]:
            write_result(self.folder / "out", change=lambda document: document.update({key: value}))
            self.assert_refused(run("report", self.folder / "out", "-o", self.folder / "x.html"), (3,), words)
        write_result(self.folder / "out", change=lambda document: document["pairs"].pop())
        self.assert_refused(run("report", self.folder / "out", "-o", self.folder / "x.html"), (3,), "images.safetensors")

    def test_animation(self):
        self.succeed("traverse", "demo-resnet", "--source", self.picture(3), "--target", self.picture(4), "-o",
                     self.folder / "out", "--iterations", 12, "--record-every", 5, "--threads", 1, "--animate")
        data = (self.folder / "out" / "path-0-0.apng").read_bytes()
        # The source, steps 0, 5 and 10, and the end.
        self.assertEqual(data.count(b"fcTL"), 5)
        read_png(self.folder / "out" / "path-0-0.apng")
        self.succeed("traverse", "demo-resnet", "--source", self.picture(3), "--target", self.picture(4), "-o",
                     self.folder / "out", "--iterations", 12, "--threads", 1, "--overwrite")
        self.assertFalse((self.folder / "out" / "path-0-0.apng").exists())


class Evaluations(ProgramTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.whole, cls.part = cls.class_folder / "whole.db", cls.class_folder / "part.db"
        for database, more in ((cls.whole, ()), (cls.part, ("--shard", "2/2"))):
            done = run("evaluate", "demo-resnet", "demo-vit", "--images", cls.pictures, "-o", database, "--device", "cpu",
                       "--limit", 4, "--rounds", 2, "--iterations", 1, "--detailed-pairs", 0, *more)
            assert done.returncode == 0, done.stderr.decode()

    def lead(self, database, name="report.html"):
        self.succeed("report", database, "-o", self.folder / name, "--overwrite")
        page = (self.folder / name).read_text(encoding="utf-8")
        return re.search('<p class="lead">(.*?)</p>', page, re.S).group(1), page

    def changed(self, statement):
        database = self.folder / "changed.db"
        shutil.copy(self.whole, database)
        change(database, statement)
        return database

    def test_an_unfinished_evaluation_says_so(self):
        self.assertNotRegex(self.lead(self.whole)[0], "finished|part|Triangles")
        part = self.lead(self.part)[0]
        self.assertIn("part 2 of 2", part)
        self.assertNotIn("finished", part)
        unfinished = self.changed("DELETE FROM hulls; DELETE FROM pairs WHERE model = (SELECT max(model) FROM pairs) AND round = 1")
        self.assertIn("not finished: here are 12 of its 16 pairs", self.lead(unfinished)[0])
        # All pairs, but a network's triangles are not all there.
        lead = self.lead(self.changed("DELETE FROM hulls WHERE model = 1 AND source < 3"))[0]
        self.assertIn("Triangles are measured for 5 of its 8 sources", lead)
        self.assertNotIn("not finished", lead)

    def test_a_network_without_triangles_has_dashes(self):
        caption = "Confidence over the triangles"
        for which in ("min", "max"):
            page = self.lead(self.changed(f"DELETE FROM hulls WHERE model = (SELECT {which}(model) FROM hulls)"))[1]
            table = page[page.index("<caption>" + caption):]
            rows = re.findall("<tr>(.*?)</tr>", table[:table.index("</table>")], re.S)
            cells = [row.count("<td>") for row in rows[1:]]
            self.assertEqual(cells, [rows[0].count("<th") - 1] * 2)
            self.assertEqual([row.count("<td>–</td>") > 0 for row in rows[1:]], [which == "min", which == "max"])

    def test_histograms_are_of_one_network_each(self):
        figures = self.folder / "figures"
        self.succeed("report", self.whole, "-o", self.folder / "r.html", "--figures", figures, "--detail", 1)
        measures = ("accepted", "confidence", "linf", "lost", "rmse", "ssim", "target-confidence")
        self.assertEqual(sorted(path.stem for path in figures.glob("histogram-*.svg")),
                         sorted(f"histogram-{measure}-{network}" for measure in measures
                                for network in ("demo-resnet", "demo-vit")))
        page = (self.folder / "r.html").read_text(encoding="utf-8")
        for network in ("demo-resnet", "demo-vit"):
            self.assertRegex(page, f"<figcaption>Final confidence in the source's class, <[a-z]+>{network}</")
        self.assertIn("Histogram of 8 pairs", (figures / "histogram-rmse-demo-vit.svg").read_text())

    def test_each_network_has_its_image_grid(self):
        figures = self.folder / "figures"
        self.succeed("report", self.whole, "-o", self.folder / "r.html", "--figures", figures, "--detail", 1)
        self.assertEqual(sorted(path.stem for path in figures.glob("grid*.png")), ["grid-demo-resnet", "grid-demo-vit"])
        page = (self.folder / "r.html").read_text(encoding="utf-8")
        connection = sqlite3.connect(self.whole)
        walks = connection.execute("SELECT DISTINCT model, source, target FROM pairs").fetchall()
        connection.close()
        section = page[page.index('<section id="grid"'):]
        section = section[:section.index("</section>")]
        grids = re.findall('<h3><bdi>(.*?)</bdi></h3>.*?<table class="grid">(.*?)</table>', section, re.S)
        self.assertEqual([name for name, _ in grids], ["demo-resnet", "demo-vit"])
        for model, (_, table) in enumerate(grids):
            self.assertEqual(table.count('alt="from '), len([walk for walk in walks if walk[0] == model]))
            self.assertEqual(table.count('class="original"'), 4)
            self.assertEqual(table.count("<img ") + table.count("not walked"), 16)
        self.assertNotEqual(*(re.findall('class="value.*?>(.*?)<', table) for _, table in grids))
        # A network of which nothing is done has none, and with one network its name is not said.
        alone = self.lead(self.changed("DELETE FROM hulls WHERE model = 1; DELETE FROM pairs WHERE model = 1"))[1]
        self.assertEqual(alone.count('<table class="grid">'), 1)
        self.assertNotIn("No image grid", page + alone)
        # Pictures on the way are of the first pairs only: here of none.
        self.assertIn("were not recorded (<code>traverse --keep-path</code> and <code>evaluate --detailed-pairs</code> do)",
                      page)

    def many_networks(self):
        """Eight that walked every ordered pair of twelve images, all pictures a photograph's size."""
        database, picture = self.folder / "many.db", self.folder / "large.png"
        self.succeed("evaluate", "demo-resnet", "--images", self.pictures, "-o", database, "--device", "cpu", "--limit", 12,
                     "--rounds", 1, "--iterations", 0, "--detailed-pairs", 0)
        write_png(picture, texture(random.Random(3), 224), 224)
        connection = sqlite3.connect(database)
        columns = lambda table, first: ", ".join(
            row[1] for row in connection.execute(f"PRAGMA table_info({table})").fetchall()[first:])
        connection.execute("UPDATE pairs SET final_png = ?", (picture.read_bytes(),))
        connection.execute("UPDATE inputs SET png = ?", (picture.read_bytes(),))
        connection.execute(f"INSERT INTO pairs SELECT model, source, 1 + number, number, {columns('pairs', 4)} FROM pairs "
                           "JOIN images ON number NOT IN (source, target)")
        for number in range(1, 8):
            connection.execute(f"INSERT INTO models SELECT {number}, name || {number}, {columns('models', 2)} FROM models "
                               "WHERE number = 0")
            for table in ("pairs", "inputs"):
                connection.execute(f"INSERT INTO {table} SELECT {number}, {columns(table, 1)} FROM {table} WHERE model = 0")
        connection.commit()
        connection.close()
        return database

    def test_grids_of_many_networks_stay_small(self):
        document = self.document("report", "report", self.many_networks(), "-o", self.folder / "r.html")
        self.assertEqual(document["pairs"], 8 * 12 * 11)
        page = (self.folder / "r.html").read_text(encoding="utf-8")
        self.assertEqual(page.count('<table class="grid">'), 8)
        print(f"{document['pairs']} pairs of 8 networks: {document['bytes'] / 1e6:.1f} MB")
        self.assertLess(document["bytes"], 20e6)
        # The pictures in the grids are the thumbnails of the table of pairs.
        shown = set(re.findall('<img src="(data:[^"]*)"', page))
        self.assertTrue(shown and shown <= set(json.loads(Elements(page).scripts[0])["pictures"]))

    def test_the_triangle_of_a_chosen_pair_has_its_walk(self):
        database = self.folder / "rounds.db"
        self.succeed("evaluate", "demo-resnet", "--images", self.pictures, "-o", database, "--device", "cpu", "--limit", 8,
                     "--rounds", 4, "--iterations", 1)
        connection = sqlite3.connect(database)
        pairs = connection.execute(
            "SELECT source, round, name FROM pairs JOIN images ON number = target ORDER BY source, round").fetchall()
        connection.close()
        for chosen in ([2], [3], [0, 1, 2, 3], list(range(0, 32, 2))):
            self.succeed("report", database, "-o", self.folder / "r.html", "--overwrite", "--detail",
                         *(number + 1 for number in chosen))
            page = (self.folder / "r.html").read_text(encoding="utf-8")
            notes = [html.unescape(re.sub("<.*?>", "", note)) for note in re.findall("Lower left .*?</p>", page)]
            for number in chosen:
                name = pairs[number][2]
                self.assertTrue([note for note in notes if f"({name})" in note], (chosen, number, notes))
            self.assertLessEqual(len(notes), (len(chosen) + 1) // 2 if len(chosen) > 1 else 1)

    def test_networks_of_one_file_name_have_their_folders(self):
        database = self.changed("UPDATE models SET name = 'first/run/net.pth' WHERE number = (SELECT min(number) FROM models);"
                                "UPDATE models SET name = 'second/run/net.pth' WHERE number = (SELECT max(number) FROM models)")
        page = self.lead(database)[1]
        table = self.succeed("table", database).stdout.decode()
        for name in ("first/run/net", "second/run/net"):
            self.assertIn(name, re.search("<h1>(.*?)</h1>", page).group(1))
            self.assertEqual(table.count(name), 2)
            self.assertNotIn(name + ".pth", table)

    def test_the_database_is_not_written_over(self):
        database = self.changed("SELECT 1")
        before = database.read_bytes()
        for name in (database, self.folder / "." / "changed.db"):
            self.assert_refused(run("report", database, "-o", name, "--overwrite"), (2,), "-o", "changed.db", "another")
        self.assertEqual(database.read_bytes(), before)


if __name__ == "__main__":
    unittest.main()
