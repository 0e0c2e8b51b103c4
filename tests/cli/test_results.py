"""What the commands print and write: schemas, files, replays, the order of pairs."""
import json
import math
import struct
import unittest

from program import SHARED, ProgramTest, has_shared, read_png, read_safetensors, run, run_on_a_terminal, validate, without_metadata, write_safetensors, write_tensors

STEPS = ("--iterations", "12", "--record-every", "5", "--threads", "1")


def float_nan_bytes(count):
    return struct.pack("<f", float("nan")) * count


def float32(value):
    return struct.unpack("f", struct.pack("f", value))[0]


SIZE = 3 * 32 * 32


def image_of(values, number):
    return values[number * SIZE:(number + 1) * SIZE]


class Composition:
    """A picture of `columns` × `rows` cells as compose_grid lays it out: images of 32×32 magnified by 4."""

    def __init__(self, path, columns, rows):
        width, height, self.pixels = read_png(path)
        self.cell, self.row = (width - 20) // columns - 12, (height - 20) // rows - 12

    def shows(self, image, column, row):
        """Whether the cell holds this image [3,32,32], rounded to 8 bits."""
        left, top = 16 + column * (self.cell + 12) + (self.cell - 128) // 2, 16 + row * (self.row + 12)
        for y in range(0, 32, 3):
            for x in range(0, 32, 3):
                at = 3 * (left + 4 * x + 1)
                seen = self.pixels[top + 4 * y + 1][at:at + 3]
                if any(abs(255 * image[(c * 32 + y) * 32 + x] - seen[c]) > 0.51 for c in range(3)):
                    return False
        return True


