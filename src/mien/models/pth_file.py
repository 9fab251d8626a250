"""Reads the tensors of a PyTorch checkpoint without PyTorch, and without running what it holds.

A `.pth` file is a pickle, which can name any function of any installed package, to be called as it
is read. The reader here knows four names, those of which a dictionary of tensors consists, and
refuses a file with another. It reads the format that PyTorch wrote up to 1.5, `_legacy_save` of
`torch.serialization`: a magic number, the format's version, sizes of the writer's numbers, the
dictionary, the keys of the storages in the order in which they follow, and these, each after its
count of values.
"""

from __future__ import annotations

import pickle
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mien.core.errors import ModelError

_MAGIC_NUMBER = 0x1950A86A20F9469CFC6C
_VERSION = 1001


def read_tensors(path: Path) -> dict[str, NDArray[Any]]:
    """Read a dictionary of tensors, such as `torch.save(model.state_dict(), path)` wrote.

    Args:
        path: A file in PyTorch's format up to 1.5.

    Returns:
        The tensors by name, float32 or int64.

    Raises:
        ModelError: if the file is not such a one, holds anything but tensors, or is not whole.
    """
    file = BytesIO(path.read_bytes())
    try:
        if _load(file) != _MAGIC_NUMBER or _load(file) != _VERSION:
            raise pickle.UnpicklingError("the magic number or the version is another")
        _load(
            file
        )  # Sizes and byte order of the writer's numbers: little-endian on all of today's.
        named = _load(file)
        storages = {key: _read_storage(file, named, key) for key in _load(file)}
        if file.read(1):
            raise ValueError("it goes on after its last values")
        return {name: tensor.taken_from(storages) for name, tensor in named.items()}
    # What `pickle` raises at a damaged file can be any of these.
    except (
        pickle.UnpicklingError,
        ValueError,
        TypeError,
        KeyError,
        IndexError,
        AttributeError,
        EOFError,
    ) as error:
        raise ModelError(
            f"{path} is not a checkpoint that mien reads, or is not whole: {error}. Expected a "
            "dictionary of tensors in PyTorch's format up to 1.5."
        ) from error


@dataclass(frozen=True, slots=True)
class _Storage:
    """Values that lie further on in the file."""

    key: str
    dtype: str
    count: int


@dataclass(frozen=True, slots=True)
class _Tensor:
    """A part of a storage; the offset and the strides count values."""

    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]

    def taken_from(self, storages: dict[str, NDArray[Any]]) -> NDArray[Any]:
        values = storages[self.storage.key]
        steps = [(size - 1) * step for size, step in zip(self.shape, self.strides, strict=True)]
        lowest, last = min((self.offset, *self.shape, *self.strides)), self.offset + sum(steps)
        if lowest < 0 or last >= len(values):
            raise ValueError(
                f"a tensor of shape {self.shape} reaches beyond the {len(values):,} values that it "
                "is a part of"
            )
        strides = [step * values.itemsize for step in self.strides]
        return np.lib.stride_tricks.as_strided(values[self.offset :], self.shape, strides).copy()


def _rebuild_tensor(
    storage: _Storage, offset: int, shape: tuple[int, ...], strides: tuple[int, ...], *_: object
) -> _Tensor:
    """In the place of `torch._utils._rebuild_tensor_v2`."""
    return _Tensor(storage, offset, tuple(shape), tuple(strides))


_KNOWN: dict[tuple[str, str], Callable[..., Any] | str] = {
    ("collections", "OrderedDict"): OrderedDict,
    ("torch._utils", "_rebuild_tensor_v2"): _rebuild_tensor,
    ("torch", "FloatStorage"): "<f4",
    ("torch", "LongStorage"): "<i8",
}


class _TensorUnpickler(pickle.Unpickler):
    """An unpickler that calls nothing but `_KNOWN`."""

    def find_class(self, module_name: str, global_name: str) -> Any:
        try:
            return _KNOWN[module_name, global_name]
        except KeyError:
            raise pickle.UnpicklingError(
                f"it asks for {module_name}.{global_name}, which no tensor needs"
            ) from None

    def persistent_load(self, pid: Any) -> _Storage:
        kind, dtype, key, _, count, view = pid
        if kind != "storage" or view is not None:
            raise pickle.UnpicklingError(f"it refers to {pid!r}, expected a whole storage")
        return _Storage(key, dtype, count)


def _load(file: BytesIO) -> Any:
    return _TensorUnpickler(file).load()


def _read_storage(file: BytesIO, named: dict[str, _Tensor], key: str) -> NDArray[Any]:
    storage = next(tensor.storage for tensor in named.values() if tensor.storage.key == key)
    count = int.from_bytes(file.read(8), "little")
    if count != storage.count:
        raise ValueError(f"the storage {key} has {count:,} values, expected {storage.count:,}")
    size = count * np.dtype(storage.dtype).itemsize
    content = file.read(size)
    if len(content) < size:
        raise ValueError(f"it ends within the storage {key}")
    return np.frombuffer(content, storage.dtype)
