"""Writes what torch.save writes, by Python's own pickle module: tensors, numpy's scalars and arrays, any plain value, in
the zip and in the legacy form. torch and numpy are not needed: stand-ins bear their names while a file is written.
Python's standard library only."""
import array
import collections
import io
import pickle
import struct
import sys
import types
import unittest.mock
import zipfile

MAGIC_NUMBER = 0x1950a86a20f9469cfc6c


def function_named(module, name):
    """What pickle writes as module.name; calling it is an error, here as in the reader."""
    def function(*_):
        raise AssertionError(f"{module}.{name} was called")
    function.__module__, function.__name__, function.__qualname__ = module, name, name
    return function


def class_named(module, name):
    return type(name, (), {"__module__": module})


STAND_INS = [function_named("torch._utils", "_rebuild_tensor_v2"), class_named("torch", "FloatStorage"),
             function_named("torch", "device"), function_named("numpy.core.multiarray", "scalar"),
             function_named("numpy.core.multiarray", "_reconstruct"), class_named("numpy", "dtype"),
             class_named("numpy", "ndarray"), function_named("numpy._core.multiarray", "scalar")]
REBUILD_TENSOR, FLOAT_STORAGE, DEVICE, SCALAR, RECONSTRUCT, DTYPE, NDARRAY, SCALAR_OF_NUMPY_2 = STAND_INS


def stand_in_modules():
    modules = {}
    for stand_in in STAND_INS:
        path = stand_in.__module__.split(".")
        for depth in range(len(path)):
            modules.setdefault(".".join(path[:depth + 1]), types.ModuleType(".".join(path[:depth + 1])))
        setattr(modules[stand_in.__module__], stand_in.__name__, stand_in)
    return unittest.mock.patch.dict(sys.modules, modules)


class Call:
    """An object that pickles as a call of `function`, perhaps with a state to be set afterwards."""

    def __init__(self, function, arguments, state=None):
        self.parts = (function, arguments) if state is None else (function, arguments, state)

    def __reduce__(self):
        return self.parts


class Storage:
    """Numbers that one or several tensors lie in."""

    def __init__(self, values):
        self.values = array.array("f", values)


class Tensor:
    """A float32 tensor over the whole of a storage."""

    def __init__(self, shape, values):
        self.shape = tuple(shape)
        self.storage = values if isinstance(values, Storage) else Storage(values)

    def __reduce__(self):
        strides, size = [], 1
        for extent in reversed(self.shape):
            strides.insert(0, size)
            size *= extent
        return REBUILD_TENSOR, (self.storage, 0, self.shape, tuple(strides), False, collections.OrderedDict())


def numpy_type(code):
    """numpy.dtype(code) of little-endian numbers."""
    return Call(DTYPE, (code, False, True), (3, "<", None, None, None, -1, -1, 0))


def numpy_scalar(value, function=SCALAR):
    """numpy.float64(value)."""
    return Call(function, (numpy_type("f8"), struct.pack("<d", value)))


def numpy_array(values):
    return Call(RECONSTRUCT, (NDARRAY, (0,), b"b"),
                (1, (len(values),), numpy_type("f8"), False, struct.pack(f"<{len(values)}d", *values)))


class CheckpointPickler(pickle.Pickler):
    """Storages become persistent ids with a key of their own, in the order in which they are met."""

    def __init__(self, stream, protocol):
        super().__init__(stream, protocol)
        self.storages = {}

    def persistent_id(self, thing):
        if not isinstance(thing, Storage):
            return None
        key, _ = self.storages.setdefault(id(thing), (str(len(self.storages)), thing))
        return "storage", FLOAT_STORAGE, key, "cuda:0", len(thing.values)


def pickled(thing, protocol):
    """(the pickle, [(key, bytes of the storage)])."""
    stream = io.BytesIO()
    pickler = CheckpointPickler(stream, protocol)
    with stand_in_modules():
        pickler.dump(thing)
    return stream.getvalue(), [(key, storage.values) for key, storage in pickler.storages.values()]


def save_zip(path, thing, protocol=2):
    data, storages = pickled(thing, protocol)
    root = path.stem
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr(f"{root}/data.pkl", data)
        archive.writestr(f"{root}/byteorder", "little")
        for key, values in storages:
            archive.writestr(f"{root}/data/{key}", values.tobytes())
        archive.writestr(f"{root}/version", "3\n")


def save_legacy(path, thing, protocol=2):
    data, storages = pickled(thing, protocol)
    machine = {"protocol_version": 1001, "little_endian": True, "type_sizes": {"short": 2, "int": 4, "long": 4}}
    parts = [pickle.dumps(start, protocol) for start in (MAGIC_NUMBER, 1001, machine)]
    parts += [data, pickle.dumps([key for key, _ in storages], protocol)]
    parts += [struct.pack("<q", len(values)) + values.tobytes() for _, values in storages]
    path.write_bytes(b"".join(parts))
