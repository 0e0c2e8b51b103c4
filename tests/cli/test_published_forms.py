"""Whole small networks in the forms in which projects publish theirs: each gives the very logits of its plain form, a
safetensors file under the names of torchvision or timm. The files are made here, of the built-in networks."""
import argparse
import collections
import json
import os
import pathlib
import re
import unittest

from program import ProgramTest, read_safetensors, run, write_tensors
from torch_files import Call, DEVICE, SCALAR_OF_NUMPY_2, Storage, Tensor, numpy_array, numpy_scalar, save_legacy, save_zip

DEMO = pathlib.Path(__file__).resolve().parents[2] / "weights" / "demo"
# What a plain file does not tell of the built-in networks.
NUMBERS = ("--mean", "0.5,0.5,0.5", "--std", "0.25,0.25,0.25", "--input-size", "32", "--interpolation", "bilinear")
INPUT = (*NUMBERS, "--resize", "32")
HEADS = ("--heads", "4")

TORCHVISION_TRANSFORMER = (
    (r"^cls_token$", "class_token"), (r"^pos_embed$", "encoder.pos_embedding"), (r"^patch_embed\.proj\.", "conv_proj."),
    (r"^norm\.", "encoder.ln."), (r"^head\.", "heads.head."), (r"^blocks\.(\d+)\.", r"encoder.layers.encoder_layer_\1."),
    (r"\.norm(\d)\.", r".ln_\1."), (r"\.attn\.qkv\.", ".self_attention.in_proj_"),
    (r"\.attn\.proj\.", ".self_attention.out_proj."))
NEW_MLP = ((r"\.mlp\.fc1\.", ".mlp.0."), (r"\.mlp\.fc2\.", ".mlp.3."))
OLD_MLP = ((r"\.mlp\.fc(\d)\.", r".mlp.linear_\1."),)

HUGGING_FACE_TRANSFORMER = (
    (r"^(cls_token)$", r"vit.embeddings.\1"), (r"^pos_embed$", "vit.embeddings.position_embeddings"),
    (r"^patch_embed\.proj\.", "vit.embeddings.patch_embeddings.projection."), (r"^norm\.", "vit.layernorm."),
    (r"^head\.", "classifier."), (r"^blocks\.(\d+)\.", r"vit.encoder.layer.\1."), (r"\.norm1\.", ".layernorm_before."),
    (r"\.norm2\.", ".layernorm_after."), (r"\.attn\.proj\.", ".attention.output.dense."),
    (r"\.mlp\.fc1\.", ".intermediate.dense."), (r"\.mlp\.fc2\.", ".output.dense."))


def renamed(tensors, renamings):
    made = {}
    for name, tensor in tensors.items():
        for pattern, replacement in renamings:
            name = re.sub(pattern, replacement, name)
        made[name] = tensor
    assert len(made) == len(tensors)
    return made


def pickled_tensors(tensors, prefix=""):
    return collections.OrderedDict((prefix + name, Tensor(shape, values)) for name, (shape, values) in tensors.items())


def spoilt(tensors):
    """The same network with other numbers, as a copy that must not be taken for it."""
    return {name: (shape, [value / 2 for value in values]) for name, (shape, values) in tensors.items()}


def optimizer_state(tensors):
    """As torch.optim writes it: whole numbers as keys, and tensors of its own."""
    return {"state": {number: {"step": number, "momentum_buffer": Tensor(shape, [0.5] * len(values)), "exp_avg": None}
                      for number, (shape, values) in enumerate(tensors.values())},
            "param_groups": [{"lr": 0.1, "betas": (0.9, 0.999), "nesterov": False, "params": list(range(len(tensors)))}]}


