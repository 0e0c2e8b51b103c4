#!/usr/bin/python3
"""Writes small seeds for every fuzz target into DIR/TARGET: made here, and taken from the reference material's fixtures
where they are given. Uses the standard library.

    make_seeds.py DIR [FIXTURES]
"""
import json
import pathlib
import pickle
import struct
import sys
import zipfile
import zlib

LONGEST = 9000


def tensor_pickle(protocol, count=2):
    """A state dict with one tensor of `count` numbers in a storage of two, its opcodes written by hand where Python would need torch."""
    text = lambda t: b"X" + struct.pack("<I", len(t)) + t
    return (b"\x80" + bytes([protocol]) + b"}" + text(b"state_dict") + b"}" + text(b"w") + b"ctorch._utils\n_rebuild_tensor_v2\n("
            b"(" + text(b"storage") + b"ctorch\nFloatStorage\n" + text(b"0") + text(b"cpu") + b"K\x02tQK\x00K" + bytes([count])
            + b"\x85K\x01\x85\x89"
            b"ccollections\nOrderedDict\n)RtRs" + b"s.")


def pickles():
    value = {"epoch": 3, "lr": 0.5, "big": 1 << 70, "negative": -5, "text": "t\u00e9xt", "bytes": b"\x00\xff", "list": [1, 2.5, None, True],
             "tuple": (1, (2, 3), ()), "set": {1, 2}, "nested": {"a": {"b": {}}}}
    for protocol in range(6):
        yield f"plain-{protocol}", pickle.dumps(value, protocol)
    for protocol in (2, 4):
        yield f"tensor-{protocol}", tensor_pickle(protocol)
    # All of it, and one number too many.
    for count in (2, 3):
        yield f"legacy-rest-{count}", tensor_pickle(2, count) + b"\x80\x02]X\x01\x00\x00\x000a." + struct.pack("<qff", 2, 1.0, -2.0)


def zips(folder):
    for name, method in (("stored", zipfile.ZIP_STORED), ("deflated", zipfile.ZIP_DEFLATED)):
        with zipfile.ZipFile(folder / name, "w", method) as archive:
            archive.writestr("archive/data.pkl", tensor_pickle(2))
            archive.writestr("archive/byteorder", "little")
            archive.writestr("archive/data/0", struct.pack("<ff", 1.0, -2.0))


def safetensors():
    for dtype, size in (("F32", 4), ("F64", 8), ("BF16", 2), ("F8_E4M3", 1), ("BOOL", 1), ("U64", 8)):
        header = {"__metadata__": {"heads": "3"}, "a": {"dtype": dtype, "shape": [2, 1], "data_offsets": [0, 2 * size]},
                  "b": {"dtype": dtype, "shape": [], "data_offsets": [2 * size, 3 * size]}}
        text = json.dumps(header).encode()
        yield dtype, struct.pack("<Q", len(text)) + text + bytes(3 * size)


def png(width, height, depth, colour, interlace, rows, palette=b""):
    chunk = lambda kind, data: struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, interlace))
            + (chunk(b"PLTE", palette) if palette else b"") + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))


