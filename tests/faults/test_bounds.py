"""Hostile files cost little: exit code 3, one line, under 5 s, and no more memory than a harmless bad file takes, the
file's own size and 64 MiB. The files are made here; those of ../shared are run through too where it is present."""
import gzip
import json
import pathlib
import pickle
import struct
import subprocess
import sys
import unittest
import zipfile
import zlib

import planned  # noqa: F401  (the path to program.py)
from program import PROGRAM, SHARED, ProgramTest, has_shared

MEBIBYTE = 1 << 20
# Of processor time: what a loaded machine adds is no cost of the file.
SECONDS = 5
MEASURE = pathlib.Path(__file__).with_name("measure.py")


def measured(*arguments):
    """(result, peak of memory in bytes, processor seconds) of a run; of stdout nothing but its length counts."""
    told = json.loads(subprocess.run([sys.executable, "-S", MEASURE, PROGRAM, *map(str, arguments)], check=True,
                                     capture_output=True, timeout=120).stdout)
    result = subprocess.CompletedProcess(arguments, told["code"], b"x" * told["stdout"], told["stderr"].encode())
    return result, told["peak"], told["seconds"]


def chunk(kind, body):
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(width, height, data, depth=8, colour=2):
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)) +
            chunk(b"IDAT", data) + chunk(b"IEND", b""))


def safetensors(header, length=None, body=b""):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + body


def legacy(*parts):
    """The frame of PyTorch's old format around a pickle of our own."""
    return (pickle.dumps(0x1950A86A20F9469CFC6C, 2) + pickle.dumps(1001, 2) + pickle.dumps({"little_endian": True}, 2) +
            b"".join(parts))


def many_names():
    """One tensor of rank 64 under so many names that a copy of its shape for each would take ten times the file."""
    text = lambda letters: b"X" + struct.pack("<I", len(letters)) + letters
    numbers = lambda first, second: b"(" + b"K" + bytes([first]) + b"K" + bytes([second]) + b"K\1" * 62 + b"t"
    tensor = (b"ctorch._utils\n_rebuild_tensor_v2\n((" + text(b"storage") + b"ctorch\nFloatStorage\n" + text(b"0") +
              text(b"cpu") + b"K\4tQK\0" + numbers(2, 2) + numbers(1, 2) + b"\x89}tR")
    entries = b"".join(b"U" + bytes([len(name)]) + name + b"h\1s" for name in (b"%x" % k for k in range(300_000)))
    return legacy(b"\x80\2}" + tensor + b"q\x010" + entries + b".", b"\x80\2]U\x010a.",
                  struct.pack("<q", 4) + bytes(16))