class PublishedForms(ProgramTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.images = [sorted(cls.pictures.glob(f"{number}-*/0000.png"))[0] for number in (0, 3, 7)]
        cls.plain = {}
        for name in ("demo-resnet", "demo-vit"):
            converted = cls.class_folder / f"{name}-converted.safetensors"
            result = run("weights", "convert", DEMO / f"{name}.safetensors", "-o", converted)
            assert result.returncode == 0, result.stderr.decode()
            cls.plain[name] = read_safetensors(converted)
            write_tensors(cls.class_folder / f"{name}.safetensors", cls.plain[name])
        result = run("weights", "random", "wrn_10_1", "--seed", 3, "-o", cls.class_folder / "wrn.safetensors")
        assert result.returncode == 0, result.stderr.decode()
        cls.plain["wrn"] = read_safetensors(cls.class_folder / "wrn.safetensors")

    def classified(self, model, *options):
        document = self.document("classify", "classify", model, *self.images, *options)
        return document["model"], [image["logits"] for image in document["images"]]

    def assert_is(self, name, file, *options, plain_options=None):
        """The plain form's logits, bit by bit, and its tensors."""
        model, logits = self.classified(file, *options)
        expected_model, expected = self.classified(self.class_folder / f"{name}.safetensors",
                                                   *(options if plain_options is None else plain_options))
        self.assertEqual(logits, expected)
        self.assertEqual(model["weights_sha256"], expected_model["weights_sha256"])
        self.assertEqual(model["architecture"], expected_model["architecture"])
        self.assertEqual(model["preprocessing"], expected_model["preprocessing"])
        # Logits that are no constants: another network's would not pass for these.
        self.assertNotEqual(logits[0], logits[1])
        self.assertGreater(max(logits[0]) - min(logits[0]), 0.1)

    def test_the_plain_forms_are_the_built_in_networks(self):
        for name, heads in (("demo-resnet", ()), ("demo-vit", HEADS)):
            _, built_in = self.classified(name)
            self.assertEqual(self.classified(self.class_folder / f"{name}.safetensors", *INPUT, *heads)[1], built_in)

    def test_torchvision_transformers_by_their_old_and_their_new_names(self):
        for mlp in (OLD_MLP, NEW_MLP):
            tensors = renamed(self.plain["demo-vit"], TORCHVISION_TRANSFORMER + mlp)
            self.assertIn("encoder.layers.encoder_layer_0.mlp." + ("linear_1" if mlp is OLD_MLP else "0") + ".weight",
                          tensors)
            for save in (save_zip, save_legacy):
                with self.subTest(mlp=mlp, save=save.__name__):
                    file = self.folder / "vit_b_16-00000000.pth"
                    save(file, pickled_tensors(tensors))
                    self.assert_is("demo-vit", file, *INPUT, *HEADS)

    def robustness_checkpoint(self, name, attacker_shares):
        """As MadryLab's `robustness` writes it (Salman2020): the network, the attacker's copy, a normaliser in each."""
        network, model = self.plain[name], {}
        for tensor, (shape, values) in network.items():
            storage = Storage(values)
            copy = storage if attacker_shares else Storage([0] * len(values))
            model["module.model." + tensor] = Tensor(shape, storage)
            model["module.attacker.model." + tensor] = Tensor(shape, copy)
            if tensor.endswith("running_var"):
                counted = tensor.replace("running_var", "num_batches_tracked")
                model["module.model." + counted] = Tensor((), [7])
        for normaliser in ("module.normalizer.", "module.attacker.normalize."):
            model[normaliser + "new_mean"] = Tensor((3, 1, 1), [0.485, 0.456, 0.406])
            model[normaliser + "new_std"] = Tensor((3, 1, 1), [0.229, 0.224, 0.225])
        schedule = {"milestones": collections.Counter({30: 1, 60: 1}), "gamma": 0.1, "last_epoch": 90, "lr_lambdas": [None]}
        return {"model": collections.OrderedDict(model), "optimizer": optimizer_state(network), "schedule": schedule,
                "epoch": 90, "amp": None, "prec1": Tensor((), [47.9])}

    def test_the_attackers_copies_and_normalisers_of_robustness(self):
        for shares in (True, False):
            for save in (save_zip, save_legacy):
                with self.subTest(shares=shares, save=save.__name__):
                    file = self.folder / "resnet_linf_eps4.0.ckpt"
                    save(file, self.robustness_checkpoint("demo-resnet", shares))
                    self.assert_is("demo-resnet", file)
                    self.assert_is("demo-resnet", file, *INPUT)

    def test_a_normalisers_numbers_are_said_to_be_assumed_and_not_silently_taken_or_left(self):
        file = self.folder / "resnet_linf_eps4.0.ckpt"
        save_zip(file, self.robustness_checkpoint("demo-resnet", True))
        message = self.succeed("classify", file, self.images[0]).stderr.decode()
        self.assertIn("mean", message)
        self.assertIn("assumed", message)

    def test_a_training_checkpoint_of_deit(self):
        network = self.plain["demo-vit"]
        arguments = argparse.Namespace(batch_size=64, model="deit_tiny_patch16_224", drop=0.0, clip_grad=None, color_jitter=0.4,
                                       opt_betas=[0.9, 0.999], data_path="/data/imagenet", device=Call(DEVICE, ("cuda", 0)),
                                       repeated_aug=True, seed=2 ** 70, nested=argparse.Namespace(world_size=8))
        arguments.itself = arguments
        checkpoint = {
            "model": pickled_tensors(network), "optimizer": optimizer_state(network),
            "lr_scheduler": {"milestones": collections.Counter({30: 1}), "base_values": [5e-4], "t_initial": 300},
            "epoch": 299, "args": arguments, "model_ema": pickled_tensors(spoilt(network)),
            "scaler": {"scale": 65536.0, "growth_factor": 2.0, "backoff_factor": 0.5, "_growth_tracker": 1},
            "max_accuracy": numpy_scalar(72.2), "best": numpy_scalar(72.2, SCALAR_OF_NUMPY_2),
            "history": [numpy_scalar(0.5), numpy_array([1.0, 2.0]), {1, 2}, b"\x00\xff"],
            7: {"keys": "of any type"}, (1, 2): None, None: 1.5}
        for save in (save_zip, save_legacy):
            for protocol in (2, 3, 4, 5):
                with self.subTest(save=save.__name__, protocol=protocol):
                    file = self.folder / "checkpoint.pth"
                    save(file, checkpoint, protocol)
                    self.assert_is("demo-vit", file, *INPUT, *HEADS)
                    file.unlink()

    def test_what_such_a_checkpoint_would_run_is_refused_and_not_run(self):
        sign = self.folder / "was-run"
        for where in ("args", "optimizer"):
            for save in (save_zip, save_legacy):
                with self.subTest(where=where, save=save.__name__):
                    checkpoint = {"model": pickled_tensors(self.plain["demo-vit"]), where: Call(os.system, (f"touch {sign}",))}
                    file = self.folder / "checkpoint.pth"
                    save(file, checkpoint)
                    self.assert_refused(run("classify", file, self.images[0]), {3}, "checkpoint.pth", "posix.system")
                    self.assertFalse(sign.exists())

    def test_the_network_itself_is_taken_and_not_its_averaged_copy(self):
        # timm: state_dict and state_dict_ema; DeiT: model and model_ema. Whichever of them stands first.
        network = self.plain["demo-resnet"]
        for key, averaged_key in (("state_dict", "state_dict_ema"), ("model", "model_ema")):
            for averaged_first in (False, True):
                with self.subTest(key=key, averaged_first=averaged_first):
                    parts = [(key, pickled_tensors(network)), (averaged_key, pickled_tensors(spoilt(network)))]
                    checkpoint = {"epoch": 1, "arch": "cifar_resnet14", "version": 2, "metric": numpy_scalar(91.5)}
                    checkpoint.update(reversed(parts) if averaged_first else parts)
                    file = self.folder / "last.pth.tar"
                    save_zip(file, checkpoint)
                    self.assert_is("demo-resnet", file, *INPUT)

    def test_wrappers_of_robustbench(self):
        for name, buffers in (("wrn", ("mu", "sigma")), ("wrn", ("mean", "std")),
                              ("demo-resnet", ("normalize.mean", "normalize.std")),
                              ("demo-resnet", ("mu", "sigma"))):
            for prefix in ("model.", "module.model.", "module."):
                with self.subTest(name=name, buffers=buffers, prefix=prefix):
                    tensors = pickled_tensors(self.plain[name], prefix)
                    outer = "module." if prefix == "module.model." else ""
                    for buffer, value in zip(buffers, (0.4914, 0.2471)):
                        tensors[outer + buffer] = Tensor((1, 3, 1, 1), [value] * 3)
                    if name == "wrn":  # TRADES and what builds on it: a copy of the first block that nothing uses
                        first = "block1.layer.0.conv1.weight"
                        shape, values = self.plain[name][first]
                        tensors[prefix + first.replace("block1", "sub_block1")] = Tensor(shape, values)
                    file = self.folder / "robust.pt"
                    save_zip(file, {"state_dict": tensors} if prefix == "module." else tensors)
                    self.assert_is(name, file)

    def hugging_face_folder(self, epsilon, classes, family="vit"):
        """The transformer with the first of its classes alone, and what the folder says beside it."""
        tensors = {}
        for name, (shape, values) in self.plain["demo-vit"].items():
            if name.startswith("head."):
                shape, values = [classes, *shape[1:]], values[:classes * len(values) // shape[0]]
            tensors[name] = (shape, values)
        split = {}
        renamings = (*HUGGING_FACE_TRANSFORMER, (r"^vit\.", f"{family}."))
        for name, (shape, values) in renamed(tensors, renamings).items():
            if ".attn.qkv." not in name:
                split[name] = (shape, values)
                continue
            for number, part in enumerate(("query", "key", "value")):
                size = len(values) // 3
                split[name.replace(".attn.qkv.", f".attention.attention.{part}.")] = (
                    [shape[0] // 3, *shape[1:]], values[number * size:(number + 1) * size])
        split[f"{family}.pooler.dense.weight"] = ([2, 2], [1, 2, 3, 4])
        folder = self.folder / f"{family}-{epsilon}"
        folder.mkdir()
        write_tensors(folder / "model.safetensors", split)
        (folder / "config.json").write_text(json.dumps({
            "architectures": [f"{'ViT' if family == 'vit' else 'DeiT'}ForImageClassification"], "num_attention_heads": 4, "layer_norm_eps": epsilon,
            "id2label": {str(k): f"class {k}" for k in range(classes)}, "hidden_act": "gelu", "image_size": 32}))
        (folder / "preprocessor_config.json").write_text(json.dumps({
            "do_resize": True, "size": {"height": 32, "width": 32}, "resample": 2, "do_normalize": True,
            "image_mean": [0.5, 0.5, 0.5], "image_std": [0.25, 0.25, 0.25], "image_processor_type": "ViTImageProcessor"}))
        return folder, tensors

    def plain_transformer(self, tensors, metadata):
        """Under timm's names, with what a folder says of itself in the metadata."""
        path = self.folder / "plain.safetensors"
        write_tensors(path, tensors)
        data = path.read_bytes()
        size = int.from_bytes(data[:8], "little")
        header = {"__metadata__": metadata, **json.loads(data[8:8 + size])}
        text = json.dumps(header).encode()
        path.write_bytes(len(text).to_bytes(8, "little") + text + data[8 + size:])
        return path

    def test_a_folder_of_hugging_face_with_an_epsilon_and_classes_of_its_own(self):
        found = {}
        for epsilon, family in ((1e-12, "vit"), (0.05, "deit")):
            with self.subTest(epsilon=epsilon, family=family):
                folder, tensors = self.hugging_face_folder(epsilon, 7, family)
                plain = self.plain_transformer(tensors, {"heads": "4", "layer_norm_epsilon": repr(epsilon)})
                model, found[epsilon] = self.classified(folder)
                plain_model, expected = self.classified(plain, *NUMBERS, "--resize", 0)
                self.assertEqual(found[epsilon], expected)
                self.assertEqual([len(logits) for logits in expected], [7, 7, 7])
                self.assertEqual(model["weights_sha256"], plain_model["weights_sha256"])
                self.assertEqual(model["preprocessing"], plain_model["preprocessing"])
                named = self.document("classify", "classify", folder, self.images[0])["images"][0]["top"][0]
                self.assertEqual(named["name"], f"class {named['class']}")
                # Nothing is assumed where the folder tells all.
                self.assertEqual(self.succeed("classify", folder, self.images[0], "--device", "cpu").stderr, b"")
        self.assertNotEqual(found[1e-12], found[0.05])

    def test_classes_that_do_not_fit_the_network_are_refused(self):
        folder, _ = self.hugging_face_folder(1e-12, 7)
        configuration = json.loads((folder / "config.json").read_text())
        configuration["id2label"]["7"] = "one too many"
        (folder / "config.json").write_text(json.dumps(configuration))
        self.assert_refused(run("classify", folder, self.images[0]), {3}, "names 8 classes", "has 7")


if __name__ == "__main__":
    unittest.main()