class Results(ProgramTest):
    def traverse(self, name, sources, targets, *more, exit_code=0):
        return self.document("result", "traverse", "demo-resnet", "--source", *sources, "--target", *targets, "-o",
                             self.folder / name, *STEPS, *more, exit_code=exit_code)

    def test_classify(self):
        document = self.document("classify", "classify", "demo-resnet", self.picture(3), self.picture(4))
        self.assertEqual([image["path"] for image in document["images"]],
                         [str(self.picture(3)), str(self.picture(4))])
        for image in document["images"]:
            best = max(range(len(image["logits"])), key=image["logits"].__getitem__)
            self.assertEqual(image["top"][0]["class"], best)
            self.assertEqual([float32(x) for x in image["logits"]].index(max(map(float32, image["logits"]))), best)

    def test_class_names_are_used(self):
        names = self.folder / "names.txt"
        names.write_text("".join(f"thing {k}\n" for k in range(10)))
        document = self.document("classify", "classify", "demo-resnet", self.picture(3), "--class-names", names)
        top = document["images"][0]["top"][0]
        self.assertEqual(top["name"], f"thing {top['class']}")

    def test_gradient(self):
        path = self.folder / "gradient.safetensors"
        command = ("gradient", "demo-resnet", self.picture(2), "--class", "5", "-o", path)
        document = self.document("gradient", *command)
        self.assertEqual(document["images"][0]["class"], 5)
        tensors = read_safetensors(path)
        self.assertEqual({name: shape for name, (shape, _) in tensors.items()},
                         {"image": [1, 3, 32, 32], "gradient": [1, 3, 32, 32], "logits": [1, 10]})
        self.assertGreater(max(map(abs, tensors["gradient"][1])), 0)
        self.assert_refused(run(*command), {2}, "gradient.safetensors", "--overwrite")
        self.succeed(*command, "--overwrite")
        self.assert_refused(run(*command[:4], "10", *command[5:], "--overwrite"), {2}, "--class")

    def test_the_gradient_is_the_slope_of_the_cross_entropy(self):
        predicted = self.document("classify", "classify", "demo-resnet", self.picture(2))["images"][0]["top"][0]["class"]
        # At the predicted class the gradient is small, and scaled on its way through the network.
        for index in (predicted, (predicted + 3) % 10):
            with self.subTest(index=index):
                self.check_slope(index)

    def check_slope(self, index):
        path, moved = self.folder / "gradient.safetensors", self.folder / "moved.safetensors"
        self.succeed("gradient", "demo-resnet", self.picture(2), "--class", index, "-o", path, "--overwrite")
        tensors = read_safetensors(path)
        image, gradient = tensors["image"][1], tensors["gradient"][1]
        norm, step = math.sqrt(sum(g * g for g in gradient)), 0.01
        # Along the gradient, but only where there is room on both sides.
        along = [g / norm if step < x < 1 - step else 0 for x, g in zip(image, gradient)]
        write_safetensors(moved, "image", [2, 3, 32, 32],
                          [x + sign * step * d for sign in (1, -1) for x, d in zip(image, along)])
        sides = [side["logits"] for side in self.document("classify", "classify", "demo-resnet", moved)["images"]]
        above, below = (math.log(sum(math.exp(z) for z in logits)) - logits[index] for logits in sides)
        expected = sum(d * g for d, g in zip(along, gradient))
        # The second order falls out of the difference; what is left is the curvature's change within the step.
        self.assertAlmostEqual((above - below) / (2 * step) / expected, 1, delta=0.05)

    def test_lpips_from_features_and_heads(self):
        features, heads, out = (self.folder / f"{name}.safetensors" for name in ("features", "heads", "out"))
        write_tensors(features, {f"features.{n}.{part}": ([2], [n, n + 0.5]) for n in (0, 3, 6, 8, 10)
                                 for part in ("weight", "bias")})
        channels = (64, 192, 384, 256, 256)
        write_tensors(heads, {f"lin{k}.model.1.weight": ([1, count, 1, 1], [k] * count)
                              for k, count in enumerate(channels)})
        self.succeed("weights", "convert", features, "--lpips-heads", heads, "-o", out)
        tensors = read_safetensors(out)
        self.assertEqual(tensors, {**read_safetensors(features), **read_safetensors(heads)})
        inspected = self.document("weights-inspect", "weights", "inspect", out)
        self.assertEqual(inspected["metadata"]["architecture"], "lpips-alexnet")

    def test_quiet_says_nothing(self):
        for command in (("classify", "rule:cifar_resnet20", self.picture(0)),
                        ("traverse", "rule:cifar_resnet20", "--source", self.picture(0), "--target", self.picture(1),
                         "--iterations", 1, "--overwrite", "-o", self.folder / "out")):
            self.assertIn(b"assumed", self.succeed(*command).stderr)
            self.assertEqual(self.succeed(*command, "--quiet").stderr, b"")

    def test_path_widths_have_a_bar_of_their_own(self):
        command = ("traverse", "demo-resnet", "--source", self.picture(0), "--target", self.picture(1), "-o",
                   self.folder / "out", "--overwrite", "--iterations", 3, "--record-every", 2, "--width")
        text, exit_code = run_on_a_terminal(*command)
        self.assertEqual(exit_code, 0)
        walked, measured = text.split(b"path widths of 3 records\r\n")
        self.assertIn(b"0 of 1 pair\x1b[K", walked)
        self.assertRegex(measured, rb"\r\[#*-+\] path widths of 3 records: \d+ %, \d+ s left\x1b\[K")
        self.assertNotIn(b"of 1 pair\x1b[K", measured)
        self.assertRegex(measured, rb"\r\x1b\[Kno LPIPS")  # gone before the result
        text, _ = run_on_a_terminal(*command, "--quiet", "--json")
        validate(json.loads(text), "result")
        text, _ = run_on_a_terminal("width", "demo-resnet", self.picture(0), "--target", self.picture(1))
        self.assertRegex(text, rb"\r\[#*-+\] path width: \d+ %, \d+ s left\x1b\[K")

    def test_devices(self):
        document = self.document("devices", "devices")
        self.assertIn("fp32", next(d for d in document["devices"] if d["name"] == "cpu")["precisions"])

    def test_weights(self):
        made, converted = self.folder / "made.safetensors", self.folder / "converted.safetensors"
        self.assertEqual(self.document("weights-random", "weights", "random", "cifar_resnet20", "--seed", "3", "-o", made)
                         ["architecture"], "cifar_resnet20")
        inspected = self.document("weights-inspect", "weights", "inspect", made)
        self.assertEqual(inspected["architecture"], "cifar_resnet20")
        self.assertEqual(self.document("weights-convert", "weights", "convert", made, "-o", converted)["tensors"],
                         len(inspected["tensors"]))
        self.assertEqual(read_safetensors(made), read_safetensors(converted))
        self.assert_refused(run("weights", "random", "cifar_resnet20", "-o", made), {2}, "made.safetensors", "--overwrite")
        self.assert_refused(run("weights", "random", "resnet19", "-o", self.folder / "x"), {2}, "resnet19")

    def test_transformers_by_both_of_their_names(self):
        made = self.folder / "made.safetensors"
        for name, known_as in (("vit_tiny_32", "vit_tiny_32"), ("deit_tiny_patch32_224", "deit_tiny_32")):
            document = self.document("weights-random", "weights", "random", name, "-o", made, "--overwrite")
            self.assertEqual(document["architecture"], known_as)
            classified = self.document("classify", "classify", made, self.picture(0), "--architecture", name)
            self.assertEqual(classified["model"]["architecture"], known_as)
            self.document("bench", "bench", "--network", name, "--batch", 1, "--iterations", 2)

    def test_bench(self):
        document = self.document("bench", "bench", "--network", "cifar_resnet20", "--batch", "2", "--iterations", "3",
                                 "--threads", "1")
        self.assertEqual((document["batch"], document["iterations"]), (2, 3))
        self.assertNotIn("share_of_floor", document)  # of a GPU alone
        limited = self.document("bench", "bench", "--network", "cifar_resnet20", "--batch", "2", "--iterations", "1000000",
                                "--seconds", "1", "--threads", "1")
        self.assertGreater(limited["ms_per_image_iteration"], 0)

    def test_demo_pictures(self):
        folder = self.folder / "pictures"
        document = self.document("demo-images", "demo", "--images", folder, "--count", 12, "--seed", 1)
        folders = sorted(path.name for path in folder.iterdir())
        self.assertEqual(folders, [f"{k}-{name}" for k, name in enumerate(document["classes"])])
        self.assertEqual(len(list(folder.glob("*/*.png"))), 12)
        self.assertEqual((folder / folders[0] / "0000.png").read_bytes()[:8], b"\x89PNG\r\n\x1a\n")

    def test_demo_pictures_only_draws(self):
        folder = self.folder / "pictures"
        folder.mkdir()
        identity = folder.stat().st_ino
        command = ("demo", "--images", folder, "--count", 3)
        for option in (("--overwrite",), ("-o", self.folder / "out"), ("--iterations", "3"), ("demo-vit",)):
            self.assert_refused(run(*command, *option), {2}, "--images")
        self.succeed(*command)
        self.assertEqual(len(list(folder.glob("*/*.png"))), 3)
        self.assertEqual(folder.stat().st_ino, identity)
        again = run(*command)
        self.assert_refused(again, {2}, str(folder))
        self.assertNotIn(b"--overwrite", again.stderr)

    def test_demo_walks(self):
        out = self.folder / "demo"
        text = self.succeed("demo", "-o", out, "--iterations", "10", "--seed", "3").stdout.decode()
        self.assertIn("To the network", text)
        document = json.loads((out / "result.json").read_text())
        validate(document, "result")
        self.assertEqual(len(document["pairs"]), 12)
        self.assertEqual(document["parameters"]["seed"], 3)
        for name in ("grid.png", "path-0-1.png", "final-3-2.png", "image-0.png", "images.safetensors"):
            self.assertTrue((out / name).is_file(), name)
        self.assertTrue(self.document("verify", "verify", out)["holds"])

    def test_traverse_writes_what_it_prints(self):
        sources, targets = [self.picture(0), self.picture(1)], [self.picture(2), self.picture(3), self.picture(4)]
        document = self.traverse("out", sources, targets, "--keep-path")
        out = self.folder / "out"
        self.assertEqual(json.loads((out / "result.json").read_text()), document)
        self.assertEqual([(pair["source"]["path"], pair["target"]["path"]) for pair in document["pairs"]],
                         [(str(s), str(t)) for s in sources for t in targets])
        self.assertEqual([r["iteration"] for r in document["pairs"][0]["records"]], [0, 5, 10, 12])
        shapes = {name: shape for name, (shape, _) in read_safetensors(out / "images.safetensors").items()}
        self.assertEqual(shapes, {"source": [6, 3, 32, 32], "target": [6, 3, 32, 32], "final": [6, 3, 32, 32],
                                  "path": [6, 4, 3, 32, 32]})
        self.assertEqual({path.name for path in out.glob("*.png")},
                         {f"{kind}-{i}-{j}.png" for kind in ("final", "path") for i in range(2) for j in range(3)})
        for pair in document["pairs"]:
            self.assertEqual(pair["accepted"] + pair["rejected"], 12)
            self.assertEqual(pair["records"][-1]["probability"], pair["final"]["probability"])

    def test_classes_have_their_names_where_they_are_known(self):
        command = ("traverse", "demo-resnet", "--source", self.picture(3), "--target", self.picture(7), *STEPS)
        document = self.document("result", *command, "-o", self.folder / "out")
        pair = document["pairs"][0]
        self.assertEqual([(pair[end]["class"], pair[end]["name"]) for end in ("source", "target")],
                         [(3, "disc"), (7, "star")])
        names = self.folder / "names.txt"
        names.write_text("".join(f"name {k}\n" for k in range(10)))
        pair = self.document("result", *command, "-o", self.folder / "named", "--class-names", names)["pairs"][0]
        self.assertEqual([pair[end]["name"] for end in ("source", "target")], ["name 3", "name 7"])
        weights = self.folder / "nameless.safetensors"
        self.succeed("weights", "random", "cifar_resnet20", "-o", weights)
        pair = self.document("result", "traverse", weights, *command[2:], "-o", self.folder / "nameless")["pairs"][0]
        self.assertNotIn("name", pair["source"])

    def test_one_of_a_thing_is_no_plural(self):
        said = self.succeed("traverse", "demo-resnet", "--source", self.picture(3), "--target", self.picture(7), "-o",
                            self.folder / "out", "--iterations", 1).stdout.decode()
        self.assertRegex(said, "[01] of 1 step taken\n1 of 1 final image is within delta 0.2 of its source's confidence, ")

    def test_pictures_show_what_the_tensors_hold(self):
        targets = [self.picture(2), self.picture(3)]
        self.traverse("out", [self.picture(0)], targets, "--keep-path")
        out = self.folder / "out"
        tensors = {name: values for name, (_, values) in read_safetensors(out / "images.safetensors").items()}
        for j in range(2):
            width, height, rows = read_png(out / f"final-0-{j}.png")
            self.assertEqual((width, height), (32, 32))
            final = image_of(tensors["final"], j)
            for c in range(3):
                for i in range(0, 32 * 32, 7):
                    self.assertLessEqual(abs(255 * final[c * 1024 + i] - rows[i // 32][3 * (i % 32) + c]), 0.51)
            strip = Composition(out / f"path-0-{j}.png", 6, 1)
            shown = [image_of(tensors["source"], j), *(image_of(tensors["path"], 4 * j + r) for r in range(4)),
                     image_of(tensors["target"], j)]
            for column, image in enumerate(shown):
                self.assertTrue(strip.shows(image, column, 0), (j, column))
            # The path leads from near the source to the final image.
            self.assertEqual(shown[4], final)
            self.assertLess(max(abs(a - b) for a, b in zip(shown[0], shown[1])), 0.01)

    def test_options_of_the_walk_and_the_network_reach_the_result(self):
        walk = {"--step-size": ("step_size", 0.03), "--iterations": ("iterations", 7), "--delta": ("delta", 0.3),
                "--adversarial-step": ("adversarial_step", 0.004), "--seed": ("seed", 2**64 - 1),
                "--record-every": ("record_every", 3), "--mode": ("mode", "reference")}
        command = ("result", "traverse", "demo-resnet", "--source", self.picture(0), "--target", self.picture(1))
        options = [word for name, (_, value) in walk.items() for word in (name, value)]
        document = self.document(*command, "-o", self.folder / "walk", *options, "--no-adversarial", "--threads", "3",
                                 "--batch", "3")
        self.assertEqual(document["parameters"], {**dict(walk.values()), "adversarial": False})
        self.assertEqual((document["threads"], document["batch"]), (3, 3))
        preset = self.document(*command, "-o", self.folder / "preset", "--preset", "authors-default", "--iterations", 3)
        self.assertEqual(preset["parameters"], {
            "step_size": 0.05, "iterations": 3, "delta": 0.05, "adversarial": False, "adversarial_step": 0.003921569,
            "seed": 0, "record_every": 20, "mode": "default"})
        network = ("--mean", "0.1,0.2,0.3", "--std", "0.4,0.5,0.6", "--interpolation", "bicubic", "--resize", 40)
        document = self.document("classify", "classify", "demo-resnet", self.picture(0), *network)
        self.assertEqual(document["model"]["preprocessing"], {
            "input_size": 32, "resize": 40, "interpolation": "bicubic", "crop": 32, "mean": [0.1, 0.2, 0.3],
            "std": [0.4, 0.5, 0.6]})

    def test_precision_reaches_the_result(self):
        devices = self.document("devices", "devices")["devices"]
        for precision in next(device for device in devices if device["name"] == "cpu")["precisions"]:
            document = self.document("classify", "classify", "demo-resnet", self.picture(0), "--precision", precision)
            self.assertEqual(document["precision"], precision)
        self.assert_refused(run("classify", "demo-resnet", self.picture(0), "--precision", "tf32"), {2}, "tf32")

    def test_verify_holds_and_notices(self):
        self.traverse("out", [self.picture(0)], [self.picture(1)])
        out = self.folder / "out"
        self.assertTrue(self.document("verify", "verify", out)["holds"])
        whole = (out / "result.json").read_text()
        result = json.loads(whole)
        result["pairs"][0]["final"]["probability"] -= 0.01
        (out / "result.json").write_text(json.dumps(result))
        self.assertFalse(self.document("verify", "verify", out, exit_code=3)["holds"])
        checks = (("probability_8bit", 0.5, None), ("probability_8bit", None, None), ("target_probability", 0.7, None),
                  ("rmse", 0.5, None), ("linf", 0.9, None), ("rmse", "far", "rmse"),
                  ("probability", 1e300, "probability"), ("probability", 1.5, "probability"))
        for key, value, named in checks:
            wrong = json.loads(whole)
            wrong["pairs"][0]["final"][key] = value
            (out / "result.json").write_text(json.dumps(wrong))
            if named:
                self.assert_refused(run("verify", out), {3}, str(out / "result.json"), named)
            else:
                numbers = self.document("verify", "verify", out, exit_code=3)["pairs"][0]["numbers"]
                self.assertEqual([number["name"] for number in numbers if not number["agrees"]], [key])
        # Every number agrees, but what it says of delta is wrong.
        wrong = json.loads(whole)
        wrong["pairs"][0]["final"]["outside"] = True
        (out / "result.json").write_text(json.dumps(wrong))
        (pair,) = self.document("verify", "verify", out, exit_code=3)["pairs"]
        self.assertEqual((pair["within_delta"], [n["name"] for n in pair["numbers"] if not n["agrees"]]), (False, []))
        for key, value in (("interpolation", "nearest"), ("std", [1, 0, 1]), ("mean", [1, 2]), ("mean", [1, 2, 1e300])):
            wrong = json.loads(whole)
            wrong["model"]["preprocessing"][key] = value
            (out / "result.json").write_text(json.dumps(wrong))
            self.assert_refused(run("verify", out), {3}, str(out / "result.json"), key)
        (out / "result.json").write_text(whole)
        other = self.folder / "other.safetensors"
        self.succeed("weights", "random", "cifar_resnet20", "-o", other)
        self.assert_refused(run("verify", out, "--model", other), {3}, "other.safetensors")
        (out / "result.json").write_text("{}")
        self.assert_refused(run("verify", out), {3}, "result.json", "schema")
        (out / "result.json").unlink()
        self.assert_refused(run("verify", out), {3}, "result.json")

    def test_verify_accepts_numbers_that_are_none(self):
        # A source that is its own target has J·J = 0 only by chance: the NaN of the mode reference is put there by hand.
        self.traverse("out", [self.picture(0)], [self.picture(1)], "--mode", "reference")
        out = self.folder / "out"
        tensors = read_safetensors(out / "images.safetensors")
        size = 3 * 32 * 32
        values = b"".join(tensors[name][1].tobytes() for name in ("source", "target")) + float_nan_bytes(size)
        header = {name: {"dtype": "F32", "shape": [1, 3, 32, 32], "data_offsets": [4 * size * i, 4 * size * (i + 1)]}
                  for i, name in enumerate(("source", "target", "final"))}
        text = json.dumps(header).encode()
        (out / "images.safetensors").write_bytes(struct.pack("<Q", len(text)) + text + values)
        self.assert_refused(run("verify", out), {3}, "images.safetensors", "final")
        result = json.loads((out / "result.json").read_text())
        result["pairs"][0]["final"].update(probability=None, target_probability=None, rmse=None, outside=True)
        (out / "result.json").write_text(json.dumps(result))
        validate(result, "result")
        numbers = {n["name"]: n for n in self.document("verify", "verify", out, exit_code=3)["pairs"][0]["numbers"]}
        for name in ("probability", "target_probability", "rmse"):
            self.assertEqual((numbers[name]["recomputed"], numbers[name]["agrees"]), (None, True), name)

    def test_verify_says_how_to_name_a_network_that_was_moved(self):
        made, moved, out = self.folder / "made.safetensors", self.folder / "moved.safetensors", self.folder / "out"
        self.succeed("weights", "random", "cifar_resnet20", "-o", made)
        self.succeed("traverse", made, "--source", self.picture(0), "--target", self.picture(1), "-o", out, *STEPS)
        made.rename(moved)
        self.assert_refused(run("verify", out), {3}, str(made), "no such file", str(out), "--model FILE")
        self.assertTrue(self.document("verify", "verify", out, "--model", moved)["holds"])
        # Elsewhere, or where --model itself is wrong, that would be no help.
        self.assertNotIn(b"--model", run("verify", out, "--model", made).stderr)
        self.assertNotIn(b"--model", run("classify", made, self.picture(0)).stderr)

    def test_permuted_sources_give_permuted_rows(self):
        sources, targets = [self.picture(k) for k in range(3)], [self.picture(3), self.picture(4)]
        first = self.traverse("first", sources, targets)
        second = self.traverse("second", sources[::-1], targets)
        order = [(2 - i) * 2 + j for i in range(3) for j in range(2)]
        self.assertEqual([first["pairs"][k] for k in order], second["pairs"])
        rows = read_safetensors(self.folder / "first" / "images.safetensors")["final"][1]
        permuted = read_safetensors(self.folder / "second" / "images.safetensors")["final"][1]
        size = 3 * 32 * 32
        for place, k in enumerate(order):
            self.assertEqual(rows[k * size:(k + 1) * size], permuted[place * size:(place + 1) * size])

    def test_another_seed_gives_another_walk(self):
        first = self.traverse("first", [self.picture(0)], [self.picture(1)])
        second = self.traverse("second", [self.picture(0)], [self.picture(1)], "--seed", "1")
        again = self.traverse("again", [self.picture(0)], [self.picture(1)])
        self.assertNotEqual(first["pairs"], second["pairs"])
        self.assertEqual(first, again)

    def test_equal_pairs_are_different_occurrences(self):
        pair = self.traverse("out", [self.picture(0), self.picture(0)], [self.picture(1)])["pairs"]
        self.assertNotEqual(pair[0]["start_probability"], pair[1]["start_probability"])

    def test_noise_is_replayed(self):
        noise = self.folder / "noise.safetensors"
        size = 3 * 32 * 32
        write_safetensors(noise, "noise", [2, 3, 32, 32], [(7919 * i % 1000) / 1000 for i in range(2 * size)])
        targets = [self.picture(1), self.picture(2)]
        first = self.traverse("first", [self.picture(0)], targets, "--noise", noise, "--keep-path")
        second = self.traverse("second", [self.picture(0)], targets, "--noise", noise, "--seed", "99", "--keep-path")
        self.assertEqual(first["pairs"], second["pairs"])
        # Record 0 is clamp(s + (4/255)(U − ½)): the file's own numbers, not the generator's.
        tensors = read_safetensors(self.folder / "first" / "images.safetensors")
        source, path = tensors["source"][1], tensors["path"][1]
        for i in range(0, size, 97):
            expected = min(max(source[i] + 4 / 255 * ((7919 * i % 1000) / 1000 - 0.5), 0), 1)
            self.assertAlmostEqual(path[i], expected, delta=1e-6)
        self.assert_refused(run("traverse", "demo-resnet", "--source", self.picture(0), "--target", self.picture(1),
                                "-o", self.folder / "out", "--noise", noise), {3}, "noise.safetensors")
        self.assertFalse((self.folder / "out").exists())
        write_safetensors(noise, "noise", [2, 3, 32, 32], [0.5] * (2 * size - 1) + [1.0])
        self.assert_refused(run("traverse", "demo-resnet", "--source", self.picture(0), "--target", *targets, "-o",
                                self.folder / "out", "--noise", noise), {3}, "noise.safetensors")

    def test_sources_of_another_class_are_dropped_and_named(self):
        seen = self.document("classify", "classify", "demo-resnet", self.picture(0), self.picture(1))
        classes = [image["top"][0]["class"] for image in seen["images"]]
        self.assertNotEqual(classes[0], classes[1])
        document = self.traverse("out", [self.picture(0), self.picture(1)], [self.picture(2)], "--source-class",
                                 classes[1], exit_code=5)
        self.assertEqual([dropped["source"] for dropped in document["dropped"]], [str(self.picture(0))])
        self.assertEqual([pair["source"]["path"] for pair in document["pairs"]], [str(self.picture(1))])
        self.assertTrue((self.folder / "out" / "final-1-0.png").is_file())
        nothing = self.traverse("nothing", [self.picture(0)], [self.picture(2)], "--source-class", classes[1],
                                exit_code=5)
        self.assertEqual(nothing["pairs"], [])
        text = self.succeed("traverse", "demo-resnet", "--source", self.picture(0), "--target", self.picture(2), "-o",
                            self.folder / "text", *STEPS, "--source-class", classes[1], exit_code=5).stdout.decode()
        self.assertRegex(text, rf"^dropped {self.picture(0)}: .*\nwritten to {self.folder / 'text'}\n$")

    def test_grid(self):
        images = [self.picture(k) for k in range(3)]
        document = self.document("result", "grid", "demo-resnet", *images, "-o", self.folder / "out", *STEPS)
        self.assertEqual(document["schema"], "blindspot/traverse/1")
        self.assertEqual([(pair["source"]["path"], pair["target"]["path"]) for pair in document["pairs"]],
                         [(str(a), str(b)) for a in images for b in images if a != b])
        grid = Composition(self.folder / "out" / "grid.png", 3, 3)
        tensors = {name: values for name, (_, values) in
                   read_safetensors(self.folder / "out" / "images.safetensors").items()}
        # Row i, column j: the walk from image j to image i; the images themselves on the diagonal.
        for number, (j, i) in enumerate((a, b) for a in range(3) for b in range(3) if a != b):
            self.assertTrue(grid.shows(image_of(tensors["final"], number), j, i), (j, i))
            self.assertTrue(grid.shows(image_of(tensors["source"], number), j, j), j)
        self.assert_refused(run("grid", "demo-resnet", images[0], "-o", self.folder / "one"), {2}, "IMG")

    def test_batch_and_text_output(self):
        result = self.succeed("traverse", "demo-resnet", "--source", self.picture(0), "--target", self.picture(1), "-o",
                              self.folder / "out", "--batch", "3", "--quiet", *STEPS)
        self.assertEqual(result.stderr, b"")
        self.assertIn("written to", result.stdout.decode())
        self.assertRegex(result.stdout.decode(), "1 of 1 final image is within delta 0.2 of .*, 0 outside")
        self.assertEqual(json.loads((self.folder / "out" / "result.json").read_text())["batch"], 3)


class RealNetwork(ProgramTest):
    def test_heads_are_chosen_where_the_file_does_not_tell(self):
        if not has_shared():
            return
        whole = SHARED / "data" / "weights" / "cifar10-vit.safetensors"
        silent = self.folder / "silent.safetensors"
        silent.write_bytes(without_metadata(whole, "heads"))
        images = (SHARED / "data" / "cifar10" / "cat" / "0003.jpg", SHARED / "data" / "cifar10" / "dog" / "0001.jpg")

        def logits(model, *more):
            return [image["logits"] for image in self.document("classify", "classify", model, *images, *more)["images"]]

        self.assertEqual(logits(silent, "--heads", "4"), logits(whole))
        self.assertNotEqual(logits(silent), logits(whole))
        self.assertIn(b"2 attention heads are assumed", run("classify", silent, images[0]).stderr)
        self.assertNotIn(b"heads", run("classify", silent, images[0], "--heads", "4").stderr)
        for wrong in ("3", "256"):
            self.assert_refused(run("classify", silent, images[0], "--heads", wrong), {2}, "--heads", "128")
        converted = self.folder / "converted.safetensors"
        self.succeed("weights", "convert", silent, "-o", converted, "--heads", "4")
        self.assertEqual(self.document("weights-inspect", "weights", "inspect", converted)["metadata"]["heads"], "4")
        self.assertEqual(logits(converted), logits(whole))
        for other in ("--as-is", "--lpips-heads"):
            more = (other,) if other == "--as-is" else (other, silent)
            self.assert_refused(run("weights", "convert", silent, "-o", self.folder / "x", "--heads", "4", *more), {2},
                                "--heads")
        # A result remembers the heads it was made with.
        self.succeed("traverse", silent, "--heads", "4", "--source", images[0], "--target", images[1], "-o",
                     self.folder / "out", *STEPS)
        self.assertTrue(self.document("verify", "verify", self.folder / "out")["holds"])
        self.assertFalse(self.document("verify", "verify", self.folder / "out", "--heads", "2", exit_code=3)["holds"])

    def test_a_cat_becomes_a_dog(self):
        if not has_shared():
            return
        cifar = SHARED / "data" / "cifar10"
        result = self.succeed("traverse", SHARED / "data" / "weights" / "cifar10-resnet20-12fca82f.th", "--source",
                              cifar / "cat" / "0003.jpg", "--target", cifar / "dog" / "0001.jpg", "-o",
                              self.folder / "out")
        # The catalogue knows the file by its SHA-256.
        self.assertNotIn("assumed", result.stderr.decode())
        document = json.loads((self.folder / "out" / "result.json").read_text())
        validate(document, "result")
        pair = document["pairs"][0]
        self.assertFalse(pair["final"]["outside"])
        self.assertLess(pair["source"]["probability"] - pair["final"]["probability"], document["parameters"]["delta"])
        self.assertTrue(self.document("verify", "verify", self.folder / "out")["holds"])


if __name__ == "__main__":
    unittest.main()
