"""The catalogue of published weights: what it lists, what it says of files in the weight folder, and that every command
points to it."""
import hashlib
import json
import os
import pathlib
import re
import shutil
import subprocess
import unittest

from program import PROGRAM, SHARED, ProgramTest, has_shared, run, validate

# A file's name in the known facts.
PUBLISHED_FILE = r"[A-Za-z0-9_.-]+-[0-9a-f]{8}\.(?:pth|th)|[a-z0-9_.]+\.ckpt"


class CatalogueTest(ProgramTest):
    def setUp(self):
        super().setUp()
        self.weights = self.folder / "weights"
        self.weights.mkdir()
        self.environment = {**os.environ, "BLINDSPOT_WEIGHTS": str(self.weights)}

    def run_here(self, *arguments):
        return subprocess.run([PROGRAM, *map(str, arguments)], capture_output=True, env=self.environment, timeout=120)

    def documented(self, schema, *arguments, exit_code=0):
        result = self.run_here(*arguments, "--json")
        self.assertEqual(result.returncode, exit_code, result.stderr.decode())
        document = json.loads(result.stdout)
        validate(document, schema)
        return document


class Listing(CatalogueTest):
    def networks(self):
        return {network["name"]: network for network in self.documented("weights-list", "weights", "list")["networks"]}

    def test_every_network_is_listed_in_text_too(self):
        text = self.run_here("weights", "list").stdout.decode()
        lines = text.splitlines()
        self.assertEqual(lines[0].split(), ["name", "architecture", "size", "licence", "verified", "here"])
        self.assertEqual([line.split()[0] for line in lines[1:]], list(self.networks()))

    def test_every_published_file_that_is_known_of_has_an_entry(self):
        if not has_shared():
            return
        text = (SHARED / "docs" / "catalogue.md").read_text()
        files = set(re.findall(PUBLISHED_FILE, text))
        self.assertGreater(len(files), 25)
        networks = self.networks()
        last = {(network["address"] or "").rsplit("/", 1)[-1]: network for network in networks.values()}
        self.assertEqual(files - set(last), set())
        for name in files:
            known = re.search(r"-([0-9a-f]{8})\.", name)
            if known:
                self.assertTrue(last[name]["digest"]["digits"].startswith(known[1]), name)
        # Hugging Face's networks by their names there, RobustBench's by theirs.
        called = {name for network in networks.values() for name in (network["name"], *network["aliases"])}
        named = set(re.findall(r"(?:timm|google)/[a-z][a-z0-9_.-]*[a-z0-9]", text)) | set(
            re.findall(r"\b(?:Salman2020Do_R50|Singh2023\S+|Wu2020\w+|Standard)\b", text))
        self.assertGreater(len(named), 5)
        self.assertEqual(named - called, set())

    def test_address_licence_and_resizing_are_those_that_are_known(self):
        """Row by row of the facts: a row without a folder of its own continues the folder of the one before."""
        if not has_shared():
            self.skipTest("no ../shared")
        networks = {(network["address"] or "").rsplit("/", 1)[-1]: network for network in self.networks().values()}
        folder, compared = None, 0
        for row in (SHARED / "docs" / "catalogue.md").read_text().splitlines():
            cells = row.split("|")
            files = re.findall(PUBLISHED_FILE, cells[3]) if len(cells) > 5 else []
            if not files:
                continue
            of_row = re.search(r"(https://[^` ]*/)", cells[3])
            folder = of_row[1] if of_row else None if "Hugging Face" in cells[3] else folder
            licence, resized = cells[5].split()[0], re.search(r"resize (\d+)", cells[4])
            for file in files:
                with self.subTest(file=file):
                    network = networks[file]
                    compared += 1
                    if folder is None:
                        self.assertTrue(network["address"].startswith("https://huggingface.co/"))
                    else:
                        self.assertEqual(network["address"], folder + file)
                    self.assertEqual(network["license"].split("-Clause")[0], licence)
                    if resized:
                        own = re.search(network["architecture"] + r": (\d+)", cells[4])
                        self.assertEqual(network["preprocessing"]["resize"], int((own or resized)[1]))
        self.assertGreater(compared, 25)

    def test_what_is_there_is_told(self):
        self.assertIsNone(self.networks()["resnet50"]["path"])
        (self.weights / "resnet50.pth").write_text("anything")
        self.assertEqual(self.networks()["resnet50"]["path"], str(self.weights / "resnet50.pth"))

    def test_every_address_is_of_https_and_verified_entries_have_all_digits(self):
        for name, network in self.networks().items():
            with self.subTest(name=name):
                self.assertTrue(network["address"] is None or network["address"].startswith("https://"))
                if network["verified"]:
                    self.assertEqual((network["digest"]["kind"], len(network["digest"]["digits"])), ("sha256", 64))
                    self.assertIsNotNone(network["size_bytes"])

    def test_a_command_offers_what_is_not_there(self):
        for arguments in (("classify", "resnet50.a1_in1k", self.picture(0)),
                          ("traverse", "timm/vit_base_patch16_224.augreg2_in21k_ft_in1k", "--source", self.picture(0),
                           "--target", self.picture(1), "-o", self.folder / "out"),
                          ("evaluate", "resnet20", "--images", self.pictures, "-o", self.folder / "run.db")):
            with self.subTest(arguments=arguments):
                result = self.run_here(*arguments)
                self.assert_refused(result, {3}, arguments[1] + ": is not in ", "https://")
                (name,) = re.findall(r"blindspot weights fetch (\S+)", result.stderr.decode())
                self.assertIn(name, self.networks())
        self.assert_refused(self.run_here("classify", "Standard", self.picture(0)), {3},
                            "blindspot weights fetch Standard --from FILE")
        self.assert_refused(self.run_here("classify", "nowhere", self.picture(0)), {3}, "no such file",
                            "blindspot weights list")


