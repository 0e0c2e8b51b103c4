"""What the documents name that cannot be run in a test, since it is the build or the tests themselves: scripts and their
options, folders, presets, CMake's options and targets. All must be there. Python's standard library only."""
import json
import pathlib
import re
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
DOCUMENTS = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "bench" / "README.md", *ROOT.glob("tests/*/README.md"),
                    *ROOT.glob("weights/*/README.md")])
FOLDERS = "bench|engine|kernels|tests|tools|weights"
CMAKE_FILES = [ROOT / "CMakeLists.txt", *(file for folder in FOLDERS.split("|") for file in (ROOT / folder).rglob("*.cmake")),
               *(file for folder in FOLDERS.split("|") for file in (ROOT / folder).rglob("CMakeLists.txt"))]


def without_outputs(text):
    """The text less what commands print: lines of a block below a prompt."""
    kept, below_prompt = [], False
    for line in text.splitlines():
        is_code = line.startswith("    ")
        below_prompt = is_code and (below_prompt or line.startswith("    $ "))
        if not below_prompt or line.startswith("    $ "):
            kept.append(line)
    return "\n".join(kept)


class Named(unittest.TestCase):
    def each(self, pattern, check):
        """Calls check(document, what it names), at least once over all documents."""
        count = 0
        for document in DOCUMENTS:
            for found in re.findall(pattern, without_outputs(document.read_text())):
                count += 1
                with self.subTest(document=str(document.relative_to(ROOT)), names=found):
                    check(document, found)
        self.assertGreater(count, 0)

    def test_files_and_folders(self):
        def check(document, name):
            # engine/cpu/operations_*.cpp stands for those that fit; a document may name what lies in its own folder.
            self.assertTrue(list(ROOT.glob(name)) or list(document.parent.glob(name)), name)
        self.each(rf"(?<![\w/.-])((?:{FOLDERS}|\.ci)/[\w/.*-]*[\w*])", check)

    def test_options_of_the_scripts(self):
        def check(_, found):
            script, arguments = found
            # A script may hand its options on to the program of its name.
            texts = [file.read_text() for file in (ROOT / script, (ROOT / script).with_suffix(".py")) if file.exists()]
            for option in re.findall(r"--[a-z][\w-]*", arguments):
                self.assertRegex("".join(texts), rf"{option}(?![\w-])")
        self.each(r"((?:tools|bench)/[\w-]+\.sh)((?: (?:--[a-z][\w-]*|[A-Z0-9./\[\]]+))+)", check)

    def test_options_of_the_tests_that_are_named_alone(self):
        cases = (ROOT / "tools" / "test.sh").read_text().partition('case "${1:-}"')[2]
        alone = set(re.findall(r"`(--[a-z][a-z0-9-]+)`", (ROOT / "CONTRIBUTING.md").read_text()))
        self.assertGreaterEqual(len(alone), 5)
        for option in alone:
            self.assertIn(f"  {option})", cases)

    def test_presets(self):
        presets = {preset["name"]: preset.get("hidden", False)
                   for preset in json.loads((ROOT / "CMakePresets.json").read_text())["configurePresets"]}
        self.each(r"--preset (\w[\w-]*)", lambda _, name: self.assertIs(presets.get(name), False))
        (sentence,) = re.findall(r"The presets are (.*?)\.", (ROOT / "README.md").read_text(), re.DOTALL)
        for name in re.findall(r"`(\w+)`", sentence):
            self.assertIs(presets.get(name), False)

    def test_options_of_the_build(self):
        text = "\n".join(file.read_text() for file in CMAKE_FILES)
        self.each(r"-D(BLINDSPOT_\w+)=", lambda _, name: self.assertRegex(text, rf"(option|set)\({name}\b"))

    def test_the_packages_targets(self):
        text = (ROOT / "tools" / "cmake" / "blindspot-config.cmake.in").read_text()
        self.each(r"blindspot::blindspot(?:_static)?\b", lambda _, name: self.assertIn(f"add_library({name} ", text))


if __name__ == "__main__":
    unittest.main()
