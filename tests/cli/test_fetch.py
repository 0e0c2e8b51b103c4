"""Fetching published weights from a host that is good, slow, broken or lying: nothing that does not match stays, and
nothing that came has to come again."""
import hashlib
import json
import os
import pathlib
import shutil
import signal
import subprocess
import time
import unittest

from file_server import (FileServer, Proxy, announcing, cut_after, redirect, slow, stalled_after, status,
                         without_length, without_ranges)
from program import PROGRAM, ProgramTest, validate

PREPROCESSING = {"input_size": 32, "resize": 32, "interpolation": "bilinear", "crop": 32,
                 "mean": [0.25, 0.5, 0.75], "std": [0.5, 0.25, 0.125]}


class FetchTest(ProgramTest):
    """A made network as the published file, a host that has it, and a catalogue that says so."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        made = cls.class_folder / "made.safetensors"
        subprocess.run([PROGRAM, "weights", "random", "cifar_resnet20", "-o", made], check=True, capture_output=True)
        cls.made = made
        cls.data = made.read_bytes()
        cls.sha256 = hashlib.sha256(cls.data).hexdigest()

    def setUp(self):
        super().setUp()
        self.server = FileServer()
        self.addCleanup(self.server.close)
        self.served = self.server.serve("/made.pth", self.data)
        self.weights = self.folder / "weights"
        self.environment = {key: value for key, value in os.environ.items()
                            if not key.lower().endswith("_proxy") and key != "BLINDSPOT_MIRROR"}
        self.environment["BLINDSPOT_WEIGHTS"] = str(self.weights)

    def catalogue(self, **changes):
        entry = {"name": "made", "aliases": ["other"], "architecture": "cifar_resnet20",
                 "address": self.server.address + "/made.pth", "form": "pytorch", "digest": {"sha256": self.sha256},
                 "size": None, "license": "MIT", "preprocessing": "small", "classes": "cifar10", "verified": False}
        entry.update(changes)
        path = self.folder / "catalogue.json"
        path.write_text(json.dumps({"schema": "blindspot/catalogue/1", "preprocessing": {"small": PREPROCESSING},
                                    "entries": [entry]}))
        return path

    def run_weights(self, command, *arguments, catalogue=None, timeout=60):
        return subprocess.run([PROGRAM, "weights", command, *map(str, arguments), "--catalogue",
                               catalogue or self.catalogue()], capture_output=True, timeout=timeout,
                              env=self.environment)

    def fetch(self, *more, **changes):
        return self.run_weights("fetch", "made", *more, catalogue=self.catalogue(**changes))

    def fetched(self, *more, **changes):
        """A fetch that succeeds; its document."""
        result = self.fetch("--json", *more, **changes)
        self.assertEqual(result.returncode, 0, result.stderr.decode())
        document = json.loads(result.stdout)
        validate(document, "weights-fetch")
        self.assert_in_place()
        return document["networks"][0]

    def metadata(self):
        data = (self.weights / "made.safetensors").read_bytes()
        return json.loads(data[8:8 + int.from_bytes(data[:8], "little")])["__metadata__"]

    def names(self):
        return sorted(path.name for path in self.weights.iterdir()) if self.weights.exists() else []

    def assert_in_place(self, *beside):
        self.assertEqual(self.names(), sorted(["made.safetensors", *beside]))
        self.assertEqual(self.metadata()["source_sha256"], self.sha256)

    def refused(self, result, *contained, kept=()):
        """Exit code 3, the reason in the last line, and nothing left but what can be gone on with."""
        self.assertEqual(result.returncode, 3, result.stderr.decode())
        self.assertEqual(result.stdout, b"")
        last = result.stderr.decode().splitlines()[-1]
        self.assertTrue(last.startswith("blindspot: "), last)
        for text in contained:
            self.assertIn(text, last)
        self.assertEqual(self.names(), sorted(kept))

    def ranges(self):
        return [request.get("Range") for request in self.served.requests]


class Good(FetchTest):
    def test_a_download_becomes_a_network_that_says_where_it_comes_from(self):
        entry = self.fetched()
        self.assertEqual((entry["source_sha256"], entry["source_bytes"], entry["checked_by"], entry["was_there"]),
                         (self.sha256, len(self.data), "sha256", False))
        metadata = self.metadata()
        self.assertEqual(metadata["source"], self.server.address + "/made.pth")
        self.assertEqual(metadata["license"], "MIT")
        self.assertEqual(metadata["architecture"], "cifar_resnet20")
        self.assertEqual(json.loads(metadata["preprocessing"]), PREPROCESSING)
        self.assertEqual(len(json.loads(metadata["classes"])), 10)
        classified = subprocess.run([PROGRAM, "classify", "made", self.picture(0), "--json"], capture_output=True,
                                    env=self.environment)
        self.assertEqual(classified.returncode, 0, classified.stderr)
        document = json.loads(classified.stdout)
        self.assertIn(document["images"][0]["top"][0]["name"], json.loads(metadata["classes"]))

    def test_what_is_there_is_not_fetched_again(self):
        self.fetched()
        self.assertTrue(self.fetched()["was_there"])
        self.assertEqual(len(self.served.requests), 1)
        self.assertFalse(self.fetched("--overwrite")["was_there"])
        self.assertEqual(len(self.served.requests), 2)

    def test_an_alias_means_the_same(self):
        result = self.run_weights("fetch", "other")
        self.assertEqual(result.returncode, 0, result.stderr.decode())
        self.assert_in_place()

    def test_the_original_stays_when_asked_for(self):
        result = self.fetch("--keep-original")
        self.assertEqual(result.returncode, 0, result.stderr.decode())
        self.assert_in_place("made.original.pth")
        self.assertEqual((self.weights / "made.original.pth").read_bytes(), self.data)

    def test_a_prefix_of_the_digest_is_enough_and_all_of_it_is_recorded(self):
        self.assertEqual(self.fetched(digest={"prefix": self.sha256[:8]})["checked_by"], "prefix")

    def test_redirects_are_followed(self):
        self.server.serve("/first", b"").always = redirect("/second")
        self.server.serve("/second", b"").always = redirect(self.server.address + "/made.pth")
        self.fetched(address=self.server.address + "/first")

    def test_the_first_answer_announces_the_digest(self):
        first = self.server.serve("/first", b"")
        address = self.server.address + "/first"
        first.always = redirect("/made.pth", [("X-Linked-Etag", f'"{self.sha256}"')])
        self.assertEqual(self.fetched(address=address, digest={"announced": True})["checked_by"], "announced")
        shutil.rmtree(self.weights)
        first.always = redirect("/made.pth", [("X-Linked-Etag", f'"{"0" * 64}"')])
        self.refused(self.fetch(address=address, digest={"announced": True}), "announced " + "0" * 64)
        # Where the file lies in the end is not for its own host to vouch for.
        first.always = redirect("/last")
        self.server.serve("/last", b"").always = redirect("/made.pth", [("X-Linked-Etag", f'"{self.sha256}"')])
        self.refused(self.fetch(address=address, digest={"announced": True}), "X-Linked-Etag", "--from")

    def test_a_mirror_and_an_address_go_before_the_catalogue(self):
        elsewhere = "https://nowhere.invalid/weights/made.pth"
        self.server.files["/mirror/nowhere.invalid/weights/made.pth"] = self.served
        self.environment["BLINDSPOT_MIRROR"] = self.server.address + "/mirror/"
        self.fetched(address=elsewhere)
        shutil.rmtree(self.weights)
        del self.environment["BLINDSPOT_MIRROR"]
        self.fetched("--address", self.server.address + "/made.pth", address=elsewhere)

    def test_a_proxy_is_used(self):
        proxy = FileServer(Proxy)
        self.addCleanup(proxy.close)
        self.environment.update(http_proxy=proxy.address, https_proxy=proxy.address)
        self.fetched()
        self.assertEqual(proxy.asked, [self.server.address + "/made.pth"])
        shutil.rmtree(self.weights)
        self.refused(self.fetch(address="https://nowhere.invalid/made.pth"), "nowhere.invalid")
        self.assertEqual(proxy.asked[1:], ["CONNECT nowhere.invalid:443"])
        self.environment["no_proxy"] = "127.0.0.1"
        self.fetched()
        self.assertEqual(len(proxy.asked), 2)

    def test_progress_goes_to_stderr_and_says_rate_and_time_left(self):
        self.served.always = slow(7)
        result = self.fetch()
        self.assertEqual(result.returncode, 0)
        self.assertRegex(result.stderr.decode(), r"made: \d\.\d of \d\.\d MB, \d\.\d MB/s, \d+ s left\n")
        self.assertRegex(result.stdout.decode(), r"^made: 1\.1 MB from ")


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

    def test_ctrl_c_keeps_the_part(self):
        self.served.next = [slow(20)]
        process = subprocess.Popen([PROGRAM, "weights", "fetch", "made", "--catalogue", self.catalogue()],
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=self.environment)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        part = self.weights / "made.part"
        end = time.monotonic() + 30
        while not (part.exists() and part.stat().st_size > 100_000):
            self.assertLess(time.monotonic(), end)
            time.sleep(0.02)
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
        self.served.next = [slow(3)]
        command = [PROGRAM, "weights", "fetch", "made", "--json", "--catalogue", self.catalogue()]
        processes = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=self.environment)
                     for _ in range(2)]
        results = [process.communicate(timeout=60) for process in processes]
        self.assertEqual([process.returncode for process in processes], [0, 0], results)
        self.assertEqual(sorted(json.loads(stdout)["networks"][0]["was_there"] for stdout, _ in results),
                         [False, True])
        self.assertIn(b"another process is fetching it", results[0][1] + results[1][1])
        self.assertEqual(len(self.served.requests), 1)
        self.assert_in_place()


class Wrong(FetchTest):
    def test_a_wrong_digest_leaves_nothing(self):
        for digest in ({"sha256": "0" * 64}, {"prefix": "00000000"}):
            with self.subTest(digest=digest):
                self.refused(self.fetch(digest=digest), "does not match", self.sha256, "has been removed")

    def test_a_wrong_size_is_refused_before_it_comes(self):
        self.refused(self.fetch(size=len(self.data) + 1), f"offers {len(self.data)} bytes")
        self.served.always = without_length()
        self.refused(self.fetch(size=len(self.data) - 1), "sends more than")
        self.refused(self.fetch(size=len(self.data) + 1), f"the catalogue has {len(self.data) + 1}")

    def test_a_head_that_lies_about_the_length(self):
        self.served.always = announcing(len(self.data) + 1000)
        self.refused(self.fetch("--retries", "1"), "are kept", kept=("made.part", "made.part.json"))
        shutil.rmtree(self.weights)
        self.served.always = announcing(len(self.data) - 1000)
        self.refused(self.fetch(), "does not match")

    def test_more_than_the_file(self):
        self.served.always = without_length(b"more")
        self.refused(self.fetch(), "does not match")

    def test_an_absent_file_says_which_address(self):
        self.refused(self.fetch(address=self.server.address + "/absent.pth"), self.server.address + "/absent.pth",
                     "404")

    def test_no_host(self):
        address = self.server.address
        self.server.close()
        self.refused(self.fetch("--retries", "1", address=address + "/made.pth"), address)

    def test_too_many_redirects(self):
        self.served.always = redirect("/made.pth")
        self.refused(self.fetch(), "redirect")

    def test_other_protocols_are_not_followed(self):
        secret = self.folder / "secret"
        secret.write_bytes(self.data)
        for location in (f"file://{secret}", "ftp://127.0.0.1/made.pth", "gopher://127.0.0.1/"):
            with self.subTest(location=location):
                self.served.always = redirect(location)
                self.refused(self.fetch(), "rotocol")

    def test_a_part_from_another_place(self):
        def elsewhere(handler):
            handler.send_response(206)
            handler.send_header("Content-Range", f"bytes 5-{len(self.data) - 1}/{len(self.data)}")
            handler.send_header("Content-Length", str(len(self.data) - 5))
            handler.end_headers()
            handler.wfile.write(self.data[5:])
        self.served.next = [cut_after(300_000), elsewhere]
        self.refused(self.fetch(), "from 5 on", kept=("made.part", "made.part.json"))
        shutil.rmtree(self.weights)
        self.served.next = [elsewhere]
        self.refused(self.fetch(), "cannot be placed")

    def test_nothing_to_hold_it_against(self):
        self.refused(self.fetch(digest=None), "no digest", "--from")

    def test_an_untrusted_certificate(self):
        if shutil.which("openssl") is None:
            self.skipTest("no openssl to make a certificate with")
        import ssl
        key, certificate = self.folder / "key.pem", self.folder / "certificate.pem"
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
                        "-nodes", "-keyout", key, "-out", certificate, "-days", "1", "-subj", "/CN=127.0.0.1",
                        "-addext", "subjectAltName=IP:127.0.0.1"], check=True, capture_output=True)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        address = self.server.address.replace("http:", "https:") + "/made.pth"
        self.refused(self.fetch(address=address), "certificate")
        self.assertEqual(self.served.requests, [])

    def test_a_file_that_is_no_network(self):
        data = b"no weights at all" * 1000
        self.served.data = data
        result = self.fetch(digest={"sha256": hashlib.sha256(data).hexdigest()})
        self.refused(result, "made.part", kept=("made.part", "made.part.json"))

    def test_a_folder_that_cannot_be_made(self):
        (self.folder / "file").write_text("")
        for folder in (self.folder / "file", self.folder / "file" / "below", "/proc/blindspot"):
            with self.subTest(folder=folder):
                self.environment["BLINDSPOT_WEIGHTS"] = str(folder)
                self.assert_refused(self.fetch(), {3}, str(folder))
        self.assertEqual(self.served.requests, [])

    def test_wrong_usage(self):
        for arguments, words in (((), "NAME"), (("mad",), "`made`"), (("made", "--from", "a", "--address", "b"), "exclude"),
                                 (("made", "other", "--from", "a"), "--from"), (("made", "--stall", "0"), "--stall"),
                                 (("made", "--retries", "-1"), "--retries"),
                                 (("made", "--address", "ftp://127.0.0.1/a"), "ftp"),
                                 (("made", "--address", "file:///etc/passwd"), "file:"),
                                 (("made", "--address", ""), "--address")):
            with self.subTest(arguments=arguments):
                self.assert_refused(self.run_weights("fetch", *arguments), {2}, words)
        self.assertEqual(self.names(), [])


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


class Brought(FetchTest):
    def test_a_file_that_was_downloaded_elsewhere(self):
        entry = self.fetched("--from", self.made)
        self.assertEqual((entry["source"], entry["checked_by"]), ("made.safetensors", "sha256"))
        self.assertEqual(self.made.read_bytes(), self.data)
        self.assertEqual(self.served.requests, [])

    def test_it_is_held_against_the_catalogue(self):
        self.refused(self.fetch("--from", self.made, digest={"prefix": "00000000"}), str(self.made), "does not match")
        self.refused(self.fetch("--from", self.made, size=5), str(self.made), "5")
        self.refused(self.fetch("--from", self.folder / "absent"), "absent")
        self.assertTrue(self.made.exists())

    def test_without_an_address_it_has_to_be_brought(self):
        self.refused(self.fetch(address=None, digest=None), "made", "--from")
        result = self.fetch("--from", self.made, address=None, digest=None)
        self.assertEqual(result.returncode, 0, result.stderr.decode())
        self.assertIn(b"no digest", result.stderr)
        self.assert_in_place()

    def test_tensors_that_are_no_network(self):
        result = self.fetch("--from", self.made, architecture=None, preprocessing=None, classes=None)
        self.assertEqual(result.returncode, 0, result.stderr.decode())
        self.assertEqual(self.run_weights("verify", "made").returncode, 0)


if __name__ == "__main__":
    unittest.main()