class OwnCatalogue(CatalogueTest):
    def written(self, text):
        path = self.folder / "own.json"
        path.write_text(text if isinstance(text, str) else json.dumps(text))
        return path

    def document_with(self, **changes):
        entry = {"name": "mine", "architecture": "resnet50", "address": None, "form": "pytorch", "digest": None,
                 "size": None, "license": None, "preprocessing": "p", "classes": None, "verified": False}
        entry.update(changes)
        preprocessing = {"input_size": 224, "resize": 256, "interpolation": "bilinear", "crop": 224,
                         "mean": [0, 0, 0], "std": [1, 1, 1]}
        return {"schema": "blindspot/catalogue/1", "preprocessing": {"p": preprocessing},
                "entries": [{key: value for key, value in entry.items() if value != "absent"}]}

    def test_a_good_one(self):
        path = self.written(self.document_with(note="of my own"))
        (network,) = self.documented("weights-list", "weights", "list", "--catalogue", path)["networks"]
        self.assertEqual((network["name"], network["note"]), ("mine", "of my own"))

    def test_a_slip_is_found_by_entry_and_key(self):
        for key, value in {
                "architecture": "resnet51", "address": "ftp://host/file", "form": "zip", "digest": {"sha256": "00"},
                "size": -1, "license": 7, "preprocessing": "q", "classes": "animals", "verified": "yes", "note": 1,
                "aliases": "one", "companions": [1], "colour": "red"}.items():
            with self.subTest(key=key):
                path = self.written(self.document_with(**{key: value}))
                self.assert_refused(run("weights", "list", "--catalogue", path), {3}, str(path), '"mine"', f"`{key}`")
        for key in ("architecture", "address", "form", "digest", "size", "license", "preprocessing", "classes", "verified"):
            with self.subTest(absent=key):
                path = self.written(self.document_with(**{key: "absent"}))
                self.assert_refused(run("weights", "list", "--catalogue", path), {3}, '"mine"', f"`{key}` is missing")
        for address in ("https://user:word@host/file", "https://host/a b", "https://host/\n", "file:///etc/passwd"):
            with self.subTest(address=address):
                path = self.written(self.document_with(address=address))
                self.assert_refused(run("weights", "list", "--catalogue", path), {3}, '"mine"', "`address`")
        for digest in ({"prefix": "0123456"}, {"prefix": "0123456G"}, {"sha256": "A" * 64}, {"announced": False}, "00", {}):
            with self.subTest(digest=digest):
                path = self.written(self.document_with(digest=digest))
                self.assert_refused(run("weights", "list", "--catalogue", path), {3}, '"mine"', "`digest`")
        path = self.written(self.document_with(verified=True))
        self.assert_refused(run("weights", "list", "--catalogue", path), {3}, '"mine"', "`verified`")

    def test_names_become_files_and_so_must_be_plain(self):
        for name in ("../up", ".hidden", "-o", "a/b", "", "a b", "ä"):
            with self.subTest(name=name):
                path = self.written(self.document_with(name=name))
                self.assert_refused(run("weights", "list", "--catalogue", path), {3}, "`name`")

    def test_a_name_is_taken_once(self):
        document = self.document_with()
        document["entries"].append({**document["entries"][0], "name": "other", "aliases": ["mine"]})
        self.assert_refused(run("weights", "list", "--catalogue", self.written(document)), {3}, '"other"', "taken")

    def test_what_is_no_catalogue(self):
        for text in ("", "[]", "7", "{", '{"schema": "blindspot/catalogue/2", "preprocessing": {}, "entries": []}',
                     "[" * 100000, '{"schema": "blindspot/catalogue/1", "preprocessing": [], "entries": []}'):
            with self.subTest(text=text[:40]):
                self.assert_refused(run("weights", "list", "--catalogue", self.written(text)), {3}, "own.json")
        self.assert_refused(run("weights", "list", "--catalogue", self.folder / "absent"), {3}, "absent")


