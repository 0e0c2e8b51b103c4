"""Killed, interrupted and refused runs: what is left behind is a whole result or nothing."""
import json
import signal
import subprocess
import time
import unittest

from program import PROGRAM, ProgramTest, run, validate

LONG = "100000000"


class WholeOrNotAtAll(ProgramTest):
    def start(self, *more, targets=(1,), iterations=LONG, quiet=("--quiet",), hangup=signal.SIG_DFL):
        """`hangup`: what the program inherits for SIGHUP, whatever these tests did."""
        before = signal.signal(signal.SIGHUP, hangup)
        process = subprocess.Popen(
            [PROGRAM, "traverse", "demo-resnet", "--source", self.picture(0), "--target",
             *(self.picture(k) for k in targets), "-o", self.folder / "out", "--iterations", iterations,
             "--record-every", "1000000", *quiet, "--threads", "1", *more], stdout=subprocess.PIPE,
            stderr=subprocess.PIPE)
        signal.signal(signal.SIGHUP, before)
        # Also when a check fails in between: nothing would end a walk of this length.
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        return process

    def wait_until(self, condition):
        end = time.monotonic() + 60
        while not condition():
            self.assertLess(time.monotonic(), end, "waited in vain")
            time.sleep(0.02)

    def partial(self):
        return list(self.folder.glob("out.partial-*"))

    def test_a_killed_run_leaves_no_result(self):
        process = self.start()
        self.wait_until(self.partial)
        time.sleep(0.3)
        process.kill()
        process.communicate()
        self.assertFalse((self.folder / "out").exists())

    def test_a_signal_before_the_first_pair_leaves_nothing(self):
        for number, code in ((signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)):
            with self.subTest(signal=number):
                # On the CPU by name: a plug-in without a GPU would have a line of its own before the awaited one.
                process = self.start("--json", "--device", "cpu", quiet=())
                # Said right before the first step: a signal during loading leaves no document either.
                self.assertIn(b"1 pair of", process.stderr.readline())
                process.send_signal(number)
                if number == signal.SIGHUP:  # a terminal that closes sends it from its shell and from the kernel
                    time.sleep(0.02)
                    process.send_signal(number)
                stdout, _ = process.communicate(timeout=20)
                self.assertEqual(process.returncode, code)
                document = json.loads(stdout)
                validate(document, "result")
                self.assertEqual((document["interrupted"], document["pairs"]), (True, []))
                self.assertEqual(list(self.folder.iterdir()), [])

    def test_a_hangup_that_is_ignored_stays_so(self):
        process = self.start("--device", "cpu", quiet=(), hangup=signal.SIG_IGN)
        self.assertIn(b"1 pair of", process.stderr.readline())
        process.send_signal(signal.SIGHUP)
        time.sleep(0.5)
        self.assertIsNone(process.poll())
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=20)
        self.assertEqual(process.returncode, 143)

    def test_a_signal_saves_the_pairs_that_are_done(self):
        # One walk at a time, 200 of them: some are done and some are not when the signal comes.
        targets = [1 + k % 9 for k in range(200)]
        process = self.start("--batch", "1", "--json", targets=targets, iterations="100")
        self.wait_until(lambda: [f for p in self.partial() for f in p.glob("path-*.png")])
        process.send_signal(signal.SIGINT)
        stdout, stderr = process.communicate(timeout=60)
        self.assertEqual(process.returncode, 130, stderr.decode())
        document = json.loads(stdout)
        validate(document, "result")
        self.assertTrue(document["interrupted"])
        self.assertTrue(0 < len(document["pairs"]) < 200)
        self.assertEqual({pair["final"]["probability_8bit"] for pair in document["pairs"]}, {None})
        self.assertEqual([path.name for path in self.folder.iterdir()], ["out"])
        self.assertEqual(json.loads((self.folder / "out" / "result.json").read_text()), document)
        self.assertEqual(len(list((self.folder / "out").glob("final-*.png"))), len(document["pairs"]))
        self.assertTrue(self.document("verify", "verify", self.folder / "out")["holds"])

    def traverse(self, *more):
        return run("traverse", "demo-resnet", "--source", self.picture(0), "--target", self.picture(1), "-o",
                   self.folder / "out", "--iterations", "3", "--quiet", *more)

    def test_results_are_replaced_only_when_asked(self):
        out = self.folder / "out"
        self.assertEqual(self.traverse().returncode, 0)
        before = (out / "result.json").read_bytes()
        self.assert_refused(self.traverse("--seed", "5"), {2}, "out", "--overwrite")
        self.assertEqual((out / "result.json").read_bytes(), before)
        self.assertEqual(self.traverse("--seed", "5", "--overwrite").returncode, 0)
        self.assertEqual(json.loads((out / "result.json").read_text())["parameters"]["seed"], 5)
        self.assertEqual([path.name for path in self.folder.iterdir()], ["out"])

    def test_what_is_not_a_result_is_never_removed(self):
        out = self.folder / "out"
        out.mkdir()
        (out / "thesis.txt").write_text("years")
        self.assert_refused(self.traverse("--overwrite"), {2, 3}, "thesis.txt")
        self.assertEqual([path.name for path in out.iterdir()], ["thesis.txt"])

    def test_a_folder_that_exists_stays_the_same_folder(self):
        out = self.folder / "out"
        out.mkdir()
        identity = out.stat().st_ino
        command = ("traverse", "demo-resnet", "--source", self.picture(0), "--target", self.picture(1), "-o", ".",
                   "--iterations", "3", "--quiet")
        for more in ((), ("--overwrite",)):
            result = subprocess.run([PROGRAM, *map(str, command), *more], cwd=out, capture_output=True)
            self.assertEqual(result.returncode, 0, result.stderr.decode())
            self.assertEqual(out.stat().st_ino, identity)
            self.assertEqual({path.name for path in out.iterdir()},
                             {"result.json", "images.safetensors", "final-0-0.png", "path-0-0.png"})
        self.assertTrue(self.document("verify", "verify", out)["holds"])

    def test_an_old_result_leaves_nothing_behind(self):
        out = self.folder / "out"
        self.assertEqual(self.traverse().returncode, 0)
        (out / "grid.png").write_bytes(b"")
        (out / "final-7-8.png").write_bytes(b"")
        self.assertEqual(self.traverse("--overwrite").returncode, 0)
        self.assertEqual({path.name for path in out.iterdir()},
                         {"result.json", "images.safetensors", "final-0-0.png", "path-0-0.png"})

    def test_names_that_only_resemble_a_result_are_others(self):
        out = self.folder / "out"
        out.mkdir()
        (out / "final-draft.png").write_bytes(b"mine")
        self.assert_refused(self.traverse("--overwrite"), {2}, "final-draft.png")
        self.assertEqual((out / "final-draft.png").read_bytes(), b"mine")

    def run_and_meanwhile(self, act):
        """A run of 200 pairs into an empty folder; `act` comes when it has begun to write, then it is stopped."""
        out = self.folder / "out"
        out.mkdir()
        process = self.start("--batch", "1", targets=[1 + k % 9 for k in range(200)], iterations="100")
        self.wait_until(lambda: list(out.glob(".partial-*/path-*.png")))
        act(out)
        process.send_signal(signal.SIGINT)
        outputs = process.communicate(timeout=60)
        return out, subprocess.CompletedProcess([], process.returncode, *outputs)

    def test_what_others_put_there_during_the_run_stays(self):
        out, result = self.run_and_meanwhile(lambda out: (out / "thesis.txt").write_text("years"))
        self.assertEqual(result.returncode, 130, result.stderr.decode())
        self.assertEqual((out / "thesis.txt").read_text(), "years")
        self.assertTrue((out / "result.json").is_file())
        self.assertEqual(list(out.glob(".partial-*")), [])

    def test_a_result_that_cannot_be_put_in_place_is_kept(self):
        out, result = self.run_and_meanwhile(lambda out: (out / "result.json").write_text("another's"))
        self.assert_refused(result, {3}, "result.json", ".partial-")
        self.assertEqual((out / "result.json").read_text(), "another's")
        (partial,) = out.glob(".partial-*")
        self.assertIn(str(partial), result.stderr.decode())
        self.assertTrue(self.document("verify", "verify", partial)["holds"])

    def test_a_folder_that_cannot_be_made_is_named(self):
        (self.folder / "file").write_text("")
        command = ("traverse", "demo-resnet", "--source", self.picture(0), "--target", self.picture(1), "-o")
        self.assert_refused(run(*command, self.folder / "file" / "a" / "out"), {3}, str(self.folder / "file" / "a"))
        self.assert_refused(run(*command, "/proc/blindspot-out"), {3}, "/proc/blindspot-out.partial-")

    def test_an_empty_folder_may_be_filled_and_missing_ones_are_made(self):
        (self.folder / "out").mkdir()
        self.assertEqual(self.traverse().returncode, 0)
        deep = self.folder / "a" / "b" / "out"
        command = ("traverse", "demo-resnet", "--source", self.picture(0), "--target")
        self.assert_refused(run(*command, self.folder / "absent.png", "-o", deep), {3}, "absent.png")
        self.assertFalse((self.folder / "a").exists())
        self.assertEqual(run(*command, self.picture(1), "-o", deep, "--iterations", "1").returncode, 0)
        self.assertTrue((deep / "result.json").is_file())


if __name__ == "__main__":
    unittest.main()
