"""Trains and measures the two built-in networks on pictures that blindspot draws.

Nothing at build or run time needs this script; README.md beside it has the commands. Needs PyTorch, Pillow and
safetensors. A folder of pictures is what `blindspot demo --images` writes: PNG files in one folder a class, the folders
called NAME or NUMBER-NAME.
"""

import argparse
import json
import math
import pathlib
import time

import numpy
import safetensors.torch
import torch
from PIL import Image
from torch import nn
from torch.nn import functional

# The class order of engine/images/drawing_shapes.h, which is also the order of the folders' names.
CLASSES = ["checkerboard", "crescent", "cross", "disc", "heart", "ring", "square", "star", "stripes", "triangle"]
SIZE = 32
# One number for all channels, so that permuting a picture's channels changes nothing but its colours.
MEAN, DEVIATION = 0.5, 0.25
HEADS = 4
LABEL_SMOOTHING = 0.05


class BasicBlock(nn.Module):
    """Two 3x3 convolutions; the shortcut subsamples and pads channels with zeros (option A of He et al. 2016)."""

    def __init__(self, channels_in, channels, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(channels_in, channels, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self.stride = stride
        self.padding = (channels - channels_in) // 2

    def forward(self, x):
        y = functional.relu(self.bn1(self.conv1(x)))
        y = self.bn2(self.conv2(y))
        shortcut = x if self.stride == 1 else x[:, :, :: self.stride, :: self.stride]
        return functional.relu(y + functional.pad(shortcut, (0, 0, 0, 0, self.padding, self.padding)))


class CifarResNet(nn.Module):
    """The CIFAR ResNet of depth 14, two blocks a stage, under the names that its public weights use."""

    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 16, 3, 1, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(16)
        self.layer1 = nn.Sequential(BasicBlock(16, 16, 1), BasicBlock(16, 16, 1))
        self.layer2 = nn.Sequential(BasicBlock(16, 32, 2), BasicBlock(32, 32, 1))
        self.layer3 = nn.Sequential(BasicBlock(32, 64, 2), BasicBlock(64, 64, 1))
        self.linear = nn.Linear(64, len(CLASSES))
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight)

    def forward(self, x):
        x = functional.relu(self.bn1(self.conv1(x)))
        x = self.layer3(self.layer2(self.layer1(x)))
        return self.linear(x.mean((2, 3)))

    def feature_maps(self, x):
        """What the two blocks of the last stage put out, [N, 2, 64, 8, 8]."""
        x = self.layer2(self.layer1(functional.relu(self.bn1(self.conv1(x)))))
        first = self.layer3[0](x)
        return torch.stack([first, self.layer3[1](first)], 1)


class Attention(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)

    @torch.no_grad()
    def start_like_trained_ones(self):
        """Trockman & Kolter 2023: queries times keys near +1, values times projection near -1, which learns faster."""
        width = self.proj.in_features
        size = width // HEADS
        noise = torch.randn(HEADS + 1, width, width) / width**0.5
        left, scales, right = torch.linalg.svd(0.7 * noise[:HEADS] + 0.7 * torch.eye(width))
        roots = scales[:, :size, None].sqrt()
        queries, keys, values = self.qkv.weight.split(width)
        queries.copy_((roots * left.mT[:, :size]).reshape(width, width))
        keys.copy_((roots * right[:, :size]).reshape(width, width))
        left, scales, right = torch.linalg.svd(0.4 * noise[HEADS] - 0.4 * torch.eye(width))
        values.copy_(scales.sqrt()[:, None] * right)
        self.proj.weight.copy_(left * scales.sqrt())

    def forward(self, x):
        count, tokens, width = x.shape
        q, k, v = self.qkv(x).reshape(count, tokens, 3, HEADS, width // HEADS).permute(2, 0, 3, 1, 4)
        return self.proj(functional.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(count, tokens, width))


class Mlp(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.fc1 = nn.Linear(width, 4 * width)
        self.fc2 = nn.Linear(4 * width, width)

    def forward(self, x):
        return self.fc2(functional.gelu(self.fc1(x)))


class TransformerBlock(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.norm1 = nn.LayerNorm(width, eps=1e-6)
        self.attn = Attention(width)
        self.norm2 = nn.LayerNorm(width, eps=1e-6)
        self.mlp = Mlp(width)

    def forward(self, x):
        x = x + self.attn(self.norm1(x))
        return x + self.mlp(self.norm2(x))


def grid_positions(side, width):
    """Sines and cosines of row and column at width/4 frequencies, [side * side, width]: where positions start."""
    angles = torch.arange(side)[:, None] * 30.0 ** -(torch.arange(width // 4) / (width // 4))
    waves = torch.cat([angles.sin(), angles.cos()], 1)
    return torch.cat([waves.repeat_interleave(side, 0), waves.repeat(side, 1)], 1)


class VisionTransformer(nn.Module):
    """A ViT (Dosovitskiy et al. 2021) of width 64, 4 blocks, patch 4, under timm's names."""

    def __init__(self, width=64, depth=4, patch=4):
        super().__init__()
        self.cls_token = nn.Parameter(0.02 * torch.randn(1, 1, width))
        self.pos_embed = nn.Parameter(torch.cat([torch.zeros(1, width), grid_positions(SIZE // patch, width)])[None])
        self.patch_embed = nn.Module()
        self.patch_embed.proj = nn.Conv2d(3, width, patch, patch)
        self.blocks = nn.Sequential(*[TransformerBlock(width) for _ in range(depth)])
        self.norm = nn.LayerNorm(width, eps=1e-6)
        self.head = nn.Linear(width, len(CLASSES))
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.trunc_normal_(module.weight, std=0.02 if module is self.head else 0.1)
                nn.init.zeros_(module.bias)
            if isinstance(module, Attention):
                module.start_like_trained_ones()

    def forward(self, x):
        return self.logits_and_tokens(x)[0]

    def logits_and_tokens(self, x):
        """Logits, and the tokens of the patches after each block, [N, depth, 64, width]."""
        x = self.patch_embed.proj(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.cls_token.expand(len(x), -1, -1), x], 1) + self.pos_embed
        tokens = []
        for block in self.blocks:
            x = block(x)
            tokens.append(x[:, 1:])
        return self.head(self.norm(x)[:, 0]), torch.stack(tokens, 1)


NETWORKS = {"demo-resnet": CifarResNet, "demo-vit": VisionTransformer}


def read_pictures(folder):
    """Pictures uint8 [N, 3, 32, 32] and labels [N]; the classes in turn, so that a prefix holds all of them alike."""
    folders = sorted(path for path in folder.iterdir() if path.is_dir())
    columns = [sorted(path.glob("*.png")) for path in folders]
    if [path.name.split("-")[-1] for path in folders] != CLASSES or len({len(column) for column in columns}) != 1:
        raise SystemExit(f"{folder}: wants one folder for each of {', '.join(CLASSES)}, with equally many PNG files")
    paths = [path for row in zip(*columns) for path in row]
    pictures = numpy.stack([numpy.asarray(Image.open(path).convert("RGB")) for path in paths])
    labels = torch.arange(len(CLASSES)).repeat(len(columns[0]))
    return torch.from_numpy(pictures).permute(0, 3, 1, 2).contiguous(), labels


def network_input(pictures):
    return ((pictures.float() / 255 - MEAN) / DEVIATION).contiguous(memory_format=torch.channels_last)


def vary(pictures, maps):
    """One of the six orders of channels, and one of the eight symmetries of the square for pictures and maps alike; the
    same for a whole batch."""
    pictures = pictures[:, torch.randperm(3)]
    if torch.rand(()) < 0.5:
        pictures, maps = pictures.flip(-1), maps.flip(-1)
    turns = int(torch.randint(4, ()))
    return pictures.rot90(turns, (-2, -1)), maps.rot90(turns, (-2, -1))


def confidences(network, pictures, labels):
    """Accuracy, and the probability of the predicted class of every picture."""
    network.eval()
    with torch.no_grad():
        logits = torch.cat([network(network_input(part)) for part in pictures.split(250)])
    confidence, prediction = logits.double().softmax(1).max(1)
    return (prediction == labels).double().mean().item(), confidence


def report(network, pictures, labels):
    accuracy, confidence = confidences(network, pictures, labels)
    unsure = ((confidence >= 0.5) & (confidence <= 0.99)).double().mean().item()
    return (f"{len(labels)} pictures: accuracy {100 * accuracy:.2f} %, {100 * unsure:.1f} % of the confidences in "
            f"[0.5, 0.99], median {confidence.median().item():.3f}")


class Hints(nn.Module):
    """How far the ViT's second and third block are from a trained ResNet's last two, patch by patch and through a linear
    map of their own (FitNets, Romero et al. 2015): a ViT that small learns the figures from labels alone only slowly."""

    def __init__(self, width=64, channels=64):
        super().__init__()
        self.maps = nn.ModuleList([nn.Sequential(nn.LayerNorm(width), nn.Linear(width, channels)) for _ in range(2)])

    def forward(self, tokens, features):
        wanted = features.flatten(3).transpose(2, 3)  # [N, 2, 64, channels]
        return sum(functional.mse_loss(self.maps[k](tokens[:, 1 + k]), wanted[:, k]) for k in range(2))


@torch.no_grad()
def teacher_features(teacher, pictures):
    """Feature maps of all pictures, every channel of variance 1, as float16."""
    teacher.eval()
    maps = torch.cat([teacher.feature_maps(network_input(part)).half() for part in pictures.split(250)])
    return maps / maps[:1000].float().std((0, 3, 4), keepdim=True).clamp_min(1e-3).half()


def optimizer_of(name, network):
    if name == "demo-resnet":
        return torch.optim.SGD(network.parameters(), 0.1, momentum=0.9, weight_decay=5e-4, nesterov=True)
    decayed = [parameter for parameter in network.parameters() if parameter.dim() == 2]
    others = [parameter for parameter in network.parameters() if parameter.dim() != 2]
    groups = [{"params": decayed, "weight_decay": 0.05}, {"params": others, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, 1.5e-3, betas=(0.9, 0.99))


def train(name, network, pictures, labels, held_out, epochs, batch, teacher):
    """Learning rate: linear warm-up over the first twentieth, then a cosine to zero."""
    hints = Hints() if teacher else None
    features = teacher_features(teacher, pictures) if teacher else torch.empty(len(labels), 1, 1, 1)
    optimizer = optimizer_of(name, nn.ModuleList([network, hints]) if teacher else network)
    steps = epochs * (len(labels) // batch)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: min(1.0, 20 * (step + 1) / steps) * 0.5 * (1 + math.cos(math.pi * step / steps)))
    start = time.monotonic()
    for epoch in range(epochs):
        network.train()
        order = torch.randperm(len(labels))
        for chosen in order[: len(labels) // batch * batch].split(batch):
            images, wanted = vary(pictures[chosen], features[chosen])
            if hints:
                logits, tokens = network.logits_and_tokens(network_input(images))
                loss = hints(tokens, wanted.float())
            else:
                logits, loss = network(network_input(images)), 0
            loss = loss + functional.cross_entropy(logits, labels[chosen], label_smoothing=LABEL_SMOOTHING)
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            optimizer.step()
            schedule.step()
        print(f"epoch {epoch + 1}, {time.monotonic() - start:.0f} s: {report(network, *held_out)}", flush=True)


def half_precision(network):
    """The network's tensors as float16, also put back into it, so that what is measured is what is saved."""
    state = {key: value.half().contiguous() for key, value in network.state_dict().items()
             if not key.endswith("num_batches_tracked")}
    network.load_state_dict(state, strict=False)
    return state


def new_network(name):
    return NETWORKS[name]().to(memory_format=torch.channels_last)


def load(name, file):
    network = new_network(name)
    state = safetensors.torch.load_file(file)
    network.load_state_dict({key: value.float() for key, value in state.items()}, strict=False)
    return network


def metadata(name):
    preprocessing = {"input_size": SIZE, "resize": SIZE, "interpolation": "bilinear", "crop": SIZE,
                     "mean": [MEAN] * 3, "std": [DEVIATION] * 3}
    described = {"architecture": "cifar_resnet14" if name == "demo-resnet" else "vit",
                 "preprocessing": json.dumps(preprocessing), "classes": json.dumps(CLASSES),
                 "source": "trained by weights/demo/train.py of blindspot on pictures that blindspot draws",
                 "license": "Apache-2.0", "format": "pt"}
    return described | ({"heads": str(HEADS)} if name == "demo-vit" else {})


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("network", choices=NETWORKS)
    parser.add_argument("--held-out", type=pathlib.Path, required=True, help="folder of pictures to measure on")
    parser.add_argument("--train", type=pathlib.Path, help="folder of pictures to train on; else FILE is measured")
    parser.add_argument("--teacher", type=pathlib.Path, help="weight file of a trained demo-resnet, to train demo-vit")
    parser.add_argument("--start", type=pathlib.Path, help="weight file to go on from")
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--batch", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("file", type=pathlib.Path, metavar="FILE", help="weight file to write, or to measure")
    arguments = parser.parse_args()

    torch.set_num_threads(arguments.threads)
    torch.manual_seed(arguments.seed)
    network = load(arguments.network, arguments.start) if arguments.start else new_network(arguments.network)
    held_out = read_pictures(arguments.held_out)
    if arguments.train:
        teacher = load("demo-resnet", arguments.teacher) if arguments.teacher else None
        train(arguments.network, network, *read_pictures(arguments.train), held_out, arguments.epochs, arguments.batch,
              teacher)
        safetensors.torch.save_file(half_precision(network), arguments.file, metadata(arguments.network))
    else:
        network = load(arguments.network, arguments.file)
    print(f"{arguments.file}, {arguments.file.stat().st_size} bytes: {report(network, *held_out)}")


if __name__ == "__main__":
    main()
