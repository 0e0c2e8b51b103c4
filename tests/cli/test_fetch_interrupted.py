"""Fetching published weights over a line that breaks, from a host that stalls, beside another process and onto a disk
that is full: what came has not to come again, and nothing is half there."""
import json
import shutil
import signal
import subprocess
import threading
import time
import unittest

from fetching import FetchTest
from file_server import cut_after, held, slow, stalled_after, status, without_length, without_ranges
from program import PROGRAM


class Interrupted(FetchTest):
    def test_a_cut_off_goes_on_where_it_ended(self):
        self.served.next = [cut_after(300_000), cut_after(400_000)]
        self.fetched()
        self.assertEqual(self.ranges(), [None, "bytes=300000-", "bytes=700000-"])
        self.assertEqual(self.served.requests[1].get("If-Range"), '"1"')

    def test_without_an_etag_the_time_of_change_guards_the_rest(self):
        self.served.etag, self.served.modified = None, "Wed, 01 Jan 2020 00:00:00 GMT"
        self.served.next = [cut_after(300_000)]
        self.fetched()
        self.assertEqual(self.served.requests[1].get("If-Range"), self.served.modified)

    def test_given_up_it_is_taken_up_by_the_next_run(self):
        self.served.next = [cut_after(300_000)]
        self.refused(self.fetch("--retries", "0"), "300.0 kB are kept", kept=("made.part", "made.part.json"))
        self.fetched()
        self.assertEqual(self.ranges(), [None, "bytes=300000-"])

    def test_a_host_without_ranges_starts_again(self):
        self.served.next = [cut_after(300_000), without_ranges]
        self.fetched()

    def test_a_file_that_changed_in_between_starts_again(self):
        self.served.data = bytes(len(self.data))
        self.served.next = [cut_after(300_000)]
        self.refused(self.fetch("--retries", "0"), kept=("made.part", "made.part.json"))
        self.served.data, self.served.etag = self.data, '"2"'
        self.assertFalse(self.fetched()["was_there"])
        self.assertEqual(self.served.requests[1].get("If-Range"), '"1"')

    def test_a_part_that_went_bad_is_thrown_away_once(self):
        self.served.next = [cut_after(300_000)]
        self.fetch("--retries", "0")
        part = self.weights / "made.part"
        part.write_bytes(bytes(300_000))
        result = self.fetch()
        self.assertEqual(result.returncode, 0, result.stderr.decode())
        self.assertIn(b"starting again", result.stderr)
        self.assert_in_place()
        self.assertEqual(self.ranges()[1:], ["bytes=300000-", None])

    def test_a_whole_part_of_which_only_the_catalogue_has_the_size_is_not_asked_for_again(self):
        self.served.next = [cut_after(300_000)]
        self.fetch("--retries", "0")
        (self.weights / "made.part").write_bytes(self.data)
        origin = self.weights / "made.part.json"
        kept = json.loads(origin.read_text())
        self.assertEqual(kept["total"], len(self.data))
        origin.write_text(json.dumps({**kept, "total": None}))
        self.fetched(size=len(self.data))
        self.assertEqual(self.ranges(), [None])

    def test_a_whole_part_is_not_asked_for_again(self):
        # The converted file cannot take its place, so the part stays.
        (self.weights / "made.safetensors").mkdir(parents=True)
        result = self.fetch("--overwrite")
        self.assertEqual(result.returncode, 3)
        (self.weights / "made.safetensors").rmdir()
        self.fetched()
        self.assertEqual(len(self.served.requests), 1)

    def test_a_stall_is_given_up(self):
        self.served.next = [stalled_after(300_000)]
        start = time.monotonic()
        self.refused(self.fetch("--stall", "1", "--retries", "0"), "sent nothing for 1 s",
                     kept=("made.part", "made.part.json"))
        self.assertLess(time.monotonic() - start, 6)
        self.served.next = [stalled_after(300_000)]
        self.fetched("--stall", "1")

    def test_a_passing_error_is_tried_again(self):
        self.served.next = [status(500), status(503)]
        self.fetched()
        self.served.always = status(500)
        self.refused(self.fetch("--retries", "1", "--overwrite"), "status 500", kept=("made.safetensors",))
        self.assertEqual(len(self.served.requests), 5)

    def started(self, *more):
        process = subprocess.Popen([PROGRAM, "weights", "fetch", "made", *more, "--catalogue", self.catalogue()],
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=self.environment)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        return process

    def wait_for_bytes(self):
        """Until some of the file is there; the part."""
        part = self.weights / "made.part"
        end = time.monotonic() + 30
        while not (part.exists() and part.stat().st_size > 100_000):
            self.assertLess(time.monotonic(), end)
            time.sleep(0.02)
        return part

    def test_whoever_waits_takes_over_from_one_that_was_killed(self):
        self.served.next = [slow(20)]
        first = self.started()
        self.wait_for_bytes()
        second = self.started()
        self.assertIn(b"waiting", second.stderr.readline())
        first.kill()
        first.wait()
        second.communicate(timeout=30)
        self.assertEqual(second.returncode, 0)
        self.assert_in_place()
        self.assertEqual(self.ranges()[0], None)
        self.assertGreaterEqual(int(self.ranges()[1].removeprefix("bytes=").removesuffix("-")), 100_000)

    def test_ctrl_c_keeps_the_part(self):
        self.served.next = [slow(20)]
        process = self.started()
        part = self.wait_for_bytes()
        process.send_signal(signal.SIGINT)
        start = time.monotonic()
        stdout, stderr = process.communicate(timeout=30)
        self.assertLess(time.monotonic() - start, 4)
        self.assertEqual((process.returncode, stdout), (130, b""), stderr)
        self.assertEqual(self.names(), ["made.part", "made.part.json"])
        size = part.stat().st_size
        self.fetched()
        self.assertEqual(self.ranges(), [None, f"bytes={size}-"])

    def test_two_at_once_download_once(self):
        go_on = threading.Event()
        self.served.next = [held(go_on)]
        first = self.started("--json")
        self.wait_for_bytes()
        second = self.started("--json")
        self.assertIn(b"another process is fetching it", second.stderr.readline())
        go_on.set()
        results = [json.loads(process.communicate(timeout=60)[0])["networks"][0] for process in (first, second)]
        self.assertEqual([first.returncode, second.returncode], [0, 0])
        self.assertEqual([result["was_there"] for result in results], [False, True])
        self.assertEqual(len(self.served.requests), 1)
        self.assert_in_place()


class FullDisk(FetchTest):
    """A small file system of memory as the weight folder."""

    def setUp(self):
        super().setUp()
        self.weights.mkdir()
        self.room = 900_000
        mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={self.room}", "tmpfs", self.weights],
                                 capture_output=True)
        if mounted.returncode != 0:
            self.skipTest("a full disk needs the right to mount one")
        self.addCleanup(subprocess.run, ["umount", self.weights], check=True)

    def test_too_little_room_is_seen_before_anything_comes(self):
        self.refused(self.fetch(), "made.part", "too full", "2.2 MB are needed")

    def test_the_end_of_the_disk_in_the_middle(self):
        self.served.always = without_length()
        result = self.fetch()
        self.assertEqual(result.returncode, 3, result.stderr.decode())
        self.assertIn("made.part", result.stderr.decode())
        self.assertIn("No space left", result.stderr.decode())
        self.assertNotIn("made.safetensors", self.names())


if __name__ == "__main__":
    unittest.main()
