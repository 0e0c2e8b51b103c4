"""Wrong command lines, and help."""
import json
import os
import pathlib
import struct
import time
import unittest

from program import PROGRAM, SHARED, ProgramTest, has_shared, run, write_safetensors

COMMANDS = (["traverse"], ["grid"], ["triangle"], ["path"], ["simplex"], ["width"], ["distance"], ["classify"], ["gradient"], ["verify"], ["devices"], ["bench"], ["demo"],
            ["weights"], ["weights", "inspect"], ["weights", "convert"], ["weights", "random"],
            ["weights", "list"], ["weights", "fetch"], ["weights", "verify"])


class Usage(ProgramTest):
    def test_help_of_each_command_has_an_example(self):
        for command in [[], *COMMANDS]:
            for option in ("--help", "-h"):
                with self.subTest(command=command, option=option):
                    text = self.succeed(*command, option).stdout.decode()
                    self.assertIn("Example:\n  blindspot", text)

    def test_version_names_the_libraries(self):
        text = self.succeed("--version").stdout.decode()
        self.assertRegex(text, r"^blindspot \d+\.\d+\.\d+: .*oneDNN")

    def test_version_as_a_document(self):
        document = self.document("version", "--version")
        self.assertEqual(document["details"], self.succeed("--version").stdout.decode().strip())
        self.assertTrue(document["details"].startswith(f"{document['name']} {document['version']}: "))
        self.assert_refused(run("--version", "--jsom"), {2}, "--jsom", "`--json`")

    def test_near_misses_are_named(self):
        self.assert_refused(run("travers"), {2}, "travers", "`traverse`")
        self.assert_refused(run("weights", "inspcet"), {2}, "`inspect`")
        self.assert_refused(run("classify", "demo-resnet", "a.png", "--therads", "1"), {2}, "`--threads`")

    def test_a_flag_with_a_value_is_refused_by_its_name(self):
        # CLI11 reads such a value by std::stoll, whose exception is none of its own: found by fuzzing.
        for value in ("#-", "x", "99999999999999999999"):
            with self.subTest(value=value):
                self.assert_refused(run("triangle", "m", "s", "a", "b", f"--json={value}"), {2}, "--json")

    def test_numbers_are_read_whole_or_not_at_all(self):
        start = ("traverse", "demo-resnet", "--source", self.picture(0), "--target", self.picture(1), "-o",
                 self.folder / "out")
        wrong = {
            "--step-size": ("nan", "inf", "-inf", "1e99", "0.01x", "0", "-1", "", " 0.01", "0x1"),
            "--delta": ("-0.1", "1.01", "nan"),
            "--adversarial-step": ("-1", "inf"),
            "--iterations": ("-1", "1.5", "1e3", "99999999999999999999"),
            "--record-every": ("0", "-1"),
            "--seed": ("-1", "18446744073709551616", "1.0"),
            "--batch": ("-1", "x"),
            "--threads": ("-1", "two"),
            "--mean": ("1,2", "1,2,3,4", "1,2,nan", "a,b,c", "1,2,"),
            "--std": ("0,1,1", "1,1,-1"),
            "--input-size": ("0", "-3"),
            "--resize": ("-1",),
            "--crop": ("0",),
            "--interpolation": ("nearest",),
            "--preset": ("mine",),
            "--mode": ("strict",),
            "--device": ("gpu", "cuda:x", "cuda:"),
            "--heads": ("0", "-4", "two", "4"),  # a ResNet has none
            "--source-class": ("-1", "10", "cat"),
        }
        for option, values in wrong.items():
            for value in values:
                with self.subTest(option=option, value=value):
                    self.assert_refused(run(*start, option, value), {2}, option)
        self.assertEqual(list(self.folder.iterdir()), [])

    def test_options_come_before_files(self):
        self.assert_refused(run("classify", self.folder / "absent.pth", "absent.png", "--threads", "-1"), {2},
                            "--threads")

    def test_a_name_with_control_characters_stays_one_line(self):
        self.assert_refused(run("classify", "demo-resnet", "a\nb\x1b[31m\u0085.png"), {3})

    def test_what_a_file_says_does_not_reach_the_terminal_as_it_is(self):
        hostile = "a\nb\x1b[31m\u009b\x7f"
        escaped = rb"a\x0ab\x1b[31m\xc2\x9b\x7f"
        path = self.folder / "hostile.safetensors"
        self.assertEqual(run("weights", "random", "cifar_resnet20", "-o", path).returncode, 0)
        data = path.read_bytes()
        (size,) = struct.unpack_from("<Q", data)
        header = json.loads(data[8:8 + size])
        header["__metadata__"].update(classes=json.dumps([hostile] * 10), note=hostile)
        text = json.dumps(header).encode()
        path.write_bytes(struct.pack("<Q", len(text)) + text + data[8 + size:])
        tensor = self.folder / "tensor.safetensors"
        write_safetensors(tensor, hostile, [1], [0])
        picture = self.picture(3)
        for command in (("classify", path, picture), ("weights", "inspect", path), ("weights", "inspect", tensor),
                        ("path", path, picture, self.picture(4)),
                        ("traverse", path, "--source", picture, "--target", self.picture(4), "-o", self.folder / "out",
                         "--iterations", 1)):
            with self.subTest(command=command[:2]):
                result = run(*command)
                self.assertEqual(result.returncode, 0, result.stderr)
                self.assertIn(escaped, result.stdout)
                for text in (result.stdout.decode(), result.stderr.decode()):
                    self.assertFalse([c for c in text if c != "\n" and (ord(c) < 32 or 127 <= ord(c) < 160)], repr(text))

    def test_the_end_of_the_disk_is_noticed(self):
        if not os.path.exists("/dev/full"):
            self.skipTest("no /dev/full")
        import subprocess
        with open("/dev/full", "w") as full:
            result = subprocess.run([PROGRAM, "devices"], stdout=full, stderr=subprocess.PIPE)
        self.assertEqual(result.returncode, 3)


class BadCommandLines(ProgramTest):
    def test_listed_cases(self):
        if not has_shared():
            return
        listed = json.loads((SHARED / "fixtures" / "bad_cli.json").read_text())
        for case in listed["cases"]:
            with self.subTest(case=case["id"]):
                self.check(listed, case)

    def check(self, listed, case):
        if case.get("requires") == "no-gpu" and pathlib.Path("/dev/nvidiactl").exists():
            return
        folder = self.folder / case["id"]
        folder.mkdir()
        places = {"{tmp}": str(folder), "{fixtures}": str(SHARED / "fixtures")}
        for name in ("{resnet20}", "{cat}", "{dog}"):
            places[name] = str(SHARED / pathlib.Path(listed["placeholders"][name]).relative_to("shared"))

        def fill(text):
            for name, value in places.items():
                text = text.replace(name, value)
            return text

        setup = {pathlib.Path(fill(path)): text for path, text in case.get("setup", {}).items()}
        for path, text in setup.items():
            path.write_text(text)
        if "sentinel" in case:
            pathlib.Path(case["sentinel"]).unlink(missing_ok=True)
        start = time.monotonic()
        result = run(*map(fill, case["args"]))
        self.assertLess(time.monotonic() - start, 5)
        self.assert_refused(result, {case["exit"], *case.get("also_accept", [])},
                            *map(fill, case["stderr_contains"]))
        if "sentinel" in case:
            self.assertFalse(pathlib.Path(case["sentinel"]).exists())
        self.assertEqual(set(folder.iterdir()), set(setup))
        for path, text in setup.items():
            self.assertEqual(path.read_text(), text)


if __name__ == "__main__":
    unittest.main()
