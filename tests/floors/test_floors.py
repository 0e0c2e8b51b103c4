"""The floors of CONTRIBUTING.md, by what the files of each include: no floor sees one above it, and the command line sees the
public C++ interface alone."""
import pathlib
import re
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
EVERYWHERE = r"blindspot/(error|operation_work|precision|stopping|visibility)\.h"
# What the files of a folder may include beside their own folder's and EVERYWHERE.
FLOORS = {
    "tools": r"blindspot/",
    "engine/include": r"blindspot/",
    "engine/c_interface": r"blindspot\.h|blindspot/",
    "engine/fetch": r"blindspot/|weights/",
    "engine/evaluation": r"blindspot/|engine/\w+\.h|engine/levelset/|weights/",
    "engine/levelset": r"blindspot/|engine/\w+\.h|engine/networks/",
    "engine/networks": r"blindspot/image\.h|engine/(device|philox_words)\.h|engine/layers/|weights/",
    "engine/layers": r"engine/device\.h|weights/",
    "engine/images": r"blindspot/|weights/",
    "kernels": r"(?!)",
    "weights": r"nlohmann/",
}


def included(folder):
    for file in sorted((ROOT / folder).rglob("*")):
        if file.suffix in (".cpp", ".h", ".cu", ".cuh"):
            for header in re.findall(r'^\s*#include "([^"]+)"', file.read_text(), re.MULTILINE):
                yield file.relative_to(ROOT), header


class Floors(unittest.TestCase):
    def test_no_floor_sees_one_above_it(self):
        for folder, visible in FLOORS.items():
            allowed = re.compile(f"^(?:{folder}/|(?:{EVERYWHERE})$|{visible})")
            seen = list(included(folder))
            self.assertTrue(seen, folder)
            for file, header in seen:
                with self.subTest(f"{file} includes {header}"):
                    self.assertRegex(header, allowed)

    def test_onednn_is_known_to_the_cpu_device_alone(self):
        """Which is why a second oneDNN needs no more than engine/cpu compiled again (engine/cpu/CMakeLists.txt)."""
        for folder in ("weights", "engine", "kernels", "tools", "tests", "bench"):
            for file in sorted((ROOT / folder).rglob("*")):
                if file.suffix in (".cpp", ".h") and "oneapi/dnnl" in file.read_text():
                    with self.subTest(str(file.relative_to(ROOT))):
                        self.assertEqual(file.parent, ROOT / "engine" / "cpu")


if __name__ == "__main__":
    unittest.main()