class Verifying(CatalogueTest):
    def made(self, name="cifar10-resnet20"):
        """A converted file in the weight folder that came from a made one, and a catalogue that knows it."""
        source = self.folder / "made.safetensors"
        self.succeed("weights", "random", "cifar_resnet20", "-o", source)
        self.sha256 = hashlib.sha256(source.read_bytes()).hexdigest()
        entry = {"name": "made", "architecture": "cifar_resnet20", "address": None, "form": "safetensors",
                 "digest": {"sha256": self.sha256}, "size": None, "license": None, "preprocessing": "p",
                 "classes": None, "verified": False}
        preprocessing = {"input_size": 32, "resize": 32, "interpolation": "bilinear", "crop": 32, "mean": [0, 0, 0],
                         "std": [1, 1, 1]}
        self.catalogue = self.folder / "catalogue.json"
        self.catalogue.write_text(json.dumps({"schema": "blindspot/catalogue/1", "preprocessing": {"p": preprocessing},
                                              "entries": [entry]}))
        self.source, self.file = source, self.weights / "made.safetensors"
        fetched = self.run_here("weights", "fetch", "made", "--from", source, "--catalogue", self.catalogue)
        self.assertEqual(fetched.returncode, 0, fetched.stderr)
        return self.file

    def state(self, exit_code=0):
        document = self.documented("weights-verify", "weights", "verify", "made", "--catalogue", self.catalogue,
                                   exit_code=exit_code)
        (network,) = document["networks"]
        self.assertEqual(document["good"], exit_code == 0)
        return network["state"]

    def test_a_converted_file(self):
        file = self.made()
        self.assertEqual(self.state(), "ok")
        whole = bytearray(file.read_bytes())
        changed = bytearray(whole)
        changed[-3] ^= 1
        file.write_bytes(changed)
        self.assertEqual(self.state(exit_code=3), "does not match")
        file.write_bytes(whole[:-4])
        self.assertEqual(self.state(exit_code=3), "does not match")
        file.write_bytes(whole.replace(self.sha256.encode(), b"0" * 64))
        self.assertEqual(self.state(exit_code=3), "does not match")
        self.succeed("weights", "convert", self.source, "-o", file, "--overwrite")
        self.assertEqual(self.state(), "ok")
        file.unlink()
        self.assertEqual(self.state(exit_code=3), "not there")

    def test_a_published_file_as_it_is(self):
        self.made().unlink()
        copy = self.weights / "made.pth"
        # Without metadata of a conversion, as a publisher's file is.
        data = self.source.read_bytes()
        copy.write_bytes(data)
        self.assertEqual(self.state(), "ok")
        copy.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
        self.assertEqual(self.state(exit_code=3), "does not match")

    def test_without_names_all_that_are_there(self):
        self.made()
        text = self.run_here("weights", "verify").stdout.decode()
        self.assertEqual(text, f"{self.weights}: nothing of the catalogue is there\n")
        self.assertEqual(self.documented("weights-verify", "weights", "verify")["networks"], [])
        shutil.copy(self.file, self.weights / "resnet50.safetensors")
        result = self.run_here("weights", "verify")
        self.assertEqual(result.returncode, 3)
        self.assertIn("resnet50: does not match; it was made from a file with SHA-256 " + self.sha256,
                      result.stdout.decode())

    def test_published_files_are_known_by_their_digest(self):
        if not has_shared():
            return
        for depth in (20, 56):
            (file,) = (SHARED / "data" / "weights").glob(f"cifar10-resnet{depth}-*.th")
            with self.subTest(file=file.name):
                fetched = self.documented("weights-fetch", "weights", "fetch", f"resnet{depth}", "--from", file)
                self.assertEqual(fetched["networks"][0]["checked_by"], "sha256")
                document = json.loads(self.run_here("classify", file, self.picture(0), "--json").stdout)
                converted = json.loads(self.run_here("classify", f"resnet{depth}", self.picture(0), "--json").stdout)
                self.assertEqual(document["images"], converted["images"])
                self.assertEqual(document["model"]["weights_sha256"], converted["model"]["weights_sha256"])
                self.assertIn(document["images"][0]["top"][0]["name"], ("airplane", "automobile", "bird", "cat", "deer",
                                                                        "dog", "frog", "horse", "ship", "truck"))
        self.assertTrue(self.documented("weights-verify", "weights", "verify")["good"])


if __name__ == "__main__":
    unittest.main()
