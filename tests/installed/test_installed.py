"""Installs the build, moves the tree elsewhere, and has it used from outside: by CMake's find_package and by pkg-config, the
shared and the static library, in C, C++ and (the README's example) Python. What the shared library exports is counted.

BLINDSPOT_BUILD names the build folder, BLINDSPOT_PROGRAM the program, CMAKE_COMMAND CMake."""
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

BUILD = pathlib.Path(os.environ["BLINDSPOT_BUILD"])
PROGRAM = os.environ["BLINDSPOT_PROGRAM"]
CMAKE = os.environ["CMAKE_COMMAND"]
HERE = pathlib.Path(__file__).resolve().parent
# Headers and examples give a program of others no warning.
STRICT = ["-Wall", "-Wextra", "-pedantic", "-Werror"]


def run(*words, **environment):
    return subprocess.run([*map(str, words)], capture_output=True, text=True, timeout=600,
                          env={**os.environ, **environment})


@unittest.skipIf(os.environ.get("BLINDSPOT_SANITIZED") == "1", "the outside projects are not built with sanitizers")
class Installed(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory(prefix="blindspot-installed-")
        root = pathlib.Path(cls.folder.name)
        done = run(CMAKE, "--install", BUILD, "--prefix", root / "first", "--strip")
        assert done.returncode == 0, done.stdout + done.stderr
        cls.tree = root / "elsewhere"
        shutil.move(root / "first", cls.tree)
        cls.library = next(cls.tree.rglob("libblindspot.so")).parent
        pictures = run(PROGRAM, "demo", "--images", root / "pictures", "--count", 20)
        assert pictures.returncode == 0, pictures.stderr
        cls.root = root
        cls.disc, cls.star = root / "pictures/3-disc/0000.png", root / "pictures/7-star/0001.png"

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def check_programs(self, classify, walk, **environment):
        seen = run(classify, "demo-resnet", self.disc, **environment)
        self.assertEqual((seen.returncode, seen.stderr), (0, ""))
        self.assertEqual(seen.stdout, "cifar_resnet14: disc 0.9664\n")
        refused = run(classify, "nowhere.pth", self.disc, **environment)
        self.assertEqual(refused.returncode, 3)
        self.assertIn("nowhere.pth", refused.stderr)
        walked = run(walk, "demo-resnet", self.disc, self.star, **environment)
        self.assertEqual((walked.returncode, walked.stderr), (0, ""))
        self.assertRegex(walked.stdout, r"^0\.9664 -> 0\.99\d\d, 400 steps taken, 0\.0\d\d\d from the target\n$")
        refused = run(walk, "demo-resnet", self.disc, "nowhere.png", **environment)
        self.assertEqual(refused.returncode, 3)
        self.assertIn("nowhere.png", refused.stderr)

    def test_by_cmake(self):
        folder = self.root / "by-cmake"
        configured = run(CMAKE, "-G", "Ninja", "-S", HERE / "outside", "-B", folder, f"-DCMAKE_PREFIX_PATH={self.tree}",
                         "-DCMAKE_BUILD_TYPE=Release", *(f"-DCMAKE_{language}_FLAGS={' '.join(STRICT)}" for language in ("C", "CXX")))
        self.assertEqual(configured.returncode, 0, configured.stderr)
        built = run(CMAKE, "--build", folder)
        self.assertEqual(built.returncode, 0, built.stdout + built.stderr)
        for kind in ("blindspot", "blindspot_static"):
            with self.subTest(kind):
                self.check_programs(folder / f"classify_{kind}", folder / f"walk_{kind}")

    def build_by_pkg_config(self, library, folder, *options):
        """Both programs, with the flags that pkg-config tells of the package in `library`."""
        environment = {"PKG_CONFIG_PATH": str(library / "pkgconfig")}
        flags = run("pkg-config", *options, "--cflags", "--libs", "blindspot", **environment)
        self.assertEqual(flags.returncode, 0, flags.stderr)
        version = run("pkg-config", "--modversion", "blindspot", **environment).stdout.strip()
        self.assertIn(version, run(PROGRAM, "--version").stdout)
        programs = {"classify": ["cc", "-std=c99"], "walk": ["c++", "-std=c++20"]}
        folder.mkdir()
        for name, compiler in programs.items():
            source = next((HERE / "outside").glob(f"{name}.*"))
            made = run(*compiler, *STRICT, source, "-o", folder / name, *flags.stdout.split())
            self.assertEqual(made.returncode, 0, made.stderr)
        return folder / "classify", folder / "walk"

    def test_by_pkg_config(self):
        programs = self.build_by_pkg_config(self.library, self.root / "by-pkg-config")
        self.check_programs(*programs, LD_LIBRARY_PATH=str(self.library))

    def test_by_pkg_config_without_the_shared_library(self):
        tree = self.root / "static"
        shutil.copytree(self.tree, tree, symlinks=True, ignore=shutil.ignore_patterns("*.so*", "bin"))
        library = tree / self.library.relative_to(self.tree)
        programs = self.build_by_pkg_config(library, self.root / "by-pkg-config-static", "--static")
        for program in programs:
            self.assertNotIn("libblindspot", run("readelf", "--dynamic", program).stdout)
        self.check_programs(*programs)

    def test_the_program_and_no_foreign_symbols(self):
        self.assertEqual(run(self.tree / "bin" / "blindspot", "--version").returncode, 0)
        symbols = run("nm", "-DC", "--defined-only", self.library / "libblindspot.so").stdout.splitlines()
        names = [line.split(" ", 2)[2] for line in symbols]
        functions = {name for name in names if re.fullmatch(r"blindspot_\w+", name)}
        declared = set(re.findall(r"BLINDSPOT_API[^;(]*?\b(blindspot_\w+)\(",
                                  (self.tree / "include/blindspot.h").read_text()))
        self.assertEqual(functions, declared)
        for name in names:
            self.assertRegex(name, r"blindspot", name)
            self.assertNotRegex(name, r"^(blindspot::)(cpu|cuda|images|levelset|weights|c_interface|ModelInside)::", name)

    def test_the_manual_page_tells_all(self):
        page = self.tree / "share/man/man1/blindspot.1"
        text = page.read_text().replace("\\-", "-")
        top = run(PROGRAM, "--help").stdout
        lists = {name: re.findall(r"^  (\w+)\b", entries, re.MULTILINE)
                 for name, entries in re.findall(r"^(\w+):\n((?:  .*\n)+)", top, re.MULTILINE)}
        commands, variables = lists["Commands"], lists["Environment"]
        self.assertIn("traverse", commands)
        self.assertIn("BLINDSPOT_WEIGHTS", variables)
        for variable in variables:
            self.assertIn(f".TP\n.B {variable}", text)
        for command in commands:
            self.assertIn(f".SS {command}\n", text)
            for option in re.findall(r"--[a-z][a-z-]+", run(PROGRAM, command, "--help").stdout):
                self.assertIn(option, text, command)
        if shutil.which("man"):
            shown = run("man", "--warnings", "-l", page, LC_ALL="C.UTF-8")
            self.assertEqual((shown.returncode, shown.stderr), (0, ""))

    def test_the_python_of_the_readme(self):
        readme = (HERE.parents[1] / "README.md").read_text()
        example = re.search(r"```python\n(.*?)```", readme, re.DOTALL).group(1)
        script = self.root / "example.py"
        script.write_text(example)
        shown = run(sys.executable, script, "demo-resnet", self.disc, LD_LIBRARY_PATH=str(self.library))
        self.assertEqual((shown.returncode, shown.stderr), (0, ""))
        self.assertEqual(shown.stdout, "disc 0.9664\n")


if __name__ == "__main__":
    unittest.main()
