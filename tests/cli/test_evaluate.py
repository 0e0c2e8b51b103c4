"""evaluate and merge as a user runs them: a small evaluation of the built-in network on drawn pictures, killed, stopped,
sharded, on a full disk, beside another process; and what they refuse."""
import ctypes
import json
import os
import shutil
import signal
import sqlite3
import time
import unittest

from evaluation import EvaluateTest, KillTest, PAIRS, change
from program import run, validate


def mounted_tmpfs(folder, size):
    """A file system of so many bytes, or None where that is not permitted."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.mount(b"tmpfs", bytes(folder), b"tmpfs", 0, f"size={size}".encode()) != 0:
        return None
    return lambda: libc.umount2(bytes(folder), 2)


class Killed(KillTest):
    def test_nothing_but_the_device_holds_up_a_run(self):
        self.assertGreaterEqual(self.document("evaluate", *self.command(self.folder / "run.db"))["device_busy"], 0.95)

    def test_killed_now_and_then(self):
        self.killed_at((self.seconds * k / 5 for k in range(1, 5)), least_kills=2, least_states=2)

    def test_killed_again_and_again(self):
        database = self.folder / "run.db"
        finished = [self.killed_after(database, self.seconds * k / 6) for k in range(1, 6)]
        self.assertIsNotNone(finished[0])
        self.go_on(database)


class Running(EvaluateTest):
    def test_what_is_there(self):
        document = self.document("evaluate", *self.command(self.folder / "run.db"))
        self.assertEqual((document["pairs"], document["pairs_done"], document["pairs_before"]), (PAIRS, PAIRS, 0))
        self.assertGreater(document["device_busy"], 0)
        again = self.document("evaluate", *self.command(self.folder / "run.db"))
        self.assertIn(b"no LPIPS", self.succeed(*self.command(self.folder / "run.db")).stderr)
        self.assertEqual(again["pairs_before"], PAIRS)
        self.assertEqual({table: len(rows) for table, rows in self.content.items() if table != "settings"},
                         {"images": 8, "unreadable": 0, "models": 1, "inputs": 8, "pairs": PAIRS,
                          "records": PAIRS * 3, "finals": 0, "hulls": 8})

    def test_another_batch_or_thread_number_changes_no_value(self):
        database = self.folder / "run.db"
        self.succeed(*self.command(database, "--batch", 3, "--threads", 1))
        rows = self.content_of(database)
        for table in ("images", "inputs", "pairs", "records", "hulls"):
            self.assertEqual(rows[table], self.content[table])

    def test_stopped_by_signals(self):
        for number in (signal.SIGINT, signal.SIGTERM):
            with self.subTest(signal=number):
                database = self.folder / f"{number}.db"
                # Long walks, so that it cannot end by itself.
                process = self.start(*self.command(database, iterations=100_000))
                while b"pairs to walk" not in (line := process.stderr.readline()):
                    self.assertTrue(line, "it ended by itself")
                time.sleep(0.5)
                process.send_signal(number)
                stdout, stderr = process.communicate(timeout=60)
                self.assertEqual(process.returncode, 128 + number, stderr.decode())
                self.assertIn(b"goes on", stderr)
                self.assertNotIn(b"not begun", stderr)
                self.assertIn(b"16 pairs", stdout)

    def test_stopped_before_the_last_network_began(self):
        command = self.command(self.folder / "run.db", iterations=100_000)
        command.insert(2, "demo-vit")
        process = self.start(*command)
        while b"pairs to walk" not in (line := process.stderr.readline()):
            self.assertTrue(line, "it ended by itself")
        process.send_signal(signal.SIGINT)
        self.assertRegex(process.communicate(timeout=60)[1].decode(), "goes on from here; not begun.*: demo-vit\n")

    def test_stopped_and_gone_on_with(self):
        database = self.folder / "run.db"
        process = self.start(*self.command(database))
        while b"pairs to walk" not in process.stderr.readline():
            self.assertIsNone(process.poll())
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
        self.assertEqual(process.returncode, 130)
        self.go_on(database)

    def test_shards(self):
        parts = []
        for number in (1, 2, 3):
            parts.append(self.folder / f"part{number}.db")
            self.succeed(*self.command(parts[-1], "--shard", f"{number}/3"))
        merged = self.folder / "merged.db"
        document = self.document("merge", "merge", *reversed(parts), "-o", merged)
        self.assertEqual((document["parts"], document["pairs"]), (3, PAIRS))
        self.assertEqual(self.content_of(merged), self.content)
        self.go_on(merged)
        whole = self.document("export", "export", self.whole, "-o", self.folder / "whole.csv")
        self.assertEqual(document["content_sha256"], whole["content_sha256"])
        self.assert_refused(run("merge", *parts, "-o", merged), [2], "merged.db", "exists")
        self.assert_refused(run("merge", *parts[:2], "-o", self.folder / "two.db"), [2], "3/3", "missing")
        self.assert_refused(run("merge", self.whole, self.whole, "-o", self.folder / "two.db"), [2], "more than once")

    def test_two_processes_on_one_database(self):
        database = self.folder / "run.db"
        first = self.start(*self.command(database, iterations=100_000))
        while b"pairs to walk" not in first.stderr.readline():
            self.assertIsNone(first.poll())
        self.assert_refused(run(*self.command(database)), [3], "run.db", "another process")
        # Reading is free.
        self.succeed("table", database)

    def test_a_lock_of_another_program(self):
        database = self.folder / "run.db"
        shutil.copy(self.whole, database)
        connection = sqlite3.connect(database, isolation_level=None)
        connection.execute("DELETE FROM hulls WHERE source = 0")
        connection.execute("DELETE FROM pairs WHERE source = 0")
        connection.execute("DELETE FROM records WHERE source = 0")
        connection.execute("BEGIN IMMEDIATE")
        self.assert_refused(run(*self.command(database), "--quiet"), [3], "run.db", "locked by another program")
        connection.execute("ROLLBACK")
        connection.close()
        self.go_on(database)

    def test_a_full_disk(self):
        folder = self.folder / "small"
        folder.mkdir()
        for size in (16 << 10, 128 << 10, 300 << 10):
            unmount = mounted_tmpfs(folder, size)
            if unmount is None:
                self.skipTest("mounting a tmpfs is not permitted")
            try:
                result = run(*self.command(folder / "run.db"), "--quiet")
                self.assert_refused(result, [3], "run.db", "disk")
                elsewhere = self.folder / f"elsewhere-{size}.db"
                for path in folder.glob("run.db*"):
                    shutil.copy(path, str(elsewhere) + path.name[len("run.db"):])
            finally:
                unmount()
            # What was finished is kept, and with more room it goes on.
            self.go_on(elsewhere)

    def test_a_read_only_disk(self):
        folder = self.folder / "read-only"
        folder.mkdir()
        unmount = mounted_tmpfs(folder, 8 << 20)
        if unmount is None:
            self.skipTest("mounting a tmpfs is not permitted")
        try:
            shutil.copy(self.whole, folder / "run.db")
            libc = ctypes.CDLL(None, use_errno=True)
            self.assertEqual(libc.mount(b"tmpfs", bytes(folder), b"tmpfs", 32 | 1, None), 0)
            self.assert_refused(run(*self.command(folder / "run.db")), [3], "run.db", "read-only")
            self.assert_refused(run(*self.command(folder / "new.db")), [3], "new.db", "read-only")
            self.assertEqual(self.exported(folder / "run.db"), self.exported(self.whole))
        finally:
            unmount()

    def test_dry_run(self):
        database = self.folder / "run.db"
        document = self.document("evaluate-estimate", *self.command(database, "--dry-run"))
        self.assertEqual((document["sources"], document["pairs"]), (8, PAIRS))
        self.assertFalse(database.exists())
        self.assertGreater(document["seconds"], self.seconds / 8)
        self.assertLess(document["seconds"], self.seconds * 8)
        size = self.whole.stat().st_size
        self.assertGreater(document["disk_bytes"], size / 4)
        self.assertLess(document["disk_bytes"], size * 4)
        with self.start(*self.command(database, "--quiet")) as process:
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
        self.assertEqual(process.returncode, 0)
        used = usage.ru_maxrss * 1024
        self.assertGreater(document["memory_bytes"], used / 2)
        self.assertLess(document["memory_bytes"], used * 2)


class Images(EvaluateTest):
    def small(self, images, *more, models=("demo-resnet",)):
        return ["evaluate", *models, "--images", images, "-o", self.folder / "run.db", "--device", "cpu",
                *(() if "--rounds" in more else ("--rounds", 2)), "--iterations", 1, *more]

    def test_unreadable_images_are_listed_and_the_rest_goes_on(self):
        images = self.folder / "images"
        images.mkdir()
        for number in range(4):
            shutil.copy(self.picture(number), images / f"{number}.png")
        (images / "2.png").write_bytes(b"\x89PNG\r\n\x1a\nbroken")
        (images / "note.txt").write_text("no picture")
        result = self.succeed(*self.small(images, "--json", "--quiet"), exit_code=5)
        document = json.loads(result.stdout)
        validate(document, "evaluate")
        self.assertEqual([entry["image"] for entry in document["unreadable"]], ["2.png", "note.txt"])
        self.assertEqual(document["pairs_done"], 6)
        again = self.succeed(*self.small(images), exit_code=5)
        self.assertIn(b"unreadable 2.png", again.stdout)

    def test_dropped_sources_are_listed_with_the_reason(self):
        images = self.folder / "images"
        for number in range(3):
            (images / str(number)).mkdir(parents=True)
            shutil.copy(self.picture(number), images / str(number) / "right.png")
        shutil.copy(self.picture(2), images / "0" / "wrong.png")
        document = self.document("evaluate", *self.small(images))
        self.assertEqual([entry["source"] for entry in document["dropped"]], ["demo-resnet: 0/wrong.png"])
        self.assertIn("not", document["dropped"][0]["reason"])
        self.assertEqual(document["pairs"], 6)

    def test_a_class_folder_with_another_class_name_is_refused(self):
        images = self.folder / "images"
        for number, name in ((3, "disc"), (7, "star")):
            (images / name).mkdir(parents=True)
            shutil.copy(self.picture(number), images / name / "0.png")
        self.assert_refused(run(*self.small(images)), [3], "folder disc is class 0", "demo-resnet calls class 3 so", "list")
        self.assertFalse((self.folder / "run.db").exists())
        listed = self.folder / "list.txt"
        listed.write_text("images/disc/0.png 3\nimages/star/0.png 7\n")
        self.succeed(*self.small(listed))

    def test_images_in_a_folder_within_a_class_are_left_out_and_named(self):
        images = self.folder / "images"
        for name in ("0/0.png", "1/1.png", "1/deeper/2.png"):
            (images / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(self.picture(int(name[-5])), images / name)
        document = self.document("evaluate", *self.small(images), exit_code=5)
        self.assertEqual([entry["image"] for entry in document["unreadable"]], ["1/deeper"])
        self.assertEqual(document["pairs_done"], 4)

    def test_a_network_that_is_wrong_of_everything(self):
        images = self.folder / "images"
        for number in range(2):
            (images / str(number)).mkdir(parents=True)
            shutil.copy(self.picture(1 - number), images / str(number) / "wrong.png")
        document = self.document("evaluate", *self.small(images), exit_code=5)
        self.assertEqual((len(document["dropped"]), document["pairs"]), (2, 0))
        self.succeed(*self.small(images, "--dry-run"), exit_code=5)

    def test_labels(self):
        images = self.folder / "images"
        images.mkdir()
        for number in range(3):
            shutil.copy(self.picture(number), images / f"{number}.png")
        labels = self.folder / "labels.txt"
        labels.write_text("0.png 0\n1.png 1\n2.png 2\n")
        self.succeed(*self.small(images, "--labels", labels))
        (self.folder / "run.db").unlink()
        labels.write_text("0.png 0\n1.png 1\n")
        self.assert_refused(run(*self.small(images, "--labels", labels)), [3], "labels.txt", "2.png")
        labels.write_text("0.png 0\n1.png 1\n2.png 10\n")
        self.assert_refused(run(*self.small(images, "--labels", labels)), [3], "classes up to 10", "0 to 9")
        self.assertFalse((self.folder / "run.db").exists())
        listed = self.folder / "list.txt"
        listed.write_text("images/0.png 0\nimages/2.png 2\n")
        self.succeed(*self.small(listed))

    def test_one_of_a_thing_is_no_plural(self):
        images = self.folder / "images"
        images.mkdir()
        for number in range(2):
            shutil.copy(self.picture(number), images / f"{number}.png")
        said = self.succeed(*self.small(images, "--shard", "1/2", "--rounds", 1)).stderr.decode()
        self.assertIn("1 of 1 pair to walk, 1 step each, ", said)

    def test_too_few_images(self):
        images = self.folder / "images"
        images.mkdir()
        self.assert_refused(run(*self.small(images)), [3], "images", "no images")
        shutil.copy(self.picture(0), images / "0.png")
        self.assert_refused(run(*self.small(images)), [3], "one image only")
        (images / "1.png").write_text("no picture")
        self.assert_refused(run(*self.small(images)), [3], "one image only", "1.png")
        self.assert_refused(run(*self.small(self.folder / "nowhere")), [3], "nowhere", "does not exist")
        self.assertFalse((self.folder / "run.db").exists())

    def test_more_classes_than_the_network_has(self):
        images = self.folder / "images"
        for number in range(11):
            (images / f"{number:02}").mkdir(parents=True)
            shutil.copy(self.picture(number % 10), images / f"{number:02}" / "0.png")
        self.assert_refused(run(*self.small(images)), [3], "classes up to 10", "demo-resnet")


class Refusals(EvaluateTest):
    def test_other_parameters_name_both_values(self):
        for option, value, before in (("--delta", 0.1, "0.2"), ("--seed", 3, "0"), ("--step-size", 0.5, "0.01")):
            result = run(*self.command(self.whole, option, value))
            self.assert_refused(result, [2], "whole.db", option, value if isinstance(value, str) else str(value), before)
        self.assertEqual(self.content_of(self.whole), self.content)

    def test_other_weights_name_both_hashes(self):
        weights = self.folder / "w.safetensors"
        database = self.folder / "run.db"
        command = ["evaluate", weights, "--images", self.pictures, "--device", "cpu", "--limit", 2, "--rounds", 1,
                   "--iterations", 0, "-o"]
        hashes = []
        for seed, place in ((1, database), (2, self.folder / "other.db")):
            self.succeed("weights", "random", "cifar_resnet20", "--seed", seed, "-o", weights, "--overwrite")
            run(*command, place)
            hashes.append(sqlite3.connect(place).execute("SELECT weights_sha256 FROM models").fetchone()[0])
        self.assertNotEqual(*hashes)
        self.assert_refused(run(*command, database), [3], "weights", *hashes)

    def test_weights_that_were_moved_are_gone_on_with(self):
        weights = self.folder / "weights.safetensors"
        database = self.folder / "run.db"
        self.succeed("weights", "random", "cifar_resnet20", "-o", weights)
        command = lambda model, database, *more: self.succeed(
            "evaluate", model, "--images", self.pictures, "-o", database, "--device", "cpu", "--limit", 4, "--rounds", 2,
            "--iterations", 2, *more)
        command(weights, database, "--batch", 3, "--threads", 1)
        content = self.content_of(database)
        moved = self.folder / "folder" / "moved.safetensors"
        moved.parent.mkdir()
        weights.rename(moved)
        change(database, "DELETE FROM records WHERE source > 1; DELETE FROM pairs WHERE source > 1;"
                         "DELETE FROM hulls WHERE source > 1")
        # Batch and threads are the recorded ones here too.
        said = command(moved, database).stderr.decode()
        self.assertIn(f"{moved}: {database} knows these weights as {weights} and goes on with them", said)
        self.assertEqual(self.content_of(database), content)
        self.assert_refused(run("evaluate", moved, "--images", self.pictures, "-o", database, "--device", "cpu",
                                "--limit", 4, "--rounds", 2, "--iterations", 2, "--batch", 2, "--quiet"), [2], "--batch is 2")
        shutil.copy(moved, weights)
        for models in ((moved, weights), (weights, moved)):
            self.assert_refused(run("evaluate", *models, "--images", self.pictures, "-o", database, "--limit", 4,
                                    "--rounds", 2, "--iterations", 2, "--quiet"), [2], *map(str, models), "same weights")
        self.assertEqual(self.content_of(database), content)

    def test_moved_weights_whose_name_was_another_network_s(self):
        names = [self.folder / "a.safetensors", self.folder / "b.safetensors"]
        database = self.folder / "run.db"
        for seed, name in enumerate(names):
            self.succeed("weights", "random", "cifar_resnet20", "--seed", seed, "-o", name)
        images = self.folder / "images.txt"  # without classes: no source is dropped
        images.write_text("".join(f"{self.picture(number)}\n" for number in (3, 7)))
        rest = ("--images", images, "-o", database, "--device", "cpu", "--rounds", 1, "--iterations", 0)
        self.succeed("evaluate", *names, *rest)
        content = self.content_of(database)
        names[1].rename(names[0])
        said = self.succeed("evaluate", names[0], *rest).stderr.decode()
        self.assertIn(f"{names[0]}: {database} knows these weights as {names[1]}", said)
        self.assertEqual(self.content_of(database), content)

    def test_names_in_a_database_do_nothing_to_a_terminal(self):
        database = self.folder / "run.db"
        shutil.copy(self.whole, database)
        change(database, "UPDATE models SET name = 'red' || char(27) || '[31m' || char(10) || 'line';"
                         "DELETE FROM pairs WHERE source > 1; DELETE FROM records WHERE source > 1;"
                         "DELETE FROM hulls WHERE source > 1; UPDATE inputs SET dropped = 'for' || char(27) WHERE image = 1")
        for result in (run(*self.command(database)), run("table", database)):
            self.assertNotIn(b"\x1b", result.stdout + result.stderr)
            self.assertIn(b"red\\x1b[31m\\x0aline", result.stdout + result.stderr)

    def test_the_same_weights_under_two_names(self):
        weights = [self.folder / "a.safetensors", self.folder / "b.safetensors"]
        self.succeed("weights", "random", "cifar_resnet20", "-o", weights[0])
        shutil.copy(weights[0], weights[1])
        result = run("evaluate", *weights, "--images", self.pictures, "-o", self.folder / "run.db", "--device", "cpu",
                     "--limit", 2, "--rounds", 1, "--iterations", 0)
        self.assert_refused(result, [2], "a.safetensors", "b.safetensors", "same weights")
        self.assertFalse((self.folder / "run.db").exists())

    def test_other_files(self):
        other = self.folder / "other.db"
        change(other, "CREATE TABLE t(x)")
        newer = self.folder / "newer.db"
        shutil.copy(self.whole, newer)
        change(newer, "PRAGMA user_version = 99")
        text = self.folder / "text.db"
        text.write_text("no database " * 1000)
        before = {path: path.read_bytes() for path in (other, newer, text)}
        for path, words in ((other, "another program"), (newer, "newer"), (text, "no run database")):
            for command in (self.command(path), ["table", path], ["export", path, "-o", self.folder / "x.csv"],
                            ["merge", path, "-o", self.folder / "m.db"]):
                with self.subTest(path=path, command=command[0]):
                    self.assert_refused(run(*command), [3], path.name, words)
        for path, content in before.items():
            self.assertEqual(path.read_bytes(), content)
        self.assert_refused(run("table", self.folder / "nowhere.db"), [3], "nowhere.db")

    def test_usage(self):
        for arguments, words in ((("--shard", "3/2"), "--shard 3/2"), (("--rounds", "0"), "--rounds"),
                                 (("--limit", "1"), "--limit 1"), (("--labels", "x"), "--labels")):
            database = self.folder / "run.db"
            result = run("evaluate", "demo-resnet", "--images", self.pictures, "-o", database, *arguments)
            self.assert_refused(result, [2], words)
            self.assertFalse(database.exists())
        self.assert_refused(run("evaluate", "demo-resnet", "demo-resnet", "--images", self.pictures, "-o",
                                self.folder / "run.db"), [2], "twice")
        self.assert_refused(run("table", self.whole, "--format", "html"), [2], "--format html")


if __name__ == "__main__":
    unittest.main()
