"""The examples of every command's --help (which the manual page repeats), each run in a fresh folder with the files that it
names: drawn pictures, and a network as small as can be in place of ResNet-50. Walks are cut to 5 iterations, and
`bench` measures 3 instead of 10; what needs a download is not run (NOT_RUN)."""
import json
import pathlib
import re
import shutil
import sys
import tempfile
import unittest

from documents import (PUBLISHED, command_names, examples_of, make_lpips_parts, make_thousand_classes, run)

NOT_RUN = {
    "blindspot weights fetch resnet50.a1_in1k": "downloads 100 MB; tests/cli/test_fetch.py fetches from a server of its own",
    "blindspot weights verify resnet50.a1_in1k": "needs what the command before has downloaded; tests/cli/test_catalogue.py "
                                                 "verifies a made file, test_readme.py a published one",
}
NEEDS_PUBLISHED = "blindspot weights fetch cifar10-resnet20 --from resnet20-12fca82f.th"
WALKS = re.compile(r"blindspot (traverse|grid|evaluate|demo -o)\b")


def shortened(command):
    if command.startswith("blindspot bench"):
        return re.sub(r"--iterations \d+", "--iterations 3", command)
    return f"{command} --iterations 5" if WALKS.match(command) else command


class Help(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.temporary = tempfile.TemporaryDirectory(prefix="blindspot-help-")
        cls.files = pathlib.Path(cls.temporary.name) / "files"
        cls.files.mkdir()
        cls.prepare()

    @classmethod
    def tearDownClass(cls):
        cls.temporary.cleanup()

    @classmethod
    def made(cls, command):
        result = run(command, cls.files)
        assert result.returncode == 0, f"{command}\n{result.stdout}"
        return result.stdout

    @classmethod
    def prepare(cls):
        """The files that the examples name."""
        files = cls.files
        make_thousand_classes(files / "resnet50.safetensors", files)
        shutil.copy(files / "resnet50.safetensors", files / "resnet50.pth")
        (files / "names.txt").write_text("".join(f"name {k}\n" for k in range(1000)))
        cls.made("blindspot demo --images drawn --count 20")
        drawn = sorted((files / "drawn").glob("*/*.png"))
        for name, picture in zip(("dog.jpg", "cat.jpg", "car.jpg", "truck.jpg", "cat.png", "a.png", "b.png", "c.png"), drawn):
            shutil.copy(picture, files / name)
        make_lpips_parts(files / "alexnet.safetensors", files / "heads.safetensors")
        cls.converted = cls.made("blindspot weights convert alexnet.safetensors --lpips-heads heads.safetensors -o lpips.safetensors")
        # Results: of three targets, of the demonstration, of an evaluation in one and in two parts.
        walk = "--iterations 5 --quiet"
        cls.made(f"blindspot traverse resnet50.safetensors --source dog.jpg --target cat.jpg car.jpg truck.jpg -o out {walk}")
        cls.made(f"blindspot demo -o found {walk}")
        cls.make_validation_pictures(drawn[:4])
        evaluate = "blindspot evaluate resnet50.safetensors --images imagenet/val --labels val.txt"
        cls.made(f"{evaluate} -o run.db {walk}")
        for part in (1, 2):
            cls.made(f"{evaluate} --shard {part}/2 -o part{part}.db {walk}")
        if PUBLISHED.exists():
            shutil.copy(PUBLISHED, files / "resnet20-12fca82f.th")

    @classmethod
    def make_validation_pictures(cls, drawn):
        """Pictures in one folder and a list of their classes, which are what the network sees: others are left out."""
        validation = cls.files / "imagenet" / "val"
        validation.mkdir(parents=True)
        for number, picture in enumerate(drawn):
            shutil.copy(picture, validation / f"{number}.png")
        images = json.loads(cls.made("blindspot classify resnet50.safetensors imagenet/val/*.png --json --quiet"))["images"]
        (cls.files / "val.txt").write_text(
            "".join(f"{pathlib.Path(image['path']).name} {image['top'][0]['class']}\n" for image in images))

    def test_every_example(self):
        seen = set()
        for name in command_names():
            examples = examples_of(name)
            with self.subTest(name=name):
                self.assertTrue(examples)
            seen.update(examples)
        self.assertEqual((set(NOT_RUN) | {NEEDS_PUBLISHED}) - seen, set(), "no longer in --help")
        for number, command in enumerate(sorted(seen)):
            with self.subTest(command=command):
                if command in NOT_RUN:
                    print(f"skipped: {command}: {NOT_RUN[command]}", file=sys.stderr)
                elif command == NEEDS_PUBLISHED and not PUBLISHED.exists():
                    print(f"skipped: no ../shared, so not run: {command}", file=sys.stderr)
                else:
                    self.check(command, pathlib.Path(self.temporary.name) / str(number))

    def test_examples_stand_in_a_column(self):
        for name in command_names():
            block = run(f"blindspot {name} --help", self.files).stdout.partition("\nExample:\n")[2].partition("\n\n")[0]
            for line in block.splitlines():
                self.assertRegex(line, r"^  (blindspot |export )", name)

    def test_what_lpips_needs_is_known(self):
        self.assertEqual(self.converted, "lpips.safetensors: lpips-alexnet, 15 tensors\n")
        self.assertIn("architecture: lpips-alexnet\n", self.made("blindspot weights inspect lpips.safetensors"))
        # Its name alone does not make it that.
        self.made("blindspot weights convert heads.safetensors --as-is -o other.safetensors")
        self.assertIn("architecture: unknown\n", self.made("blindspot weights inspect other.safetensors"))

    def check(self, command, folder):
        """With the files of all examples, but without the one that it writes."""
        shutil.copytree(self.files, folder)
        output = re.search(r" -o (\S+)", command)
        if output:
            path = folder / output[1]
            shutil.rmtree(path, ignore_errors=True)
            path.unlink(missing_ok=True)
        result = run(shortened(command), folder, BLINDSPOT_WEIGHTS="networks")
        self.assertEqual(result.returncode, 0, f"{command}\n{result.stdout}")
        if output:
            self.assertTrue(path.exists(), command)
        shutil.rmtree(folder)


if __name__ == "__main__":
    unittest.main()
