"""Checkpoints of PyTorch's are read without it, and whatever else a pickle can do is refused."""

import pickle
from pathlib import Path

import numpy as np
import pytest

from mien.core.errors import ModelError
from mien.models.pth_file import read_tensors

MAGIC_NUMBER = 0x1950A86A20F9469CFC6C


class Global:
    """Pickles as a name of a module that need not be installed, or as a call of it."""

    def __init__(self, module: str, name: str, *arguments: object) -> None:
        self.line = f"c{module}\n{name}\n".encode()
        self.arguments = arguments


class Storage:
    """Pickles as a reference to values further on."""

    def __init__(self, key: str, values: np.ndarray) -> None:
        self.key, self.values = key, values
        kind = {"float32": "FloatStorage", "int64": "LongStorage"}[values.dtype.name]
        self.reference = ("storage", Global("torch", kind), key, "cpu", values.size, None)


def pickled(value: object) -> bytes:
    """The opcodes of a value of these kinds, as protocol 2 has them."""
    if isinstance(value, Storage):
        return pickled(value.reference) + b"Q"
    if isinstance(value, Global):
        call = pickled(value.arguments) + b"R" if value.arguments else b""
        return value.line + call
    if isinstance(value, tuple):
        return b"(" + b"".join(map(pickled, value)) + b"t"
    if isinstance(value, dict):
        items = b"".join(pickled(key) + pickled(item) for key, item in value.items())
        return b"}(" + items + b"u"
    return pickle.dumps(value, 2)[2:-1]


def tensor(
    storage: Storage, offset: int, shape: tuple[int, ...], strides: tuple[int, ...]
) -> Global:
    hooks = Global("collections", "OrderedDict")
    return Global(
        "torch._utils", "_rebuild_tensor_v2", storage, offset, shape, strides, False, hooks
    )


def write_pth(path: Path, named: object, storages: list[Storage]) -> None:
    parts = [MAGIC_NUMBER, 1001, {"little_endian": True}, named, [one.key for one in storages]]
    content = b"".join(b"\x80\x02" + pickled(part) + b"." for part in parts)
    for storage in storages:
        content += storage.values.size.to_bytes(8, "little") + storage.values.tobytes()
    path.write_bytes(content)


VALUES = Storage("94", np.arange(24, dtype=np.float32))
STEPS = Storage("17", np.array([5], np.int64))
NAMED = {
    "rows": tensor(VALUES, 0, (4, 6), (6, 1)),
    "columns": tensor(VALUES, 0, (6, 4), (1, 6)),
    "part": tensor(VALUES, 20, (4,), (1,)),
    "steps": tensor(STEPS, 0, (), ()),
}


def test_tensors_come_out_whatever_their_strides(tmp_path: Path) -> None:
    path = tmp_path / "net.pth"
    write_pth(path, NAMED, [STEPS, VALUES])
    found = read_tensors(path)
    rows = np.arange(24, dtype=np.float32).reshape(4, 6)
    expected = {"rows": rows, "columns": rows.T, "part": rows.ravel()[20:], "steps": np.array(5)}
    assert found.keys() == expected.keys()
    for name, array in expected.items():
        np.testing.assert_array_equal(found[name], array)


def test_nothing_of_the_file_is_called(tmp_path: Path) -> None:
    path, witness = tmp_path / "net.pth", tmp_path / "called"
    write_pth(path, {"evil": Global("os", "mkdir", str(witness))}, [])
    with pytest.raises(ModelError, match=r"net\.pth .* asks for os\.mkdir"):
        read_tensors(path)
    assert not witness.exists()


@pytest.mark.parametrize(
    ("named", "named_in_error"),
    [
        ({"a": tensor(VALUES, 1, (4, 6), (6, 1))}, "reaches beyond the 24 values"),
        ({"a": tensor(VALUES, -8, (4,), (1,))}, "reaches beyond"),
        ({"a": tensor(VALUES, 0, (4,), (-1,))}, "reaches beyond"),
        ({"a": 5}, "not a checkpoint"),
        (5, "not a checkpoint"),
    ],
    ids=["past the end", "before the start", "backwards", "no tensor", "no dictionary"],
)
def test_tensors_that_do_not_fit_are_refused(
    tmp_path: Path, named: object, named_in_error: str
) -> None:
    write_pth(tmp_path / "net.pth", named, [VALUES])
    with pytest.raises(ModelError, match=named_in_error):
        read_tensors(tmp_path / "net.pth")


@pytest.mark.parametrize("kept", [0, 1, 40, -100, -1])
def test_a_file_that_is_cut_is_refused(tmp_path: Path, kept: int) -> None:
    path = tmp_path / "net.pth"
    write_pth(path, NAMED, [STEPS, VALUES])
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(ModelError, match="not a checkpoint that mien reads, or is not whole"):
        read_tensors(path)
    write_pth(path, NAMED, [STEPS, VALUES])
    path.write_bytes(path.read_bytes() + b"more")
    with pytest.raises(ModelError, match="goes on after"):
        read_tensors(path)
