"""Networks: the published shapes, the same numbers fused or plain, and both heads."""

from pathlib import Path

import numpy as np
import pytest

keras = pytest.importorskip("keras", reason="needs mien[train]")

from mien.core.labels import EMOTIONS, VOTE_CLASSES
from mien.models.build import build_network, count_multiply_adds, join_heads, to_plain_float32
from mien.models.config import ResidualConfig
from mien.models.heads import FEATURES, LABEL_HEAD, VOTE_HEAD
from mien.models.keras_file import heads_of, load_network, save_network
from mien.models.normalization import FusedBatchNormalization
from mien.training.config import load_experiment

EXPERIMENTS = Path(__file__).parents[2] / "experiments"
SMALL = ResidualConfig(
    family="residual", stem_filters=4, filters=[4, 8], blocks_per_stage=[1, 2], dropout=0.1
)


def random_faces(count: int) -> np.ndarray:
    """(count, 48, 48, 1) float32 in [0, 1]."""
    return np.random.default_rng(0).random((count, 48, 48, 1), dtype=np.float32)


@pytest.mark.parametrize(
    ("name", "convolutions", "parameters_in_millions"),
    [
        ("000_baseline", 2, 1.20),
        ("001_third_block", 3, 0.68),
        ("002_two_convolutions", 6, 0.88),
        ("003_spatial_dropout", 6, 1.47),
        ("004_fourth_block", 8, 1.77),
        ("005_global_average", 6, 0.32),
    ],
)
def test_the_published_history(name: str, convolutions: int, parameters_in_millions: float) -> None:
    model = build_network(load_experiment(EXPERIMENTS / f"{name}.toml").network)
    found = sum(isinstance(layer, keras.layers.Conv2D) for layer in model.layers)
    assert found == convolutions
    assert model.count_params() / 1e6 == pytest.approx(parameters_in_millions, abs=0.005)


@pytest.mark.parametrize("name", ["010_residual", "012_deeper", "015_squeeze_excitation"])
def test_the_compact_family_keeps_within_its_budget(name: str) -> None:
    model = build_network(load_experiment(EXPERIMENTS / f"{name}.toml").network)
    assert model.count_params() <= 2_000_000
    assert count_multiply_adds(model) <= 110_000_000


def test_multiply_adds_of_one_convolution_and_one_dense_layer() -> None:
    inputs = keras.Input((48, 48, 1))
    x = keras.layers.Conv2D(8, 3, strides=2, padding="same")(inputs)
    model = keras.Model(inputs, keras.layers.Dense(7)(keras.layers.Flatten()(x)))
    assert count_multiply_adds(model) == 24 * 24 * 8 * 9 + 24 * 24 * 8 * 7


@pytest.mark.parametrize("shape", [(32, 6), (32, 5, 5, 6)], ids=["dense", "convolution"])
def test_fused_batch_normalization_computes_what_keras_does(shape: tuple[int, ...]) -> None:
    inputs = np.random.default_rng(0).normal(3, 2, shape).astype(np.float32)
    fused, plain = FusedBatchNormalization(), keras.layers.BatchNormalization()
    for _ in range(3):
        found, expected = fused(inputs, training=True), plain(inputs, training=True)
        np.testing.assert_allclose(found, expected, atol=1e-4)
    for found, expected in zip(fused.get_weights(), plain.get_weights(), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-4)


def test_a_block_weighs_its_channels_by_what_the_whole_face_shows() -> None:
    model = build_network(SMALL.model_copy(update={"squeeze_reduction": 4}), any_size=True)
    multiplied = [layer for layer in model.layers if isinstance(layer, keras.layers.Multiply)]
    seen = keras.Model(model.input, [layer.input[1] for layer in multiplied])
    for side in (32, 48):
        weights = seen.predict(np.ones((2, side, side, 1), np.float32), verbose=0)
        assert [array.shape for array in weights] == [(2, 1, 1, 4), (2, 1, 1, 8), (2, 1, 1, 8)]
        assert all(((array > 0) & (array < 1)).all() for array in weights)


@pytest.mark.parametrize(("activation", "least"), [("relu", 0.0), ("silu", -0.2785)])
def test_silu_lets_a_little_below_0_through(activation: str, least: float) -> None:
    model = build_network(SMALL.model_copy(update={"activation": activation}))
    (pooled,) = (
        layer for layer in model.layers if isinstance(layer, keras.layers.GlobalAveragePooling2D)
    )
    lowest = keras.Model(model.input, pooled.input).predict(random_faces(8), verbose=0).min()
    assert least <= lowest
    assert (lowest < 0) == (activation == "silu")


@pytest.mark.parametrize(
    "change",
    [{}, {"squeeze_reduction": 4}, {"activation": "silu"}],
    ids=["as is", "squeeze", "silu"],
)
def test_a_plain_copy_in_float32_predicts_the_same(change: dict[str, object]) -> None:
    model = build_network(SMALL.model_copy(update=change))
    plain = to_plain_float32(model)
    assert not any(isinstance(layer, FusedBatchNormalization) for layer in plain.layers)
    faces = random_faces(4)
    expected = model.predict(faces, verbose=0)
    for name, found in plain.predict(faces, verbose=0).items():
        np.testing.assert_allclose(found, expected[name], atol=1e-6, err_msg=name)


def test_a_plain_copy_keeps_both_heads_and_what_they_read(tmp_path: Path) -> None:
    model = build_network(SMALL, vote_head=True)
    faces = random_faces(4)
    expected = model.predict(faces, verbose=0)
    assert {name: rows.shape[1] for name, rows in expected.items()} == {
        FEATURES: 8,
        LABEL_HEAD: len(EMOTIONS),
        VOTE_HEAD: len(VOTE_CLASSES),
    }
    joined = join_heads(model).predict(faces, verbose=0)
    heads = np.concatenate([expected[LABEL_HEAD], expected[VOTE_HEAD]], axis=1)
    np.testing.assert_allclose(joined, heads, atol=1e-6)
    save_network(to_plain_float32(model), tmp_path / "network.keras")
    opened = load_network(tmp_path / "network.keras")
    assert heads_of(opened) == {LABEL_HEAD: EMOTIONS, VOTE_HEAD: VOTE_CLASSES}
    for name, found in opened.predict(faces, verbose=0).items():
        np.testing.assert_allclose(found, expected[name], atol=1e-6, err_msg=name)
