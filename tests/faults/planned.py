"""Running the program with one of its calls made to fail by faults.cpp, and what is left behind. Standard library only.

BLINDSPOT_FAULTS names the library for LD_PRELOAD; with BLINDSPOT_FAULTS_ALL set the tests take every case instead of a
seeded sample. BLINDSPOT_LEAKS names GCC's LeakSanitizer, which then has its allocations counted behind ours: a run that
leaves memory behind ends with its exit code, 23, and its report. What program.py of the tests of the command line needs is needed too."""
import os
import pathlib
import random
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "cli"))
from program import PROGRAM, ProgramTest, run  # noqa: E402

LIBRARY = os.environ.get("BLINDSPOT_FAULTS", "")
LEAKS = os.environ.get("BLINDSPOT_LEAKS", "")
SUPPRESSIONS = pathlib.Path(__file__).resolve().parents[1] / "leak_suppressions.txt"
ALL = bool(os.environ.get("BLINDSPOT_FAULTS_ALL"))


class Outcome:
    """How a run has ended, what it has printed, and every file and folder that is in its folder then."""

    def __init__(self, result, report, folder):
        self.code = result.returncode
        self.stdout = result.stdout.replace(bytes(folder), b"FOLDER")
        self.stderr = result.stderr.decode().replace(str(folder), "FOLDER")
        lines = report.read_text().splitlines() if report.exists() else []
        self.failed = "failed" in lines
        self.count = sum(int(line.split()[1]) for line in lines if line.startswith("count "))
        self.places = [int(line.split()[1]) for line in lines if line.startswith("new ")]
        self.files = {}
        for path in sorted(folder.rglob("*")):
            self.files[str(path.relative_to(folder))] = path.read_bytes() if path.is_file() else None

    def __str__(self):
        return f"exit code {self.code}, files {sorted(self.files)}, stderr:\n{self.stderr}"


def run_planned(command, call, number=0, prepare=None, folder=None, timeout=120, **plan):
    """Runs `command`, a function of a fresh folder, with the `number`-th planned call failing; 0: none. A `folder` that is
    given stays."""
    kept = folder is not None
    folder = folder or pathlib.Path(tempfile.mkdtemp(prefix="blindspot-faults-"))
    report = folder.with_suffix(".report")
    try:
        if prepare:
            prepare(folder)
        environment = dict(os.environ, LD_PRELOAD=f"{LIBRARY} {LEAKS}", BLINDSPOT_FAULT_CALL=call, BLINDSPOT_FAULT_NUMBER=str(number),
                           BLINDSPOT_FAULT_REPORT=str(report), OMP_WAIT_POLICY="passive",
                           LSAN_OPTIONS=f"suppressions={SUPPRESSIONS}:print_suppressions=0:fast_unwind_on_malloc=0")
        environment.update({f"BLINDSPOT_FAULT_{key.upper()}": str(value) for key, value in plan.items()})
        result = subprocess.run([PROGRAM, *map(str, command(folder))], capture_output=True, env=environment,
                                timeout=timeout)
        return Outcome(result, report, folder)
    finally:
        if not kept:
            shutil.rmtree(folder)
        report.unlink(missing_ok=True)


def succeed(*command):
    """Runs what a test needs to have been done before."""
    result = run(*command)
    assert result.returncode == 0, result.stderr.decode()


def sample(cases, most, seed=1):
    """All of them, or so many that a seed chooses."""
    return list(cases) if ALL or len(cases) <= most else sorted(random.Random(seed).sample(list(cases), most))


class FaultTest(ProgramTest):
    """Adds what every fault has to leave behind: an exit code of house.md, one line that says why, whole files."""

    def assert_clean(self, outcome, whole):
        """Nothing but files of `whole` (name: contents, None for a folder or for contents that may differ)."""
        for name, contents in outcome.files.items():
            self.assertIn(name, whole, outcome)
            if whole[name] is not None:
                self.assertEqual(contents, whole[name], f"{name} is not whole: {outcome}")

    def assert_one_line(self, outcome, progress=""):
        """One line of ours on stderr, besides what the same run says where nothing fails."""
        said = set(progress.splitlines())
        lines = [line for line in outcome.stderr.splitlines() if line not in said]
        self.assertEqual(len(lines), 1, outcome)
        self.assertTrue(lines[0].startswith("blindspot: "), outcome)
        return lines[0]


class PreparedFaultTest(FaultTest):
    """With weights, walks and a run database for the commands that read such."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.weights = cls.class_folder / "weights.safetensors"
        cls.walks = cls.class_folder / "walks"
        cls.database = cls.class_folder / "run.db"
        picture = lambda k: next(cls.pictures.glob(f"{k}-*/0000.png"))
        for command in (("weights", "random", "cifar_resnet20", "-o", cls.weights),
                        ("traverse", "demo-resnet", "--source", picture(3), "--target", picture(4), "-o", cls.walks,
                         "--iterations", 2, "--threads", 1),
                        ("evaluate", "demo-resnet", "--images", cls.pictures, "--limit", 2, "--rounds", 2,
                         "--iterations", 2, "-o", cls.database, "--threads", 1)):
            succeed(*command)
