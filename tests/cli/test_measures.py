"""The commands that measure: triangle, path, simplex, width, distance; SSIM, LPIPS and widths of walks."""
import json
import math
import unittest

from program import SHARED, ProgramTest, has_shared, read_safetensors, run, validate, write_safetensors

MODEL = "demo-resnet"


class Measures(ProgramTest):
    def test_a_triangle_of_one_image_never_falls(self):
        source = self.picture(0)
        for mode, points in (("default", 66), ("reference", 64)):
            with self.subTest(mode=mode):
                found = self.document("triangle", "triangle", MODEL, source, source, source, "--mode", mode)
                self.assertEqual(len(found["points"]), points)
                self.assertEqual(found["mode"], mode)
                self.assertEqual([f["fraction"] for f in found["fractions"]], [0, 1, 1, 1])
                self.assertEqual([f["drop"] for f in found["fractions"]], [0, 0.1, 0.2, 0.3])
                self.assertEqual(found["edge_minimum"], 0)
                self.assertEqual({p["probability"] for p in found["points"]}, {found["points"][0]["probability"]})

    def test_metrics_follow_from_the_points(self):
        found = self.document("triangle", "triangle", MODEL, *map(self.picture, (0, 1, 2)), "--source-class", 0)
        points = [p["probability"] for p in found["points"]]
        self.assertEqual(found["class"], 0)
        self.assertAlmostEqual(found["mean"], sum(points) / 66, 8)
        self.assertEqual(found["p_source"], points[0])
        edge = [p["probability"] for p in found["points"] for t in p["t"] if t == 0]
        self.assertEqual(len(edge), 22)
        self.assertAlmostEqual(found["edge_mean"], sum(edge) / 22, 8)
        self.assertAlmostEqual(found["edge_minimum"], min(edge) - points[0], 7)
        self.assertIn("mean", self.succeed("triangle", MODEL, *map(self.picture, (0, 1, 2))).stdout.decode())

    def test_a_path_is_an_edge_of_the_triangle(self):
        one, other = self.picture(0), self.picture(1)
        path = self.document("path", "path", MODEL, one, other)
        triangle = self.document("triangle", "triangle", MODEL, one, other, other)
        self.assertEqual([p["t"] for p in path["points"]], [i / 20 for i in range(21)])
        self.assertEqual(path["minimum"], min(p["probability"] for p in path["points"]))
        edge = {p["t"][0]: p["probability"] for p in triangle["points"] if p["t"][1] == 0}
        for point in path["points"][::2]:
            self.assertAlmostEqual(edge[point["t"]], point["probability"], 6)
        self.assertIn("lowest", self.succeed("path", MODEL, one, other).stdout.decode())

    def test_the_check_between_points_finds_no_more_than_the_points_do(self):
        one, other = self.picture(0), self.picture(1)
        for command, images in (("path", [one, other]), ("triangle", [one, other, self.picture(2)])):
            with self.subTest(command=command):
                found = self.document(command, command, MODEL, *images, "--check", 40, "--delta", 0.1)
                check = found["check"]
                self.assertEqual((check["resolution"], check["delta"]), (40, 0.1))
                for divisions in (1, 2, 3, 10, 40):
                    coarse = self.document(command, command, MODEL, *images, "--check", divisions, "--delta", 0.1)
                    least = min(p["probability"] for p in coarse["points"])
                    self.assertLessEqual(coarse["check"]["minimum"], least + 1e-9)  # written as float32
                    self.assertTrue(coarse["check"]["violation"])
                self.assertEqual(check["grid_passes"], 41 if command == "path" else 861)
                self.assertTrue(check["violation"])
                self.assertIn("forward passes",
                              self.succeed(command, MODEL, *images, "--check", 8).stdout.decode())

    def test_simplices(self):
        images = list(map(self.picture, range(4)))
        triangle = self.document("triangle", "triangle", MODEL, *images[:3])
        grid = self.document("simplex", "simplex", MODEL, *images[:3])
        self.assertFalse(grid["sampled"])
        self.assertEqual(grid["points"], triangle["points"])
        self.assertEqual(grid["fractions"], triangle["fractions"])
        drawn = self.document("simplex", "simplex", MODEL, *images, "--points", 100, "--samples", 50, "--seed", 3)
        self.assertTrue(drawn["sampled"])
        self.assertEqual(len(drawn["points"]), 50)
        self.assertLess(drawn["mean_interval"]["low"], drawn["mean"])
        for fraction in drawn["fractions"]:
            self.assertLessEqual(fraction["interval"]["low"], fraction["fraction"])
        text = self.succeed("simplex", MODEL, *images, "--points", 100, "--samples", 50).stdout.decode()
        self.assertIn("50 points drawn", text)

    def test_width(self):
        found = self.document("width", "width", MODEL, self.picture(0), "--target", self.picture(1), "--radii", 0.25,
                              3, "--delta", 0)
        self.assertEqual([r["radius"] for r in found["radii"]], [0, 0.25, 3])
        first = found["radii"][0]
        self.assertEqual(first["q05"], first["q95"])
        self.assertAlmostEqual(first["q05"], found["probability"], 6)
        self.assertLess(found["radii"][2]["q05"], found["radii"][2]["q95"])
        below = self.document("width", "width", MODEL, self.picture(0), "--target", self.picture(1), "--delta", 1)
        self.assertEqual({r["q05"] for r in below["radii"]}, {None})
        self.assertEqual(len(below["radii"]), 5)
        size = found["model"]["preprocessing"]["input_size"]
        values = [math.sin(i * 0.7) for i in range(2 * 3 * size * size)]
        file = self.folder / "directions.safetensors"
        write_safetensors(file, "directions", [2, 3, size, size], values)
        given = self.document("width", "width", MODEL, self.picture(0), "--target", self.picture(1), "--directions",
                              file)
        self.assertNotIn("seed", given)
        self.assertIn("95 %", self.succeed("width", MODEL, self.picture(0), "--target", self.picture(1)).stdout.decode())

    def test_distances_of_the_fixtures(self):
        if not has_shared():
            return
        folder = SHARED / "fixtures" / "distances"
        index = json.loads((folder / "index.json").read_text())
        for pair in index["pairs"]:
            for mode in ("default", "reference"):
                with self.subTest(pair=pair["note"], mode=mode):
                    found = self.document("distance", "distance", folder / pair["a"], folder / pair["b"], "--mode", mode)
                    for name, expected in (("l2", pair["l2"]), ("rmse", pair["rmse"]), ("linf", pair["linf"]),
                                           ("ssim", pair["ssim_" + mode])):
                        self.assertAlmostEqual(found[name], expected, delta=1e-6 * max(1e-6, abs(expected)))
                    self.assertIsNone(found["lpips"])

    def lpips_file(self):
        alexnet = self.folder / "alexnet.safetensors"
        self.succeed("weights", "random", "alexnet", "--seed", 1, "-o", alexnet)
        file = self.folder / "lpips.safetensors"
        self.succeed("weights", "convert", alexnet, "--lpips-heads", SHARED / "data" / "lpips" / "alex-v0.1.pth", "-o",
                     file)
        alexnet.unlink()
        return file

    def test_lpips(self):
        if not has_shared():
            return
        file, folder = self.lpips_file(), SHARED / "fixtures" / "distances"
        pair = json.loads((folder / "index.json").read_text())["pairs"][0]
        found = self.document("distance", "distance", folder / pair["a"], folder / pair["b"], "--lpips", file)
        self.assertAlmostEqual(found["lpips"], pair["lpips"], delta=1e-5 * pair["lpips"])
        self.assertAlmostEqual(sum(found["lpips_layers"]), found["lpips"], 12)
        for wrong in (folder / pair["a"], self.folder / "absent.safetensors"):
            self.assert_refused(run("distance", folder / pair["a"], folder / pair["b"], "--lpips", wrong), {3})
        out = self.folder / "out"
        walk = ("traverse", MODEL, "--source", self.picture(0), "--target", self.picture(1), "--iterations", 3)
        result = self.document("result", *walk, "-o", out, "--lpips", file)
        self.assertEqual(result["lpips_sha256"], found["lpips_sha256"])
        self.assertGreater(result["pairs"][0]["final"]["lpips"], 0)
        names = {n["name"] for n in self.document("verify", "verify", out, "--lpips", file)["pairs"][0]["numbers"]}
        self.assertLessEqual({"ssim", "lpips"}, names)
        self.assertIn("--lpips", self.succeed("verify", out).stderr.decode())
        text = json.loads((out / "result.json").read_text())
        text["pairs"][0]["final"]["lpips"] += 0.01
        (out / "result.json").write_text(json.dumps(text))
        self.succeed("verify", out, "--lpips", file, exit_code=3)

    def test_walks_record_ssim_and_widths(self):
        out = self.folder / "out"
        walk = ("grid", MODEL, self.picture(0), self.picture(1), "--iterations", 4, "--record-every", 2)
        result = self.document("result", *walk, "-o", out, "--width")
        for pair in result["pairs"]:
            self.assertIsNone(pair["final"]["lpips"])
            self.assertGreater(pair["final"]["ssim"], -1)
            self.assertEqual(len(pair["records"]), 3)
            for record in pair["records"]:
                self.assertEqual([r["radius"] for r in record["width"]], [0, 0.5, 1, 1.5, 2])
                self.assertAlmostEqual(record["width"][0]["q05"], record["probability"], 5)
        plain = self.document("result", *walk, "-o", self.folder / "plain")
        self.assertNotIn("width", plain["pairs"][0]["records"][0])
        self.assertEqual(plain["pairs"][0]["final"], result["pairs"][0]["final"])
        self.assertIn("--lpips", self.succeed(*walk, "-o", self.folder / "third").stderr.decode())
        # A distance of the command is the walk's.
        images = read_safetensors(out / "images.safetensors")
        shape, finals = images["final"]
        count = shape[1] * shape[2] * shape[3]
        for name, values in (("final", finals), ("target", images["target"][1])):
            write_safetensors(self.folder / f"{name}.safetensors", "image", shape[1:], values[:count])
        distance = self.document("distance", "distance", self.folder / "final.safetensors",
                                 self.folder / "target.safetensors")
        for name in ("rmse", "linf", "ssim"):
            self.assertEqual(distance[name], result["pairs"][0]["final"][name])
        # What is changed in the file is noticed.
        text = json.loads((out / "result.json").read_text())
        text["pairs"][1]["final"]["ssim"] += 1e-3
        (out / "result.json").write_text(json.dumps(text))
        self.succeed("verify", out, exit_code=3)
        self.succeed("verify", self.folder / "plain")

    def test_bad_input(self):
        one, other, absent = self.picture(0), self.picture(1), self.folder / "absent.png"
        small = self.folder / "small.safetensors"
        write_safetensors(small, "image", [3, 4, 4], [0.5] * 48)
        two = self.folder / "two.safetensors"
        write_safetensors(two, "image", [2, 3, 4, 4], [0.5] * 96)
        cases = [
            (2, "triangle", MODEL, one, other), (3, "triangle", MODEL, one, other, absent),
            (2, "triangle", MODEL, one, other, one, "--source-class", 10),
            (2, "triangle", MODEL, one, other, one, "--mode", "strict"),
            (2, "triangle", MODEL, one, other, one, "--check", 0),
            (2, "triangle", MODEL, one, other, one, "--delta", 0.1),
            (2, "path", MODEL, one, other, "--check", 8, "--delta", 1.5),
            (3, "path", MODEL, one, small), (3, "path", "absent-network", one, other), (2, "path", MODEL, one),
            (2, "simplex", MODEL, one), (2, "simplex", MODEL, one, other, "--samples", 1),
            (2, "simplex", MODEL, one, other, "--level", 1),
            (2, "simplex", MODEL, one, other, "--level", 0.9999999999999999),
            (2, "simplex", MODEL, one, other, "--divisions", 0),
            (2, "width", MODEL, one), (2, "width", MODEL, one, "--target", other, "--radii", 0),
            (2, "width", MODEL, one, "--target", other, "--radii", "x"),
            (2, "width", MODEL, one, "--target", other, "--delta", -1),
            (3, "width", MODEL, one, "--target", other, "--directions", small),
            (3, "width", MODEL, one, "--target", other, "--directions", absent),
            (2, "distance", one), (3, "distance", one, absent), (3, "distance", one, small), (3, "distance", two, two),
            (2, "distance", one, other, "--device", "gpu"), (2, "distance", one, other, "--precision", "fp32"),
            (3, "traverse", MODEL, "--source", one, "--target", other, "-o", self.folder / "out", "--lpips", small),
        ]
        for code, *words in cases:
            with self.subTest(words=list(map(str, words))):
                self.assert_refused(run(*words), {code})
        self.assertFalse((self.folder / "out").exists())


if __name__ == "__main__":
    unittest.main()
