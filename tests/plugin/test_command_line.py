"""The command line with plug-ins made for the test, and with the real one where it was built and there is no GPU.

BLINDSPOT_PROGRAM names the program, BLINDSPOT_FAKE_PLUGINS the folders of the plug-ins, BLINDSPOT_REAL_PLUGIN the real
one's folder (empty: not built)."""
import ctypes
import json
import os
import pathlib
import subprocess
import tempfile
import unittest

PROGRAM = os.environ["BLINDSPOT_PROGRAM"]
FAKES = pathlib.Path(os.environ["BLINDSPOT_FAKE_PLUGINS"])
REAL = os.environ.get("BLINDSPOT_REAL_PLUGIN", "")


def run(*arguments, plugins, gpus=""):
    environment = {**os.environ, "BLINDSPOT_PLUGINS": str(plugins), "FAKE_GPUS": gpus}
    return subprocess.run([PROGRAM, *map(str, arguments)], capture_output=True, timeout=120, env=environment, text=True)


def driver_is_there():
    try:
        ctypes.CDLL("libcuda.so.1")
        return True
    except OSError:
        return False


class CommandLine(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory(prefix="blindspot-plugin-")
        drawn = run("demo", "--images", cls.folder.name, "--count", 1, plugins="")
        assert drawn.returncode == 0, drawn.stderr
        cls.picture = next(pathlib.Path(cls.folder.name).rglob("*.png"))

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def reason(self, plugins, gpus=""):
        """Why CUDA cannot be used, as `devices` says it in both forms."""
        listed = run("devices", "--json", plugins=plugins, gpus=gpus)
        self.assertEqual((listed.returncode, listed.stderr), (0, ""))
        (device,) = [d for d in json.loads(listed.stdout)["devices"] if d["name"] != "cpu"]
        self.assertFalse(device["usable"])
        text = run("devices", plugins=plugins, gpus=gpus).stdout
        self.assertIn(f"{device['name']}: not usable: {device['reason']}\n", text)
        return device["reason"]

    def refused(self, plugins, gpus=""):
        """The one line with which --device cuda is refused."""
        result = run("classify", "demo-resnet", self.picture, "--device", "cuda", plugins=plugins, gpus=gpus)
        self.assertEqual((result.returncode, result.stdout), (4, ""))
        self.assertEqual(result.stderr.count("\n"), 1)
        self.assertIn("--device cpu", result.stderr)
        return result.stderr

    def test_devices_says_why(self):
        for plugins, gpus, reason in (("", "", "no CUDA device"), (FAKES / "unreadable", "", "cannot be opened"),
                                      (FAKES / "other_version", "", "another build"),
                                      (FAKES / "right", "", "no NVIDIA driver"),
                                      (FAKES / "right", "old", "compute capability is 7.5")):
            with self.subTest(plugins=plugins, gpus=gpus):
                self.assertIn(reason, self.reason(plugins, gpus))
                self.assertIn(reason, self.refused(plugins, gpus))

    def test_auto_falls_back_and_says_so_in_one_line(self):
        for plugins, gpus, note in (("", "", ""), (FAKES / "right", "", "cuda cannot be used: no NVIDIA driver"),
                                    (FAKES / "right", "old", "cuda:0 cannot be used: its compute capability"),
                                    (FAKES / "other_version", "", "cuda cannot be used:")):
            with self.subTest(plugins=plugins, gpus=gpus):
                result = run("classify", "demo-resnet", self.picture, plugins=plugins, gpus=gpus)
                self.assertEqual(result.returncode, 0, result.stderr)
                self.assertEqual(result.stderr.count("\n"), 1 if note else 0, result.stderr)
                self.assertIn(note, result.stderr)
                quiet = run("classify", "demo-resnet", self.picture, "--quiet", plugins=plugins, gpus=gpus)
                self.assertEqual((quiet.returncode, quiet.stderr), (0, ""))

    def test_a_device_that_cannot_be_made_ends_the_program_with_its_reason(self):
        result = run("classify", "demo-resnet", self.picture, plugins=FAKES / "right", gpus="two")
        self.assertEqual((result.returncode, result.stdout), (4, ""))
        self.assertIn("fake GPU 0", result.stderr)

    @unittest.skipUnless(REAL, "the plug-in was not built")
    def test_the_real_plugin_without_a_driver(self):
        if driver_is_there():
            self.skipTest("there is a driver")
        expected = "no NVIDIA driver: libcuda.so.1 was not found"
        self.assertEqual(self.reason(REAL), expected)
        self.assertIn(expected, self.refused(REAL))


if __name__ == "__main__":
    unittest.main()