def pngs():
    yield "grey", png(3, 2, 8, 0, 0, bytes([0, 1, 2, 3, 4, 5, 6, 7]))
    yield "grey16", png(1, 2, 16, 0, 0, bytes([0, 1, 2, 1, 3, 4]))
    yield "rgb", png(2, 1, 8, 2, 0, bytes([1, 1, 2, 3, 4, 5, 6]))
    yield "palette", png(4, 2, 2, 3, 0, bytes([0, 0b00011000, 4, 0]), bytes(range(9)))
    yield "rgba", png(1, 1, 8, 6, 0, bytes([0, 1, 2, 3, 4]))
    yield "grey-alpha", png(1, 1, 16, 4, 0, bytes([0, 1, 2, 3, 4]))
    yield "interlaced", png(3, 2, 8, 0, 1, bytes([0, 1, 0, 2, 0, 3, 0, 4, 5, 6]))
    # The target builds a picture of these: width, height, depth and colour type, interlacing, palette, rows. The widths
    # are such that most rows end within a byte.
    for kind in range(25):
        yield f"parts-{kind}", bytes([2 + kind, 3, kind, kind // 5 % 2, 3 * (kind // 5 == 2)]) + bytes([1, 0, 0, 0, 2] * 12)


def jpeg(progressive):
    """Grey, 8x8; each Huffman table has the one code "0": category 0, or end of block."""
    tables = b"".join(b"\xff\xc4\x00\x14" + bytes([kind, 1]) + bytes(16) for kind in (0x00, 0x10))
    scans = ((0, 0, 0), (1, 63, 1), (1, 63, 16)) if progressive else ((0, 63, 0),)
    frame = b"\xff" + (b"\xc2" if progressive else b"\xc0") + b"\x00\x0b\x08\x00\x08\x00\x08\x01\x01\x11\x00"
    data = b"\x7f" if progressive else b"\x3f"
    return (b"\xff\xd8\xff\xdb\x00\x43\x00" + bytes([1] * 64) + frame + tables
            + b"".join(b"\xff\xda\x00\x08\x01\x01\x00" + bytes(scan) + data for scan in scans) + b"\xff\xd9")


CONFIGURATIONS = {
    "config": '{"num_attention_heads": 3, "layer_norm_eps": 1e-5, "id2label": {"0": "ant", "1": "bee"}}',
    "height": '{"size": {"height": 16, "width": 16}, "resample": 2, "image_mean": [0.5, 0.5, 0.5], "image_std": [0.25, 0.5, 0.5]}',
    "shortest": '{"size": {"shortest_edge": 256}, "crop_size": 224, "do_center_crop": true, "do_resize": true, "do_rescale": true, '
                '"rescale_factor": 0.00392156862745098, "do_normalize": false}',
    "share": '{"crop_pct": 0.875, "size": {"shortest_edge": 224}, "resample": 3}',
    "plain": '{"size": 224, "do_center_crop": false, "crop_size": {"height": 224, "width": 224}}',
    "metadata": '{"input_size": 32, "resize": 0, "interpolation": "bilinear", "crop": 32, "mean": [0, 0, 0], "std": [1, 1, 1]}',
    "classes": '["ant", "bee", "caf\\u00e9"]',
    "timm": '{"label_names": ["ant", "bee"], "pretrained_cfg": {"input_size": [3, 16, 16], "interpolation": "bicubic", '
            '"crop_pct": 0.9, "crop_mode": "center", "mean": [0.5, 0.5, 0.5], "std": [0.5, 0.5, 0.5]}}',
    "timm-squash": '{"pretrained_cfg": {"input_size": [3, 16, 16], "crop_pct": 1, "crop_mode": "squash"}}',
    "timm-not-square": '{"label_names": [1], "pretrained_cfg": {"input_size": [3, 16, 17]}}',
    "timm-border": '{"pretrained_cfg": {"crop_mode": "border"}}',
    # What is refused, so that mutations start from there too.
    "not-square": '{"size": {"height": 16, "width": 17}}',
    "two-crops": '{"size": {"height": 256, "width": 256}, "crop_size": 224}',
    "no-crop": '{"size": {"shortest_edge": 256}}',
    "no-crop-size": '{"size": 256, "do_center_crop": true}',
    "share-of-both": '{"size": {"height": 16, "width": 16}, "crop_pct": 0.9}',
    "no-size": '{"size": "large", "rescale_factor": 1}',
    "other-rescaling": '{"rescale_factor": 1, "layer_norm_eps": "small"}',
    "half-a-head": '{"num_attention_heads": 2.5}',
    "missing-class": '{"id2label": {"0": "ant", "2": "bee"}}',
    "no-pixels": '{"input_size": 0}',
    "other-interpolation": '{"interpolation": "nearest"}',
    "small-resize": '{"interpolation": "bicubic", "input_size": 32, "resize": 31}',
    "deep": "[" * 33 + "]" * 33,
    "number": "1",  # repeated it is too many values before it is too many bytes
}

COMMAND_LINES = [
    "traverse m.pth --source a.png b.png --target c.png -o out --iterations 5 --step-size 0.01 --delta 0.2 --adversarial",
    "grid m.pth a.png b.png -o out --animate --seed 7 --preset authors-default --mode reference",
    "triangle m s a b --json --check 32", "path m s b --source-class 3", "simplex m s a b c --quiet", "distance a b --lpips f",
    "width m x --target t --delta 0.2 --radii 0.5 1 1.5 2 --directions d.safetensors --device cuda:0 --precision bf16 --threads 0",
    "evaluate m n --images d -o run.db --rounds 5 --limit 8 --shard 1/2 --dry-run", "merge a.db b.db -o c.db",
    "table run.db --format latex", "export run.db -o pairs.csv", "classify m a.png --class-names names.txt",
    "gradient m a.png --class 3 -o g.safetensors", "verify out", "report run.db -o r.html --figures f",
    "weights inspect f --json", "weights convert a -o b --as-is --overwrite", "weights random resnet50 --seed 1 -o f",
    "devices --json", "bench --network resnet50 --batch 8 --iterations 6 --precision fp32", "demo -o out", "--version", "--help",
    "classify m a --json=x", "classify m a --json=99999999999999999999", "traverse m --adversarial=-1 --source a --target b -o out",
    "traverse m --no-adversarial --source a --target b -o out", "traverse m --adversarial --no-adversarial --source a --target b -o out",
    # A walk's options alone.
    "--preset authors-default --step-size 0.01 --iterations 5 --delta 0.2 --adversarial --adversarial-step 0.002 --seed 7 "
    "--record-every 2 --mode reference --noise f --width --keep-path --animate", "--preset paper --no-adversarial --step-size 0",
    "classify m a --mean 0.5,0.5,0.5 --std 1,1,1 --input-size 224 --resize 256 --crop 224 --interpolation bicubic --heads 3",
]


def run_rows():
    """Rows as fuzz_run_rows.cpp cuts them: a table's number, then each value's type and itself; texts by their place there."""
    number, text, null = lambda n: bytes([1, n]), lambda place: bytes([5, place]), bytes(1)
    real, blob, settings = lambda r: bytes([4]) + struct.pack("<d", r), bytes([7, 1, 0, 0]), bytes(14)
    image = bytes([1]) + number(0) + text(1) + null + text(1)
    model = (bytes([3]) + number(0) + text(8) * 4 + text(14) + text(1) + text(6) + number(2) + text(1) * 2 + text(9) + number(1) * 3)
    record = bytes([6]) + number(0) * 2 + number(1) + number(0) + real(0.5) * 2 + blob
    width = lambda radius, confidence: bytes([7]) + number(0) * 2 + number(1) + number(0) + real(radius) + real(confidence) * 2
    for place, wrong in ((0, 0), (3, 0), (0, 1)):  # the image that there is, and one that is not; and a confidence above 1
        yield (settings + image + model + bytes([4]) + number(0) + number(place) + number(1) + real(0.9) + null + blob
               + bytes([5]) + number(0) * 2 + number(1) + number(place) + number(1) * 2 + real(0.5) * 6 + number(0) * 3 + real(1) * 5 + blob
               + record + width(0, 0.5) + width(0.5, 0.4 + wrong))


def save(folder, name, contents):
    if len(contents) <= LONGEST:
        (folder / name).write_bytes(contents)


def made_here(root):
    for name, contents in safetensors():
        save(root / "safetensors", name, contents)
    for name, contents in pickles():
        save(root / "pickle", name, contents)
    zips(root / "zip")
    for name, contents in pngs():
        save(root / "png", name, contents)
    for progressive in (False, True):
        save(root / "jpeg", f"progressive-{progressive}", jpeg(progressive))
    for name, text in CONFIGURATIONS.items():
        save(root / "json", name, text.encode())
        # Of a length at which the target also reads it from a file, and makes it too long.
        save(root / "json", f"file-{name}", text.ljust(-(-len(text) // 256) * 256).encode())
    for number in range(18):
        save(root / "run_rows", f"rows-{number}", bytes((number * 37 + i * i) % 256 for i in range(40 * number + 9)))
    for number, contents in enumerate(run_rows()):
        save(root / "run_rows", f"whole-{number}", contents)
        for last in range(251, 256):  # at which the target says otherwise what the database is
            save(root / "run_rows", f"spoilt-{number}-{last}", contents + bytes([last]))
    for number, line in enumerate(COMMAND_LINES):
        save(root / "command_line", f"line-{number}", line.replace(" ", "\n").encode())


def of_fixtures(root, fixtures):
    for path in sorted(fixtures.glob("weights/*/*")):
        contents = path.read_bytes()
        if path.suffix == ".safetensors":
            save(root / "safetensors", f"{path.parent.name}-{path.name}", contents)
        elif contents.startswith(b"PK"):
            save(root / "zip", f"{path.parent.name}-{path.name}", contents)
            try:
                with zipfile.ZipFile(path) as archive:
                    for member in archive.infolist():
                        if member.filename.endswith("data.pkl") and member.file_size <= LONGEST:
                            save(root / "pickle", f"{path.parent.name}-{path.name}", archive.read(member))
            except (zipfile.BadZipFile, NotImplementedError, RuntimeError, OSError, EOFError, zlib.error, ValueError):
                pass  # a fixture that is damaged on purpose
        elif contents.startswith(b"\x80"):
            save(root / "pickle", f"{path.parent.name}-{path.name}", contents)
    for path in sorted(fixtures.glob("images/*/*")):
        contents = path.read_bytes()
        if contents.startswith(b"\x89PNG"):
            save(root / "png", f"{path.parent.name}-{path.name}", contents)
        elif contents.startswith(b"\xff\xd8"):
            save(root / "jpeg", f"{path.parent.name}-{path.name}", contents)
    for case in json.loads((fixtures / "bad_cli.json").read_text())["cases"]:
        save(root / "command_line", case["id"], "\n".join(case["args"]).encode())


def main():
    root = pathlib.Path(sys.argv[1])
    for target in ("safetensors", "pickle", "zip", "json", "png", "jpeg", "run_rows", "command_line"):
        (root / target).mkdir(parents=True, exist_ok=True)
    made_here(root)
    if len(sys.argv) > 2 and pathlib.Path(sys.argv[2]).is_dir():
        of_fixtures(root, pathlib.Path(sys.argv[2]))


main()
