"""What the tests of evaluations share: one undisturbed evaluation of the built-in network on drawn pictures, what its database
holds, and killing another one."""
import pathlib
import shutil
import signal
import sqlite3
import subprocess
import tempfile
import time

from program import PROGRAM, ProgramTest, run

# 8 sources, 2 rounds: 16 walks of 4 steps, two batches on the CPU, then 8 triangles.
SMALL = ("--device", "cpu", "--limit", 8, "--rounds", 2, "--record-every", 2, "--detailed-pairs", 3)
PAIRS = 16


def change(database, statements):
    """Runs SQL on a database, behind the program's back."""
    connection = sqlite3.connect(database)
    connection.executescript(statements)
    connection.commit()
    connection.close()


class EvaluateTest(ProgramTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.whole = cls.class_folder / "whole.db"
        cls.seconds = -time.monotonic()
        done = run(*cls.command(cls.whole))
        cls.seconds += time.monotonic()
        assert done.returncode == 0, done.stderr.decode()
        cls.content = cls.content_of(cls.whole)

    @classmethod
    def command(cls, database, *more, iterations=4):
        return ["evaluate", "demo-resnet", "--images", cls.pictures, "-o", database, *SMALL, "--iterations", iterations,
                *more]

    @classmethod
    def content_of(cls, database):
        """Every value, whatever the order of the rows; and what the program says of it."""
        connection = sqlite3.connect(database)
        tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        rows = {table: sorted(map(repr, connection.execute(f"SELECT * FROM {table}"))) for table in tables}
        connection.close()
        return rows

    def exported(self, database):
        path = self.folder / "export.csv"
        self.succeed("export", database, "-o", path, "--overwrite")
        return path.read_text()

    def start(self, *arguments):
        process = subprocess.Popen([PROGRAM, *map(str, arguments)], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.addCleanup(process.communicate)
        self.addCleanup(lambda: process.poll() is None and process.kill())
        return process

    def go_on(self, database, *more):
        """Runs to the end and compares with the undisturbed run."""
        self.succeed(*self.command(database, *more))
        self.assertEqual(self.content_of(database), self.content)


class KillTest(EvaluateTest):
    """Longer walks, two at a time: pairs are finished all through a run."""

    @classmethod
    def command(cls, database, *more, iterations=40):
        return super().command(database, *more, "--batch", 2, iterations=iterations)

    def killed_after(self, database, seconds):
        """How many pairs were finished then; None where the run had ended by itself: so quick one can be, and the moments
        that follow are within that time."""
        began = time.monotonic()
        process = self.start(*self.command(database))
        try:
            process.communicate(timeout=seconds)
            self.seconds = min(self.seconds, time.monotonic() - began)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
        if process.returncode != -signal.SIGKILL:
            self.assertEqual(process.returncode, 0)
            return None
        # In a copy, for whoever opens the database repairs it.
        with tempfile.TemporaryDirectory(dir=self.folder) as folder:
            for path in self.folder.glob(database.name + "*"):
                shutil.copy(path, folder)
            connection = sqlite3.connect(pathlib.Path(folder) / database.name)
            try:
                return connection.execute("SELECT count(*) FROM pairs").fetchone()[0]
            except sqlite3.OperationalError:
                return 0  # there are no tables yet
            finally:
                connection.close()

    def killed_at(self, moments, least_kills, least_states):
        """Evaluations, each killed at one of these moments; so many must have been running then, at so many different
        numbers of finished pairs."""
        finished = []
        for number, moment in enumerate(moments):
            database = self.folder / f"killed-{number}.db"
            finished.append(self.killed_after(database, moment))
            self.go_on(database)
        killed = [pairs for pairs in finished if pairs is not None]
        self.assertGreaterEqual(len(killed), least_kills, finished)
        self.assertGreaterEqual(len(set(killed)), least_states, finished)
