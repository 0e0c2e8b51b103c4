"""Results as traverse writes them, made without a network: any number of pairs, any names. Standard library only."""
import array
import json
import math
import pathlib
import random
import struct
import zlib

from program import write_tensors


def texture(rng, side):
    """Noise with a gradient: little that a compressor could use, as in photographs at this size."""
    values = array.array("f")
    base = [rng.random() for _ in range(3)]
    for channel in base:
        for y in range(side):
            for x in range(side):
                values.append(min(1.0, max(0.0, channel + (x + y) / (4 * side) - 0.25 + rng.uniform(-0.2, 0.2))))
    return values


def mixed(a, b, share):
    return array.array("f", ((1 - share) * x + share * y for x, y in zip(a, b)))


def write_png(path, values, side):
    """RGB of 8 bits from floats in [0, 1], channel by channel."""
    area = side * side
    rows = b"".join(b"\0" + bytes(round(255 * values[channel * area + y * side + x]) for x in range(side) for channel in range(3))
                    for y in range(side))
    chunk = lambda kind, body: struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
    pathlib.Path(path).write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)) +
                                   chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))


def record(iteration, iterations, width):
    done = iteration / iterations
    probability = 0.95 - 0.1 * math.sin(3 * done)
    entry = {"iteration": iteration, "probability": probability, "target_probability": 0.01 + 0.02 * done}
    if width:
        entry["width"] = [{"radius": r, "q05": probability * math.exp(-r * (0.2 + done / 3)), "q95": min(1, probability + 0.01)}
                          for r in (0, 0.5, 1, 1.5, 2)]
    return entry


def write_result(folder, images=4, pairs=12, records=6, side=32, keep_path=True, width=False, names=None, model="made-network",
                 change=None):
    """`names`: paths of the images; `change`: called with the document before it is written."""
    rng = random.Random(5)
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    names = names or [f"image-{i}.png" for i in range(images)]
    textures = [texture(rng, side) for _ in names]
    iterations = 20 * (records - 1)
    entries, tensors = [], {"source": array.array("f"), "target": array.array("f"), "final": array.array("f"),
                            "path": array.array("f")}
    order = [(i, j) for i in range(len(names)) for j in range(len(names)) if i != j][:pairs]
    for i, j in order:
        final = mixed(textures[i], textures[j], 0.9 + 0.05 * rng.random())
        tensors["source"] += textures[i]
        tensors["target"] += textures[j]
        tensors["final"] += final
        if len(order) <= 12:
            write_png(folder / f"final-{i}-{j}.png", final, side)
        for k in range(records if keep_path else 0):
            tensors["path"] += final if k == records - 1 else mixed(textures[i], textures[j], 0.9 * k / (records - 1))
        walk = [record(20 * k, iterations, width) for k in range(records)]
        entries.append({
            "source": {"path": names[i], "class": i % 10, "probability": 0.96},
            "target": {"path": names[j], "class": j % 10, "probability": 0.9},
            "start_probability": 0.955,
            "final": {"probability": walk[-1]["probability"], "target_probability": walk[-1]["target_probability"],
                      "probability_8bit": 0.93, "outside": False, "rmse": 0.04 + 0.01 * rng.random(), "linf": 0.2,
                      "ssim": None, "lpips": None},
            "accepted": iterations - 3, "rejected": 3, "records": walk})
    document = {
        "schema": "blindspot/traverse/1", "version": "0.1.0",
        "model": {"name": model, "architecture": "cifar_resnet14", "sha256": "a" * 64, "weights_sha256": "b" * 64,
                  "preprocessing": {"input_size": side, "resize": side, "interpolation": "bilinear", "crop": side,
                                    "mean": [0.5, 0.5, 0.5], "std": [0.25, 0.25, 0.25]}},
        "device": "cpu", "precision": "fp32", "batch": 8, "threads": 2,
        "parameters": {"step_size": 0.01, "iterations": iterations, "delta": 0.2, "adversarial": True,
                       "adversarial_step": 0.002, "seed": 18446744073709551615, "record_every": 20, "mode": "default"},
        "dropped": [], "pairs": entries}
    if change:
        change(document)
    (folder / "result.json").write_text(json.dumps(document))
    count = len(order)
    shapes = {name: (count, 3, side, side) for name in ("source", "target", "final")}
    if keep_path:
        shapes["path"] = (count, records, 3, side, side)
    write_tensors(folder / "images.safetensors", {name: (shape, tensors[name]) for name, shape in shapes.items()})
    return document


def triangle_value(t1, t2):
    """At a grid point; neighbours differ by much, so that a wrong interpolation shows."""
    return 0.9 - 0.5 * t1 * t2 - 0.15 * ((round(10 * t1) + 2 * round(10 * t2)) % 3)


def write_triangle(path, images, k=10, leave_out=()):
    points = [{"t": [i / k, j / k], "probability": triangle_value(i / k, j / k)}
              for i in range(k + 1) for j in range(k + 1 - i) if (i, j) not in leave_out]
    preprocessing = {"input_size": 32, "resize": 32, "interpolation": "bilinear", "crop": 32}
    document = {"schema": "blindspot/triangle/1", "model": {"preprocessing": preprocessing}, "class": 3,
                "images": [str(image) for image in images], "p_source": 0.96, "mean": 0.8,
                "fractions": [{"drop": d, "fraction": 0.4 + d} for d in (0, 0.1, 0.2, 0.3)], "edge_mean": 0.9,
                "edge_minimum": -0.2, "points": points}
    pathlib.Path(path).write_text(json.dumps(document))
    return document
