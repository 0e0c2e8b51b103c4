"""What the tests of fetching share: a made network as the published file, a host that has it, and a catalogue that says
so. Uses program.py and file_server.py."""
import hashlib
import json
import os
import subprocess

from file_server import FileServer
from program import PROGRAM, ProgramTest, validate

PREPROCESSING = {"input_size": 32, "resize": 32, "interpolation": "bilinear", "crop": 32,
                 "mean": [0.25, 0.5, 0.75], "std": [0.5, 0.25, 0.125]}


class FetchTest(ProgramTest):
    """A made network as the published file, a host that has it, and a catalogue that says so."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        made = cls.class_folder / "made.safetensors"
        subprocess.run([PROGRAM, "weights", "random", "cifar_resnet20", "-o", made], check=True, capture_output=True)
        cls.made = made
        cls.data = made.read_bytes()
        cls.sha256 = hashlib.sha256(cls.data).hexdigest()

    def setUp(self):
        super().setUp()
        self.server = FileServer()
        self.addCleanup(self.server.close)
        self.served = self.server.serve("/made.pth", self.data)
        self.weights = self.folder / "weights"
        self.environment = {key: value for key, value in os.environ.items()
                            if not key.lower().endswith("_proxy") and key != "BLINDSPOT_MIRROR"}
        self.environment["BLINDSPOT_WEIGHTS"] = str(self.weights)

    def catalogue(self, **changes):
        entry = {"name": "made", "aliases": ["other"], "architecture": "cifar_resnet20",
                 "address": self.server.address + "/made.pth", "form": "pytorch", "digest": {"sha256": self.sha256},
                 "size": None, "license": "MIT", "preprocessing": "small", "classes": "cifar10", "verified": False}
        entry.update(changes)
        path = self.folder / "catalogue.json"
        path.write_text(json.dumps({"schema": "blindspot/catalogue/1", "preprocessing": {"small": PREPROCESSING},
                                    "entries": [entry]}))
        return path

    def run_weights(self, command, *arguments, catalogue=None, timeout=60):
        return subprocess.run([PROGRAM, "weights", command, *map(str, arguments), "--catalogue",
                               catalogue or self.catalogue()], capture_output=True, timeout=timeout,
                              env=self.environment)

    def fetch(self, *more, **changes):
        return self.run_weights("fetch", "made", *more, catalogue=self.catalogue(**changes))

    def fetched(self, *more, **changes):
        """A fetch that succeeds; its document."""
        result = self.fetch("--json", *more, **changes)
        self.assertEqual(result.returncode, 0, result.stderr.decode())
        document = json.loads(result.stdout)
        validate(document, "weights-fetch")
        self.assert_in_place()
        return document["networks"][0]

    def metadata(self):
        data = (self.weights / "made.safetensors").read_bytes()
        return json.loads(data[8:8 + int.from_bytes(data[:8], "little")])["__metadata__"]

    def names(self):
        return sorted(path.name for path in self.weights.iterdir()) if self.weights.exists() else []

    def assert_in_place(self, *beside):
        self.assertEqual(self.names(), sorted(["made.safetensors", *beside]))
        self.assertEqual(self.metadata()["source_sha256"], self.sha256)

    def refused(self, result, *contained, kept=()):
        """Exit code 3, the reason in the last line, and nothing left but what can be gone on with."""
        self.assertEqual(result.returncode, 3, result.stderr.decode())
        self.assertEqual(result.stdout, b"")
        last = result.stderr.decode().splitlines()[-1]
        self.assertTrue(last.startswith("blindspot: "), last)
        for text in contained:
            self.assertIn(text, last)
        self.assertEqual(self.names(), sorted(kept))

    def ranges(self):
        return [request.get("Range") for request in self.served.requests]