def bomb_beside(pieces=128):
    """A state dict of two numbers, and an optimiser's storage that inflates to 64 MiB for each of the pieces."""
    text = lambda letters: b"X" + struct.pack("<I", len(letters)) + letters
    number = lambda value: b"\x8a\x08" + struct.pack("<q", value)
    tensor = lambda key, count: (
        b"ctorch._utils\n_rebuild_tensor_v2\n((" + text(b"storage") + b"ctorch\nFloatStorage\n" + text(key) + text(b"cpu") +
        number(count) + b"tQK\0(" + number(count) + b"t(K\1t\x89}tR")
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    packed = packer.compress(bytes(64 * MEBIBYTE)) + packer.flush(zlib.Z_FULL_FLUSH)
    packed = packed * pieces + zlib.compressobj(9, zlib.DEFLATED, -15).flush()
    size = 64 * MEBIBYTE * pieces
    pickled = (b"\x80\2}" + text(b"model") + b"}" + text(b"w") + tensor(b"0", 2) + b"ss" + text(b"optimizer") +
               tensor(b"1", size // 4) + b"s.")
    out, directory, unknown = b"", b"", 0xFFFFFFFF
    for name, data, method, length in ((b"a/data.pkl", pickled, 0, len(pickled)), (b"a/data/0", bytes(8), 0, 8),
                                       (b"a/data/1", packed, 8, size)):
        large = struct.pack("<HHQ", 1, 8, length) if length >= unknown else b""  # zip64
        crc = 1 if method else zlib.crc32(data)
        short = struct.pack("<III", crc, len(data), unknown if large else length)
        directory += (b"PK\1\2" + struct.pack("<HHHHHH", 45, 45, 0, method, 0, 0) + short +
                      struct.pack("<HHHHHII", len(name), len(large), 0, 0, 0, 0, len(out)) + name + large)
        out += b"PK\3\4" + struct.pack("<HHHHH", 45, 0, method, 0, 0) + short + struct.pack("<HH", len(name), 0) + name + data
    return out + directory + b"PK\5\6" + struct.pack("<HHHHIIH", 0, 0, 3, 3, len(directory), len(out), 0)


def hostile_weights(folder):
    """name: bytes."""
    deep = b"[" * 2_000_000
    yield "header-of-exabytes.safetensors", safetensors({"a": 1}, (1 << 63) - 1)
    yield "header-of-gigabytes.safetensors", safetensors(b"{" + b" " * 100, 1 << 32)
    yield "deep-header.safetensors", safetensors(b'{"a":' + deep)
    yield "many-tensors.safetensors", safetensors(
        b"{" + b",".join(b'"%d":{"dtype":"F32","shape":[0],"data_offsets":[0,0]}' % k for k in range(60_000)) + b"}", None,
        b"\0")
    yield "shape-of-exabytes.safetensors", safetensors(
        {"a": {"dtype": "F32", "shape": [1 << 31, 1 << 31, 4], "data_offsets": [0, 16]}}, None, b"\0" * 16)
    yield "long-name.safetensors", safetensors({"a" * 4_000_000: {"dtype": "F32", "shape": [2], "data_offsets": [0, 4]}},
                                               None, b"\0" * 4)
    yield "deep-metadata.safetensors", safetensors(
        {"__metadata__": {"preprocessing": "[" * 3_000_000, "architecture": "cifar_resnet20"},
         "a": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}, None, b"\0" * 4)
    names = b",".join(b'"%x":{"dtype":"F32","shape":[%s],"data_offsets":[0,0]}' % (k, b"1," * 63 + b"0")
                      for k in range(80_000))
    yield "many-ranks.safetensors", safetensors(b"{" + names + b"}")
    yield "very-long-name.safetensors", safetensors(
        {"a" * 40_000_000: {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]}})
    for size in (11_000_000, 95_000_000):
        yield f"long-metadata-{size}.safetensors", safetensors({"__metadata__": {"a": "x" * size}})
    yield "much-metadata.safetensors", safetensors(
        b'{"__metadata__":{' + b",".join(b'"%x":""' % k for k in range(1_000_000)) + b"}}")
    yield "many-names-one-tensor.pth", many_names()
    yield "deep-tuples.pth", b"\x80\x02" + b"(" * 3_000_000 + b"t" * 3_000_000 + b"."
    yield "deep-lists.pth", legacy(b"\x80\x02" + b"]" * 1_000_000 + b"a" * 999_999 + b".")
    yield "many-memos.pth", legacy(b"\x80\x02N" + b"".join(b"r" + struct.pack("<I", k) for k in range(1_000_000)) + b".")
    yield "far-memo.pth", legacy(b"\x80\x02Nr\xff\xff\xff\xff.")
    yield "doubling.pth", legacy(b"\x80\x02]q\0" + b"".join(b"h\0h\0\x86q\0" for _ in range(200_000)) + b".")
    yield "long-string.pth", legacy(b"\x80\x04\x8d" + struct.pack("<Q", 1 << 62) + b"x.")
    yield "frame-of-exabytes.pth", b"\x80\x04\x95" + struct.pack("<Q", (1 << 63) - 1) + b"}."
    for name, member in (("bomb.pth", "archive/data.pkl"), ("bomb-data.pth", "archive/data/0")):
        path = folder / name
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
            with archive.open(member, "w") as stream:
                for _ in range(200):
                    stream.write(bytes(MEBIBYTE))
            archive.writestr("archive/version", "3")
        yield name, path.read_bytes()
    yield "bomb-beside.pth", bomb_beside()
    path = folder / "many-members.pth"
    with zipfile.ZipFile(path, "w") as archive:
        for number in range(30_000):
            archive.writestr(f"archive/data/{number}", b"")
    yield path.name, path.read_bytes()


def progressive(components, scans):
    """A picture of the greatest size whose scans say in few bytes that nothing comes; the last one is cut off."""
    side = 13_376
    blocks = (side // 8) ** 2
    segment = lambda kind, body: b"\xff" + bytes([kind]) + struct.pack(">H", len(body) + 2) + body
    each = lambda which, rest: b"".join(bytes([c + 1]) + rest for c in which)
    start_of_scan = lambda which, body: segment(0xDA, bytes([len(which)]) + each(which, b"\0") + body)
    # The one code of each table: no difference, and 0xE0, the end of band for 2^14 blocks and as many as 14 bits add.
    tables = segment(0xC4, b"\0\1" + bytes(15) + b"\0") + segment(0xC4, b"\x10\1" + bytes(15) + b"\xe0")
    frame = struct.pack(">BHHB", 8, side, side, components) + each(range(components), b"\x11\0")
    ends = "".join("0" + "1" * 14 for _ in range(blocks // 32_767 + 1))
    ends += "1" * (-len(ends) % 8)
    packed = int(ends, 2).to_bytes(len(ends) // 8, "big").replace(b"\xff", b"\xff\0")
    body = start_of_scan(range(components), b"\0\0\0") + bytes((blocks * components + 7) // 8)
    for component in range(components):
        for low in range(scans - 1, -1, -1):
            high = 0 if low == scans - 1 else low + 1
            body += start_of_scan([component], bytes([1, 63, high << 4 | low]))
            body += packed[:-40] if low == 0 and component == components - 1 else packed
    return (b"\xff\xd8" + segment(0xDB, b"\0" + b"\1" * 64) + segment(0xC2, frame) + tables + body + b"\xff\xd9")


def hostile_pictures():
    yield "wide.png", png(0x7FFFFFFF, 1, zlib.compress(b"\0"))
    yield "large.png", png(60_000, 60_000, zlib.compress(b"\0"))
    yield "within-the-limit.png", png(13_000, 13_000, zlib.compress(b"\0" * 1000))
    yield "packed.png", png(32, 32, zlib.compress(bytes(200 * MEBIBYTE), 1))
    yield "palette-of-nothing.png", png(4000, 4000, zlib.compress(b"\0"), colour=3)
    yield "sixteen-bits.png", png(9000, 9000, zlib.compress(b"\0"), depth=16, colour=6)
    yield "many-chunks.png", (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 8, 8, 8, 2, 0, 0, 0)) +
                              chunk(b"tEXt", b"") * 300_000)
    frame = b"\xff\xc0" + struct.pack(">HBHHB", 17, 8, 65_535, 2_700, 3) + b"\1\x22\0\2\x11\1\3\x11\1"
    yield "large.jpg", b"\xff\xd8" + frame + b"\xff\xd9"
    yield "empty-scans.jpg", progressive(1, 14)
    yield "too-many-scans.jpg", progressive(4, 14)
    yield "many-markers.jpg", b"\xff\xd8" + b"\xff\xfe\0\2" * 1_000_000


class Bounds(ProgramTest):
    def baseline(self, command, name):
        """The memory of the same command on a file that is refused at once."""
        path = self.folder / name
        path.write_bytes(b"\1\2\3")
        result, peak, _ = measured(*command, path)
        self.assertEqual(result.returncode, 3, result.stderr)
        return peak

    def check(self, command, path, usual, exit_codes=(3,), named=None):
        result, peak, seconds = measured(*command, path)
        if result.returncode != 0:
            self.assert_refused(result, set(exit_codes) - {0}, named or str(path)[:40])
        else:
            self.assertIn(0, exit_codes)
        self.assertLess(seconds, SECONDS)
        self.assertLess(peak - usual, path.stat().st_size + 64 * MEBIBYTE, result.stderr)

    def test_weights_made_to_cost_much(self):
        usual = self.baseline(("weights", "inspect"), "usual.pth")
        for name, data in hostile_weights(self.folder):
            with self.subTest(file=name):
                path = self.folder / name
                path.write_bytes(data)
                # Some of them are well formed, and may be listed.
                self.check(("weights", "inspect"), path, usual, (0, 3))

    def test_pictures_made_to_cost_much(self):
        usual = self.baseline(("classify", "demo-resnet"), "usual.png")
        for name, data in hostile_pictures():
            with self.subTest(file=name):
                path = self.folder / name
                path.write_bytes(data)
                self.check(("classify", "demo-resnet"), path, usual)

    def test_the_bad_files_of_the_fixtures(self):
        if not has_shared():
            return
        folder = SHARED / "fixtures" / "weights" / "bad"
        usual = self.baseline(("weights", "inspect"), "usual.pth")
        for entry in json.loads((folder / "index.json").read_text()):
            with self.subTest(file=entry["file"]):
                path = folder / entry["file"]
                if path.suffix == ".gz":
                    (self.folder / path.stem).write_bytes(gzip.decompress(path.read_bytes()))
                    path = self.folder / path.stem
                self.check(("weights", "inspect"), path, usual, (3,) if entry["stage"] == "read" else (0, 3))
        folder = SHARED / "fixtures" / "images" / "bad"
        usual = self.baseline(("classify", "demo-resnet"), "usual.png")
        for entry in json.loads((folder / "index.json").read_text()):
            with self.subTest(file=entry["file"]):
                self.check(("classify", "demo-resnet"), folder / entry["file"], usual, (3, *entry.get("also_accept", ())))


if __name__ == "__main__":
    unittest.main()
