"""dlib's network: its file is read to the last byte, and the network computes what dlib does."""

from collections.abc import Callable
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

keras = pytest.importorskip("keras", reason="needs mien[train]")

from mien.core.errors import ModelError
from mien.core.preprocess import scale_pixels
from mien.data.synthetic import synthetic_dataset
from mien.models import dlib_resnet
from mien.models.build import build_network, join_heads, to_plain_float32
from mien.models.config import DlibResNetConfig
from mien.models.dlib_file import Convolution, read_dlib_file
from mien.models.pretrained import find_weights

ONE_BLOCK = DlibResNetConfig(family="dlib_resnet", pretrained=True, blocks=1, side=48, dropout=0.0)
DENSE_OFFSET = 22_334_922
DLIB_DESCRIPTOR = (-0.08159, 0.05832, 0.01855, -0.0471, -0.08428, -0.05969, -0.0123, -0.03792)
PUBLISHED = find_spec("face_recognition_models") is not None


def number(value: int) -> bytes:
    count = max(1, (value.bit_length() + 7) // 8)
    return bytes([count]) + value.to_bytes(count, "little")


def numbers(*values: int) -> bytes:
    return b"".join(number(value) for value in values)


def text(value: str) -> bytes:
    return number(len(value)) + value.encode()


def tensor(values: np.ndarray) -> bytes:
    return numbers(2, values.size, 1, 1, 1) + values.astype("<f4").tobytes()


CACHES = b"110" + numbers(2, 0, 0, 0, 0) * 3


def write_dlib_file(path: Path, convolutions: list[Convolution]) -> None:
    """Write convolutions as dlib would, with a layer of each other kind after the first."""
    content = number(1) + text("loss_metric_2") + numbers(1, 0) * 2 + numbers(2, 1, 3)
    content += text("input_rgb_image_sized") + numbers(1, 0) * 3 + numbers(150, 150)
    for index, convolution in enumerate(convolutions):
        height, width, channels, filters = convolution.kernel.shape
        kernel = convolution.kernel.transpose(3, 2, 0, 1).ravel()
        content += text("con_4") + tensor(np.concatenate([kernel, convolution.bias]))
        content += numbers(filters, height, width, 1, 1, 0, 0)
        content += numbers(1, filters, channels, height, width) + numbers(1, 1, filters, 1, 1)
        content += numbers(1, 0) * 4 + CACHES + (number(1) if index == 0 else b"")
        content += text("affine_") + tensor(np.concatenate([convolution.scale, convolution.offset]))
        content += numbers(1, 1, filters, 1, 1) * 2 + number(0) + CACHES
    content += text("relu_") + CACHES + text("max_pool_2") + numbers(3, 3, 2, 2, 0, 0) + CACHES
    content += text("add_prev_") + CACHES + text("avg_pool_2") + numbers(0, 0, 1, 1, 0, 0) + CACHES
    content += text("fc_2") + numbers(2, 4) + tensor(np.ones(8)) + numbers(1, 4, 2, 1, 1)
    content += numbers(1, 0, 0, 0, 0) + number(1) + numbers(1, 0) * 4 + CACHES
    path.write_bytes(content)


def random_convolution(
    random: np.random.Generator, side: int, channels: int, filters: int
) -> Convolution:
    kernel = random.normal(0, 1 / (side * channels**0.5), (side, side, channels, filters))
    bias, offset = random.normal(0, 0.3, (2, filters))
    scale = random.uniform(0.5, 2, filters)
    return Convolution(*(a.astype(np.float32) for a in (kernel, bias, scale, offset)))


@pytest.fixture
def convolutions() -> list[Convolution]:
    random = np.random.default_rng(0)
    return [random_convolution(random, *shape) for shape in ((7, 3, 32), (3, 32, 32), (3, 32, 32))]


def test_a_file_is_read_as_it_was_written(tmp_path: Path, convolutions: list[Convolution]) -> None:
    write_dlib_file(tmp_path / "net.dat", convolutions)
    found = read_dlib_file(tmp_path / "net.dat")
    assert len(found) == len(convolutions)
    for one, other in zip(found, convolutions, strict=True):
        for name in ("kernel", "bias", "scale", "offset"):
            np.testing.assert_array_equal(getattr(one, name), getattr(other, name))


@pytest.mark.parametrize(
    ("damage", "named"),
    [
        (lambda content: content[:-9], "found the end of the file"),
        (lambda content: content[:1000], "found the end of the file"),
        (lambda content: content + b"\x01\x05thing", "found a layer 'thing'|found the end"),
        (lambda content: content.replace(b"metric", b"binary"), "found another network"),
        (lambda content: content.replace(numbers(32, 7, 7), numbers(32, 7, 6)), "a convolution of"),
        (lambda content: content.replace(b"affine_", b"bn_con2"), "found a layer 'bn_con2'"),
        (lambda _: b"", "found the end of the file"),
    ],
    ids=["end cut", "cut", "goes on", "loss", "shape", "layer", "empty"],
)
def test_a_file_that_is_not_whole_is_refused(
    tmp_path: Path, convolutions: list[Convolution], damage: Callable[[bytes], bytes], named: str
) -> None:
    path = tmp_path / "net.dat"
    write_dlib_file(path, convolutions)
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(ModelError, match=named):
        read_dlib_file(path)


def test_fresh_normalization_leaves_the_function_as_it_was(
    convolutions: list[Convolution],
) -> None:
    faces_u8 = synthetic_dataset(64, seed=3).faces_u8
    names = list(dlib_resnet.convolution_names(ONE_BLOCK.blocks))
    network = build_network(ONE_BLOCK, vote_head=True)
    model = join_heads(network)
    dlib_resnet.set_weights(model, names, convolutions)
    faces = scale_pixels(faces_u8)
    before = model.predict(faces, verbose=0)
    dlib_resnet.take_statistics(model, names, faces_u8)
    np.testing.assert_allclose(model.predict(faces, verbose=0), before, atol=1e-4)
    # In training the layers go by their batch, and the function is still the same.
    np.testing.assert_allclose(model(faces, training=True), before, atol=1e-3)
    plain = join_heads(to_plain_float32(network))
    np.testing.assert_allclose(plain.predict(faces, verbose=0), before, atol=1e-4)


def test_kernels_are_as_large_as_fresh_ones(convolutions: list[Convolution]) -> None:
    tiny = [
        replace(each, kernel=each.kernel * np.float32(1e-3), scale=each.scale * np.float32(1e3))
        for each in convolutions
    ]
    names = list(dlib_resnet.convolution_names(ONE_BLOCK.blocks))
    model = build_network(ONE_BLOCK, vote_head=True)
    fresh = {name: np.std(model.get_layer(name).get_weights()[0]) for name in names}
    dlib_resnet.set_weights(model, names, tiny)
    # A step of a learning rate that suits fresh kernels would replace smaller ones.
    for name in names:
        assert np.std(model.get_layer(name).get_weights()[0]) == pytest.approx(fresh[name], rel=0.1)


def test_grey_counts_in_all_three_channels(convolutions: list[Convolution]) -> None:
    model = build_network(ONE_BLOCK)
    names = list(dlib_resnet.convolution_names(ONE_BLOCK.blocks))
    dlib_resnet.set_weights(model, names, convolutions)
    face_u8 = synthetic_dataset(1, seed=3).faces_u8
    stem = keras.Model(model.inputs[0], model.get_layer("stem_normalized").output)
    found = stem.predict(scale_pixels(face_u8), verbose=0)[0]

    colours = np.repeat(face_u8[0, :, :, np.newaxis], 3, axis=2)
    seen = (colours - np.array(dlib_resnet.CHANNEL_MEANS)) / dlib_resnet.INPUT_SCALE
    first = convolutions[0]
    corner = np.einsum("hwi,hwio->o", seen[2:9, 4:11], first.kernel)
    expected = first.scale * (corner + first.bias) + first.offset
    np.testing.assert_allclose(found[1, 2], expected, rtol=1e-3, atol=1e-4)


@pytest.mark.skipif(not PUBLISHED, reason="needs mien[pretrained]")
def test_the_published_network_tells_people_apart_as_dlib_does() -> None:
    path = find_weights(dlib_resnet.PACKAGE, dlib_resnet.FILE, dlib_resnet.SHA256)
    side, blocks = 150, 14
    inputs = keras.Input((side, side, 1))
    config = ONE_BLOCK.model_copy(update={"side": side, "blocks": blocks})
    model = keras.Model(inputs, dlib_resnet.build(config, inputs))
    names = list(dlib_resnet.convolution_names(blocks))
    dlib_resnet.set_weights(model, names, read_dlib_file(path))
    y, x = np.mgrid[:side, :side]
    picture = (x * 2 + y * y // 50 + 37 * ((x // 19 + y // 11) % 3)) % 256
    features = model.predict(picture[np.newaxis, :, :, np.newaxis] / 255, verbose=0)
    # The 256 × 128 weights of the dense layer, which mien does not read.
    dense = np.frombuffer(path.read_bytes(), "<f4", 256 * 128, offset=DENSE_OFFSET)
    descriptor = (features @ dense.reshape(256, 128))[0]
    # dlib 20.0.1: face_recognition_model_v1.compute_face_descriptor of this picture.
    np.testing.assert_allclose(descriptor[:8], DLIB_DESCRIPTOR, atol=2e-5)
