"""What the tests of the documents share: the commands that a text shows, the files that it imagines, running them as a
reader would. Python's standard library, and the program under test to draw pictures and make weights.

BLINDSPOT_PROGRAM names the program, BLINDSPOT_SHARED the folder of reference material (it may be absent)."""
import array
import json
import os
import pathlib
import re
import struct
import subprocess

PROGRAM = pathlib.Path(os.environ.get("BLINDSPOT_PROGRAM", "build/release/blindspot")).resolve()
SHARED = pathlib.Path(os.environ.get("BLINDSPOT_SHARED", "../shared")).resolve()
ROOT = pathlib.Path(__file__).resolve().parents[2]
PUBLISHED = SHARED / "data" / "weights" / "cifar10-resnet20-12fca82f.th"


def run(command, folder, **environment):
    """A line of the shell, with the program on its path; what it prints, in the order in which it does. On the CPU, as the
    documents show it, also where there is a GPU."""
    path = f"{PROGRAM.parent}{os.pathsep}{os.environ['PATH']}"
    return subprocess.run(["sh", "-c", command], cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          timeout=300, env={**os.environ, "PATH": path, "BLINDSPOT_PLUGINS": "no-such-folder", **environment})


def indented_blocks(text):
    """The code blocks of a Markdown text, each as its lines, whether commands or what they print."""
    block = []
    for line in text.splitlines():
        if line.startswith("    "):
            block.append(line[4:])
        elif line.strip() and block:
            yield block
            block = []
    if block:
        yield block


def shown_commands(text):
    """[(command, lines shown below it)] of all lines that begin with a prompt."""
    found = []
    for block in indented_blocks(text):
        for line in block:
            if line.startswith("$ "):
                found.append((line[2:], []))
            elif found and block[0].startswith("$ "):
                found[-1][1].append(line)
    return found


def inline_commands(text):
    """Commands in the running text, with their operands: `blindspot export run.db -o pairs.csv`."""
    return re.findall(r"`(blindspot [a-z]+ [^`]+)`", text.replace("\n", " "))


def examples_of(command):
    """The lines below `Example:` of a command's --help."""
    text = run(f"blindspot {command} --help", ROOT).stdout
    block = text.partition("\nExample:\n")[2].partition("\n\n")[0]
    return [line.strip() for line in block.splitlines() if line.strip()]


def command_names():
    """All of them, with those of `weights`; and none, for the program's own --help."""
    def listed(words):
        block = run(f"blindspot {words} --help", ROOT).stdout.partition("Commands:\n")[2].partition("\n\n")[0]
        return [line.split()[0] for line in block.splitlines()]
    return ["", *listed(""), *(f"weights {name}" for name in listed("weights"))]


def without_numbers(line):
    """The words of a line: numbers, units of size and the width of columns vary from machine to machine."""
    line = re.sub(r"\d+(\.\d+)?(e[+-]?\d+)?", "0", line)
    line = re.sub(r"\b0 [kMG]i?B\b", "0 B", line)
    return re.sub(r" +", " ", line).strip()


def first_missing(shown, printed, form):
    """The first of the shown lines that is not among those printed, which may be more; the order counts. None: all are."""
    rest = iter([form(line) for line in printed])
    return next((line for line in shown if form(line) not in rest), None)


def read_tensors(path):
    """{name: (shape, bytes)} of a safetensors file of float32."""
    data = path.read_bytes()
    (size,) = struct.unpack_from("<Q", data)
    header = json.loads(data[8:8 + size])
    header.pop("__metadata__", None)
    return {name: (entry["shape"], data[8 + size:][slice(*entry["data_offsets"])]) for name, entry in header.items()}


def write_tensors(path, tensors):
    header, parts, at = {}, [], 0
    for name, (shape, values) in tensors.items():
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [at, at + len(values)]}
        parts.append(values)
        at += len(values)
    text = json.dumps(header).encode()
    path.write_bytes(b"".join([struct.pack("<Q", len(text)), text, *parts]))


def repeated(count):
    """`count` small numbers of no meaning."""
    pattern = array.array("f", [((7 * i) % 23 - 11) / 300 for i in range(97)])
    return (pattern * (count // len(pattern) + 1))[:count].tobytes()


def make_lpips_parts(alexnet, heads):
    """AlexNet's features and the heads of LPIPS, of the true shapes and of no meaning."""
    shapes = {0: (64, 3, 11, 11), 3: (192, 64, 5, 5), 6: (384, 192, 3, 3), 8: (256, 384, 3, 3), 10: (256, 256, 3, 3)}
    tensors, of_heads = {}, {}
    for number, (layer, (out, channels, height, width)) in enumerate(shapes.items()):
        tensors[f"features.{layer}.weight"] = ([out, channels, height, width], repeated(out * channels * height * width))
        tensors[f"features.{layer}.bias"] = ([out], repeated(out))
        of_heads[f"lin{number}.model.1.weight"] = ([1, out, 1, 1], array.array("f", [0.01] * out).tobytes())
    write_tensors(alexnet, tensors)
    write_tensors(heads, of_heads)


def make_thousand_classes(path, folder):
    """A network as small as can be that tells ImageNet's number of classes, where a document speaks of ResNet-50."""
    assert run("blindspot weights random cifar_resnet8 --seed 1 -o small.safetensors", folder).returncode == 0
    tensors = read_tensors(folder / "small.safetensors")
    tensors["linear.weight"] = ([1000, 64], repeated(64000))
    tensors["linear.bias"] = ([1000], repeated(1000))
    write_tensors(path, tensors)
