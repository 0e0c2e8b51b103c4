"""Fetching published weights from a host that is good or lying, and from a file: nothing that does not match stays."""
import hashlib
import json
import shutil
import signal
import ssl
import subprocess
import unittest

from fetching import PREPROCESSING, FetchTest
from file_server import (FileServer, Proxy, announcing, cut_after, endless, redirect, slow, without_length)
from program import PROGRAM, run_on_a_terminal


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

    def test_an_announced_digest_has_to_come_by_a_safe_way(self):
        # To the program 127.0.0.2 is a host like any other.
        far = FileServer(host="127.0.0.2")
        self.addCleanup(far.close)
        far.files = self.server.files
        first = self.server.serve("/first", b"")
        first.always = redirect("/made.pth", [("X-Linked-Etag", f'"{self.sha256}"')])
        self.refused(self.fetch(address=far.address + "/first", digest={"announced": True}), "https", "--from")
        self.fetched(address=self.server.address + "/first", digest={"announced": True})

    def test_a_prefix_of_the_digest_proves_nothing_by_an_unsafe_way(self):
        far = FileServer(host="127.0.0.2")
        self.addCleanup(far.close)
        far.files = self.server.files
        self.refused(self.fetch(address=far.address + "/made.pth", digest={"prefix": self.sha256[:8]}), "https", "--from")
        self.assertEqual(self.served.requests, [], "it was downloaded all the same")
        self.fetched(address=far.address + "/made.pth")

    def test_a_password_in_the_address_stays_with_the_host(self):
        host = self.server.address.removeprefix("http://")
        address = f"http://user:secret@{host}/made.pth?signature=hidden"
        self.server.files["/made.pth?signature=hidden"] = self.served
        hidden = ("user", "secret", "hidden")
        changes = ({"size": 5}, {"digest": {"sha256": "0" * 64}})
        for change in changes:
            result = self.fetch("--address", address, **change)
            self.assertEqual(result.returncode, 3, result.stderr)
            self.assertIn(host, result.stderr.decode())
            self.assertFalse([word for word in hidden if word in result.stderr.decode()], result.stderr)
        self.assertIn("Authorization", self.served.requests[-1])
        self.served.always = lambda handler: handler.send_error(404)
        result = self.fetch("--address", address)
        self.assertIn("404", result.stderr.decode())
        self.assertFalse([word for word in hidden if word in result.stderr.decode()], result.stderr)
        result = self.fetch("--address", f"ftp://user:secret@{host}/made.pth")
        self.assertFalse([word for word in hidden if word in result.stderr.decode()], result.stderr)

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

    def test_a_bar_on_a_terminal_is_gone_before_the_result(self):
        self.served.always = slow(1)
        text, exit_code = run_on_a_terminal("weights", "fetch", "made", "--catalogue", self.catalogue(),
                                            environment=self.environment)
        self.assertEqual(exit_code, 0)
        self.assertRegex(text, rb"\r\[#+-*\] made: \d\.\d of 1\.1 MB, \d+\.\d MB/s, 0 s left\x1b\[K")
        self.assertIn(b"\r\x1b[Kmade: 1.1 MB from ", text)


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

    def test_an_answer_without_end_is_left_where_the_catalogue_ends_it(self):
        self.served.always = endless()
        size = len(self.data)
        self.refused(self.fetch(size=size), self.server.address + "/made.pth",
                     f"sends more than the {size} bytes that the catalogue has", "have come")
        # What the system holds between the two counts as sent.
        self.assertLess(self.served.sent, size + 32_000_000)

    def test_an_answer_without_end_of_which_nothing_is_known_shows_what_has_come(self):
        self.served.always = endless(a_second=2_000_000)
        with subprocess.Popen([PROGRAM, "weights", "fetch", "made", "--catalogue", self.catalogue()], env=self.environment,
                              stderr=subprocess.PIPE, text=True) as process:
            line = process.stderr.readline()
            process.send_signal(signal.SIGTERM)
        self.assertRegex(line, r"^made: \d+\.\d MB, \d+\.\d MB/s\n$")
        self.assertEqual(process.returncode, 143)
        self.assertEqual(self.names(), ["made.part", "made.part.json"])

    def test_what_the_catalogue_has_tells_the_time_left_where_the_host_does_not(self):
        self.served.always = endless(a_second=20_000)
        with subprocess.Popen([PROGRAM, "weights", "fetch", "made", "--catalogue", self.catalogue(size=2 * len(self.data))],
                              env=self.environment, stderr=subprocess.PIPE, text=True) as process:
            line = process.stderr.readline()
            process.send_signal(signal.SIGTERM)
        self.assertRegex(line, r"^made: 1\.\d of 2\.\d MB, \d+\.\d MB/s, \d+ s left\n$")

    def test_an_answer_without_a_file(self):
        def nothing(code):
            def action(handler):
                handler.send_response(code)
                handler.send_header("Content-Length", "0")
                handler.end_headers()
            return action
        address = self.server.address + "/made.pth"
        for code in (204, 304):
            with self.subTest(status=code):
                self.served.always = nothing(code)
                self.refused(self.fetch(), address, f"status {code}")
        self.served.always = nothing(200)
        self.refused(self.fetch("--retries", "0"), address, "ended too early")

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


class Secure(FetchTest):
    """A host of https with a certificate of its own."""

    def setUp(self):
        super().setUp()
        if shutil.which("openssl") is None:
            self.skipTest("no openssl to make a certificate with")
        self.certificate = self.folder / "certificate.pem"
        key = self.folder / "key.pem"
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
                        "-nodes", "-keyout", key, "-out", self.certificate, "-days", "1", "-subj", "/CN=127.0.0.1",
                        "-addext", "subjectAltName=IP:127.0.0.1"], check=True, capture_output=True)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.certificate, key)
        self.plain = FileServer()
        self.addCleanup(self.plain.close)
        self.plain.files = self.server.files
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.address = self.server.address.replace("http:", "https:")

    def test_an_untrusted_certificate(self):
        self.refused(self.fetch(address=self.address + "/made.pth"), "certificate")
        self.assertEqual(self.served.requests, [])

    def test_a_trusted_one(self):
        self.environment["SSL_CERT_FILE"] = str(self.certificate)
        self.fetched(address=self.address + "/made.pth")
        # The publisher's own word by https is all there is where no digest is known.
        shutil.rmtree(self.weights)
        self.assertIsNone(self.fetched(address=self.address + "/made.pth", digest=None)["checked_by"])

    def test_from_https_nothing_leads_to_http(self):
        self.environment["SSL_CERT_FILE"] = str(self.certificate)
        self.server.serve("/first", b"").always = redirect(self.plain.address + "/made.pth")
        self.refused(self.fetch(address=self.address + "/first"), "rotocol")
        self.assertEqual(self.served.requests, [])


class Brought(FetchTest):
    def test_a_file_that_was_downloaded_elsewhere(self):
        entry = self.fetched("--from", self.made)
        self.assertEqual((entry["source"], entry["checked_by"]), ("made.safetensors", "sha256"))
        self.assertEqual(self.made.read_bytes(), self.data)
        self.assertEqual(self.served.requests, [])

    def test_its_copy_stays_when_asked_for_and_may_be_brought_again(self):
        kept = self.weights / "made.original.pth"
        for arguments in (("--from", self.made), ("--from", kept, "--overwrite")):
            result = self.fetch(*arguments, "--keep-original")
            self.assertEqual(result.returncode, 0, result.stderr.decode())
            self.assert_in_place("made.original.pth")
            self.assertEqual(kept.read_bytes(), self.data)

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
