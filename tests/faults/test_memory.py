"""No memory for one allocation, at every place where the program asks for some: it ends by itself with exit code 4 and
one line that says so, or does without and gives the same result; what it leaves behind is whole.

The places are those of a run in which nothing fails, told apart by the calls that lead there; a seeded sample of them in
the ordinary tests, all of them with BLINDSPOT_FAULTS_ALL. Allocations that these libraries make themselves are left out,
since they do not survive the failure of one, whoever calls them: OpenSSL 3 and oneDNN 2.6 reach through a null pointer
when their first objects are made, libgomp ends the process, and of what draws the text of figures cairo, pixman,
FreeType and fontconfig (with its reader of XML) crash or go on with other fonts."""
import re
import struct
import unittest
import zipfile

from planned import PreparedFaultTest, run_planned, sample
import torch_files  # of the tests of the command line, whose folder planned has added to the path

FRAGILE = "libcrypto libdnnl libgomp libcairo libpixman-1 libfreetype libfontconfig libexpat"
# What the program says where a destructor had no memory to tidy up with: of the libraries, nlohmann-json's needs some.
UNTIDY = "no room to tidy up"
TIMES = re.compile(rb"[0-9.]+ s, the device busy [0-9.]+ %")
BATCH = re.compile(rb'"batch": [0-9]+')
PARTIAL = re.compile(r"(\.partial-|\.part$|\.images-)")


def grey_jpeg():
    """32 x 32, all grey: one table of one code each for no difference and for the end of a block."""
    segment = lambda kind, body: b"\xff" + bytes([kind]) + struct.pack(">H", len(body) + 2) + body
    return (b"\xff\xd8" + segment(0xDB, b"\0" + b"\1" * 64) +
            segment(0xC0, struct.pack(">BHHB", 8, 32, 32, 1) + b"\1\x11\0") +
            segment(0xC4, b"\0\1" + bytes(15) + b"\0") + segment(0xC4, b"\x10\1" + bytes(15) + b"\0") +
            segment(0xDA, b"\1\1\0\0\x3f\0") + bytes(16 * 2 // 8) + b"\xff\xd9")


class OutOfThreads(PreparedFaultTest):
    def test_a_system_without_threads_is_an_error_of_ours(self):
        command = lambda folder: ("classify", "demo-resnet", self.picture(3), "--threads", 4)
        for first, length in ((1, 1), (3, 1), (1, 0)):  # the last: all of them
            with self.subTest(first=first, length=length):
                outcome = run_planned(command, "thread", first, length=length)
                self.assertTrue(outcome.failed, outcome)
                self.assertEqual(outcome.code, 4, outcome)
                self.assertIn("--threads 4", self.assert_one_line(outcome))


class OutOfMemory(PreparedFaultTest):
    MOST = 32

    def check(self, command, may_differ=()):
        """`may_differ`: outputs whose bytes are not the same in every run."""
        usual = self.fail_at(command, 0)
        self.assertEqual(usual.code, 0, usual)
        whole = {name: None if name in may_differ else contents for name, contents in usual.files.items()}
        reached = 0
        places = sample(usual.places, self.MOST)
        for place in places:
            with self.subTest(allocation=place):
                outcome = self.fail_at(command, place)
                reached += outcome.failed
                self.check_outcome(outcome, usual, whole)
        self.assertGreater(reached, 0.9 * len(places), "the runs are not alike: most allocations were not reached")

    def fail_at(self, command, number):
        outcome = run_planned(command, "allocate", number, **{"except": FRAGILE})
        # Where memory is short the batch is halved; all else is the same.
        if outcome.files.get("out/result.json"):
            outcome.files["out/result.json"] = BATCH.sub(b"", outcome.files["out/result.json"])
        # Part of the database where there was no memory to close it; the next to open it takes them in.
        for kept in ("run.db-wal", "run.db-shm"):
            outcome.files.pop(kept, None)
        return outcome

    def check_outcome(self, outcome, usual, whole):
        self.assertIn(outcome.code, (0, 4), outcome)
        if outcome.code == 0:
            self.assertEqual(TIMES.sub(b"", outcome.stdout), TIMES.sub(b"", usual.stdout))
            self.assertEqual(outcome.files.keys(), usual.files.keys())
        else:
            line = self.assert_one_line(outcome, usual.stderr)
            self.assertIn("memory", line, outcome)
            if UNTIDY in line:
                outcome.files = {name: body for name, body in outcome.files.items() if not PARTIAL.search(name)}
        self.assert_clean(outcome, whole)

    def test_inspecting_weights(self):
        self.check(lambda folder: ("weights", "inspect", self.weights, "--json"))

    def test_inspecting_a_checkpoint(self):
        stored, deflated = self.folder / "stored.pth", self.folder / "deflated.pth"
        torch_files.save_zip(stored, {"state_dict": {"a.weight": torch_files.Tensor([2, 2], [1, 2, 3, 4]),
                                                     "a.bias": torch_files.Tensor([2], [5, 6])}, "epoch": 3})
        with zipfile.ZipFile(stored) as source, zipfile.ZipFile(deflated, "w", zipfile.ZIP_DEFLATED) as copy:
            for name in source.namelist():
                copy.writestr(name, source.read(name))
        self.check(lambda folder: ("weights", "inspect", deflated, "--json"))

    def test_a_gradient_at_a_photograph(self):
        picture = self.folder / "grey.jpg"
        picture.write_bytes(grey_jpeg())
        self.check(lambda folder: ("gradient", "demo-resnet", picture, "--class", 3, "-o", folder / "out.safetensors",
                                   "--threads", 2))

    def test_converting_weights(self):
        self.check(lambda folder: ("weights", "convert", self.weights, "-o", folder / "converted.safetensors"))

    def test_classifying(self):
        self.check(lambda folder: ("classify", "demo-vit", self.picture(3), "--threads", 2))

    def test_a_walk(self):
        self.check(lambda folder: ("traverse", "demo-resnet", "--source", self.picture(3), "--target", self.picture(4),
                                   "-o", folder / "out", "--iterations", 2, "--threads", 2))

    def test_an_evaluation(self):
        self.check(lambda folder: ("evaluate", "demo-resnet", "--images", self.pictures, "--limit", 2, "--rounds", 2,
                                   "--iterations", 2, "-o", folder / "run.db", "--threads", 1, "--quiet"),
                   may_differ=("run.db",))

    def test_a_table(self):
        self.check(lambda folder: ("table", self.database))

    def test_a_report(self):
        self.check(lambda folder: ("report", self.walks, "-o", folder / "report.html", "--figures", folder / "figures"))

    def test_an_export(self):
        self.check(lambda folder: ("export", self.database, "-o", folder / "pairs.csv"))


if __name__ == "__main__":
    unittest.main()
