"""Full size, and therefore long: 400 iterations of two pairs of photographs on rule-made ResNet-50 and ViT-B/16, verified.

The weights are made by the program itself; the photographs are reference material (it may be absent)."""
import json
import pathlib
import tempfile
import unittest

import program


class FullSizeWalk(unittest.TestCase):
    def walk_and_verify(self, architecture):
        if not program.has_shared():
            return
        photographs = sorted((program.SHARED / "data" / "imagenet-sample").glob("*.jpg"))
        with tempfile.TemporaryDirectory() as folder:
            weights = pathlib.Path(folder) / f"{architecture}.safetensors"
            made = program.run("weights", "random", architecture, "--seed", 1, "-o", weights)
            self.assertEqual(made.returncode, 0, made.stderr)
            output = pathlib.Path(folder) / "out"
            walked = program.run("traverse", weights, "--source", photographs[0], "--target", photographs[4],
                                 photographs[8], "-o", output, "--quiet", timeout=1500)
            self.assertEqual(walked.returncode, 0, walked.stderr)
            result = json.loads((output / "result.json").read_text())
            program.validate(result, "result")
            delta = result["parameters"]["delta"]
            self.assertEqual(result["parameters"]["iterations"], 400)
            self.assertEqual(len(result["pairs"]), 2)
            for pair in result["pairs"]:
                self.assertFalse(pair["final"]["outside"])
                self.assertLess(pair["source"]["probability"] - pair["final"]["probability"], delta)
                self.assertEqual(pair["accepted"] + pair["rejected"], 400)
            verified = program.run("verify", output, "--json", timeout=300)
            self.assertEqual(verified.returncode, 0, verified.stdout)
            self.assertTrue(json.loads(verified.stdout)["holds"])

    def test_resnet50(self):
        self.walk_and_verify("resnet50")

    def test_vit_b_16(self):
        self.walk_and_verify("vit_b_16")


if __name__ == "__main__":
    unittest.main()
