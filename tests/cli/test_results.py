"""What the commands print and write: schemas, files, replays, the order of pairs."""
import json
import struct
import unittest

from program import SHARED, ProgramTest, has_shared, read_safetensors, run, validate, without_metadata, write_safetensors

STEPS = ("--iterations", "12", "--record-every", "5", "--threads", "1")


def float_nan_bytes(count):
    return struct.pack("<f", float("nan")) * count


def float32(value):
    return struct.unpack("f", struct.pack("f", value))[0]


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

    def test_bench(self):
        document = self.document("bench", "bench", "--network", "cifar_resnet20", "--batch", "2", "--iterations", "3",
                                 "--threads", "1")
        self.assertEqual((document["batch"], document["iterations"]), (2, 3))

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
        text = self.succeed("demo", "-o", out, "--iterations", "10").stdout.decode()
        self.assertIn("To the network", text)
        document = json.loads((out / "result.json").read_text())
        validate(document, "result")
        self.assertEqual(len(document["pairs"]), 12)
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

    def test_verify_holds_and_notices(self):
        self.traverse("out", [self.picture(0)], [self.picture(1)])
        out = self.folder / "out"
        self.assertTrue(self.document("verify", "verify", out)["holds"])
        whole = (out / "result.json").read_text()
        result = json.loads(whole)
        result["pairs"][0]["final"]["probability"] -= 0.01
        (out / "result.json").write_text(json.dumps(result))
        self.assertFalse(self.document("verify", "verify", out, exit_code=3)["holds"])
        checks = (("probability_8bit", 0.5, None), ("probability_8bit", None, None), ("rmse", "far", "rmse"),
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

    def test_grid(self):
        images = [self.picture(k) for k in range(3)]
        document = self.document("result", "grid", "demo-resnet", *images, "-o", self.folder / "out", *STEPS)
        self.assertEqual(document["schema"], "blindspot/traverse/1")
        self.assertEqual([(pair["source"]["path"], pair["target"]["path"]) for pair in document["pairs"]],
                         [(str(a), str(b)) for a in images for b in images if a != b])
        self.assertTrue((self.folder / "out" / "grid.png").is_file())
        self.assert_refused(run("grid", "demo-resnet", images[0], "-o", self.folder / "one"), {2}, "IMG")

    def test_batch_and_text_output(self):
        result = self.succeed("traverse", "demo-resnet", "--source", self.picture(0), "--target", self.picture(1), "-o",
                              self.folder / "out", "--batch", "3", "--quiet", *STEPS)
        self.assertEqual(result.stderr, b"")
        self.assertIn("written to", result.stdout.decode())
        self.assertRegex(result.stdout.decode(), "1 of 1 final images are within delta 0.2 of .*, 0 outside")
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
        self.assertIn("assumed", result.stderr.decode())
        document = json.loads((self.folder / "out" / "result.json").read_text())
        validate(document, "result")
        pair = document["pairs"][0]
        self.assertFalse(pair["final"]["outside"])
        self.assertLess(pair["source"]["probability"] - pair["final"]["probability"], document["parameters"]["delta"])
        self.assertTrue(self.document("verify", "verify", self.folder / "out")["holds"])


if __name__ == "__main__":
    unittest.main()
