"""Running the program under test and reading what it writes. Python's standard library and jsonschema only.

BLINDSPOT_PROGRAM names the program, BLINDSPOT_SHARED the folder of reference material (it may be absent)."""
import array
import json
import os
import pathlib
import shutil
import struct
import subprocess
import sys
import tempfile
import unittest
import zlib

PROGRAM = os.environ.get("BLINDSPOT_PROGRAM", "build/release/blindspot")
SHARED = pathlib.Path(os.environ.get("BLINDSPOT_SHARED", "../shared"))
SCHEMAS = pathlib.Path(__file__).resolve().parents[2] / "tools" / "schemas"


def run(*arguments, timeout=120):
    """Runs the program to its end; a crash is an ordinary result with a negative exit code."""
    return subprocess.run([PROGRAM, *map(str, arguments)], capture_output=True, timeout=timeout)


def has_shared():
    """Says so once a test where the reference material is absent."""
    if SHARED.is_dir():
        return True
    print("skipped: no ../shared", file=sys.stderr)
    return False


def run_on_a_terminal(*arguments, environment=None, timeout=120):
    """What the program writes where both its outputs are a terminal, and its exit code."""
    ours, theirs = os.openpty()
    process = subprocess.Popen([PROGRAM, *map(str, arguments)], stdout=theirs, stderr=theirs, env=environment)
    os.close(theirs)
    text = b""
    try:
        while part := os.read(ours, 4096):
            text += part
    except OSError:
        pass  # what a terminal says whose other end is closed
    os.close(ours)
    return text, process.wait(timeout)


def read_safetensors(path):
    """{name: (shape, array of float32)} of a file that holds nothing but float32."""
    data = pathlib.Path(path).read_bytes()
    (size,) = struct.unpack_from("<Q", data)
    header = json.loads(data[8:8 + size])
    header.pop("__metadata__", None)
    tensors = {}
    for name, entry in header.items():
        assert entry["dtype"] == "F32", entry
        begin, end = entry["data_offsets"]
        values = array.array("f")
        values.frombytes(data[8 + size + begin:8 + size + end])
        tensors[name] = (entry["shape"], values)
    return tensors


def write_tensors(path, tensors):
    """float32 tensors, {name: (shape, values)}."""
    header, body = {}, b""
    for name, (shape, values) in tensors.items():
        part = array.array("f", values).tobytes()
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [len(body), len(body) + len(part)]}
        body += part
    text = json.dumps(header).encode()
    pathlib.Path(path).write_bytes(struct.pack("<Q", len(text)) + text + body)


def write_safetensors(path, name, shape, values):
    """One float32 tensor."""
    write_tensors(path, {name: (shape, values)})


def without_metadata(path, key):
    """The bytes of a safetensors file, but for one entry of its metadata."""
    data = pathlib.Path(path).read_bytes()
    (size,) = struct.unpack_from("<Q", data)
    header = json.loads(data[8:8 + size])
    del header["__metadata__"][key]
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data[8 + size:]


def read_png(path):
    """(width, height, rows of RGB bytes) of an 8-bit RGB picture."""
    data = pathlib.Path(path).read_bytes()
    at, packed = 8, b""
    while at < len(data):
        (size,), kind = struct.unpack_from(">I", data, at), data[at + 4:at + 8]
        if kind == b"IHDR":
            width, height = struct.unpack_from(">II", data, at + 8)
        if kind == b"IDAT":
            packed += data[at + 8:at + 8 + size]
        at += size + 12
    raw, rows, before = zlib.decompress(packed), [], bytearray(3 * width)
    for y in range(height):
        start = y * (3 * width + 1)
        row = bytearray(raw[start + 1:start + 1 + 3 * width])
        for i in range(len(row) if raw[start] else 0):
            left, above, corner = row[i - 3] if i >= 3 else 0, before[i], before[i - 3] if i >= 3 else 0
            nearest = min((left, above, corner), key=lambda v: abs(left + above - corner - v))
            row[i] = (row[i] + (0, left, above, (left + above) // 2, nearest)[raw[start]]) % 256
        rows.append(bytes(row))
        before = row
    return width, height, rows


def validate(document, schema):
    import jsonschema
    text = json.loads((SCHEMAS / f"{schema}.json").read_text())
    jsonschema.Draft202012Validator.check_schema(text)
    jsonschema.Draft202012Validator(text).validate(document)


class ProgramTest(unittest.TestCase):
    """A fresh folder for each test, and drawn pictures for all tests of a class."""

    @classmethod
    def setUpClass(cls):
        cls.class_folder = pathlib.Path(tempfile.mkdtemp(prefix="blindspot-cli-"))
        cls.pictures = cls.class_folder / "pictures"
        drawn = run("demo", "--images", cls.pictures, "--count", 20, "--seed", 7)
        assert drawn.returncode == 0, drawn.stderr.decode()

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.class_folder)

    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="blindspot-cli-"))
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)

    def picture(self, number):
        """The first picture of a class."""
        (path,) = self.pictures.glob(f"{number}-*/0000.png")
        return path

    def succeed(self, *arguments, exit_code=0):
        result = run(*arguments)
        self.assertEqual(result.returncode, exit_code, result.stderr.decode())
        return result

    def document(self, schema, *arguments, exit_code=0):
        """What a command prints with --json, validated, and nothing but that on stdout."""
        document = json.loads(self.succeed(*arguments, "--json", "--quiet", exit_code=exit_code).stdout)
        validate(document, schema)
        return document

    def assert_refused(self, result, exit_codes, *contained):
        """One line on stderr, nothing on stdout, and an exit code that may be."""
        message = result.stderr.decode()
        self.assertIn(result.returncode, exit_codes, message)
        self.assertEqual(result.stdout, b"")
        self.assertEqual(message.count("\n"), 1, message)
        self.assertTrue(message.endswith("\n"))
        self.assertFalse([c for c in message[:-1] if ord(c) < 32 or 127 <= ord(c) < 160], repr(message))
        for word in ("exception", "terminate", "assert", "backtrace"):
            self.assertNotIn(word, message.lower())
        for text in contained:
            self.assertIn(text.lower(), message.lower())
