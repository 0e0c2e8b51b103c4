"""The commands of README.md, run in their order in a fresh folder: each ends as it is shown to end, and prints what is
shown below it.

What is compared: every line that README shows must be among those printed, in that order. Commands that depend on no
walk are compared letter by letter but for sizes; of the others the words are compared and numbers are not, as the last
digits of a walk differ between processors and its times between all machines. Of `devices` only the first word of a line
is compared. `evaluate` walks 10 iterations here, which shows in no words; what downloads is not run (NOT_RUN)."""
import os
import pathlib
import re
import shutil
import sys
import tempfile
import unittest

from documents import (PUBLISHED, ROOT, first_missing, inline_commands, make_lpips_parts, run, shown_commands, without_numbers)

README = (ROOT / "README.md").read_text()
NOT_RUN = {"blindspot weights fetch alexnet lpips-heads": "downloads 245 MB; tests/cli/test_fetch.py fetches from a server of its own"}
# Their output has no number of a walk or of the machine in it.
EXACT = re.compile(r"blindspot (classify|demo --images|weights (?!inspect))")
# Not the reader's own, in which published networks may lie.
ENVIRONMENT = {"BLINDSPOT_WEIGHTS": "no-such-folder"}


def without_sizes(line):
    return re.sub(r"\d+(\.\d+)? [kMG]i?B", "0 B", line)


def first_word(line):
    return line.split(" ")[0]


def form_of(command):
    if command.startswith("blindspot devices"):
        return first_word
    return without_sizes if EXACT.match(command) else without_numbers


def shortened(command):
    return f"{command} --iterations 10" if command.startswith("blindspot evaluate") else command


class Readme(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.temporary = tempfile.TemporaryDirectory(prefix="blindspot-readme-")
        cls.folder = pathlib.Path(cls.temporary.name)

    @classmethod
    def tearDownClass(cls):
        cls.temporary.cleanup()

    def check(self, command, shown, environment):
        result = run(shortened(command), self.folder, **environment)
        # A message of the program's own at the end stands for a refusal.
        refused = bool(shown) and shown[-1].startswith("blindspot: ")
        self.assertEqual(result.returncode, 3 if refused else 0, f"{command}\n{result.stdout}")
        missing = first_missing(shown, result.stdout.splitlines(), form_of(command))
        self.assertIsNone(missing, f"$ {command}\nprints\n{result.stdout}")

    def test_the_commands_in_their_order(self):
        shown = [(command, [line for line in lines if line.strip()]) for command, lines in shown_commands(README)]
        self.assertGreater(len(shown), 25)
        environment, has_published = dict(ENVIRONMENT), PUBLISHED.exists()
        if has_published:
            shutil.copy(PUBLISHED, self.folder / "resnet20-12fca82f.th")
        for command, lines in shown:
            with self.subTest(command=command):
                if command.startswith("export "):
                    name, value = command.removeprefix("export ").split("=")
                    environment[name] = value
                elif not has_published and re.match(r"blindspot weights (fetch|verify|list)", command):
                    print(f"skipped: no ../shared, so not run: {command}", file=sys.stderr)
                else:
                    self.check(command, lines, environment)
        self.inline_commands_in_the_same_folder()

    def inline_commands_in_the_same_folder(self):
        """Those of the running text, with the files that they name."""
        make_lpips_parts(self.folder / "ALEXNET", self.folder / "HEADS")
        for name, picture in (("dog.jpg", "3-disc/0000.png"), ("cat.jpg", "7-star/0001.png")):
            shutil.copy(self.folder / "pictures" / picture, self.folder / name)
        os.rename(self.folder / "resnet50-rule.safetensors", self.folder / "resnet50-0676ba61.pth")
        commands = inline_commands(README)
        self.assertGreater(len(commands), 3)
        self.assertEqual(set(NOT_RUN) - set(commands), set(), "no longer in README.md")
        for command in commands:
            with self.subTest(command=command):
                if command in NOT_RUN:
                    print(f"skipped: {command}: {NOT_RUN[command]}", file=sys.stderr)
                    continue
                # ResNet-50 walks for minutes.
                self.check(f"{command} --iterations 2" if command.startswith("blindspot traverse") else command, [],
                           ENVIRONMENT)
        measured = run("blindspot distance dog.jpg cat.jpg --lpips lpips.safetensors", self.folder)
        self.assertRegex(measured.stdout, r"LPIPS +0\.\d+")


if __name__ == "__main__":
    unittest.main()
