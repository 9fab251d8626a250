"""A student learns what its teachers see in the faces; they are asked once."""

from pathlib import Path

import numpy as np
import pytest

keras = pytest.importorskip("keras", reason="needs mien[train]")

from mien.data.synthetic import synthetic_dataset
from mien.models.build import build_network, to_plain_float32
from mien.models.config import ResidualConfig
from mien.models.heads import LABEL_HEAD, VOTE_HEAD
from mien.models.keras_file import save_network
from mien.training.config import AugmentationConfig
from mien.training.distill import ask_teachers
from mien.training.faces import LabelledFaces
from mien.training.fit import make_training_targets
from mien.training.job import TrainingJob
from mien.training.recipe import load_recipe
from mien.training.run_folder import RunFolder

EXPERIMENTS = Path(__file__).parents[2] / "experiments"
FACES = synthetic_dataset(21, seed=0)
STILL = AugmentationConfig(horizontal_flip=False)


def save_teacher(run: RunFolder, *, sure_of: int) -> None:
    """A network that gives one emotion half of the probability, whatever it sees."""
    inputs = keras.Input((48, 48, 1))
    dense = keras.layers.Dense(7, activation="softmax", kernel_initializer="zeros")
    model = keras.Model(inputs, dense(keras.layers.GlobalAveragePooling2D()(inputs)))
    bias = np.zeros(7, np.float32)
    bias[sure_of] = np.log(6)
    dense.set_weights([dense.get_weights()[0], bias])
    run.path.mkdir(parents=True, exist_ok=True)
    model.save(run.network)


def test_teachers_are_averaged_and_asked_once(tmp_path: Path) -> None:
    teachers = [RunFolder(tmp_path / name) for name in ("one", "other")]
    for run, emotion in zip(teachers, (0, 3), strict=True):
        save_teacher(run, sure_of=emotion)
    said: list[str] = []
    cache = tmp_path / "state" / "taught.npy"

    def ask() -> np.ndarray:
        return ask_teachers(
            teachers,
            FACES.faces_u8,
            STILL,
            views=2,
            label_heads=False,
            seed=0,
            cache=cache,
            say=said.append,
        )

    taught = ask()
    expected = np.full(7, 1 / 12)
    expected[[0, 3]] = (0.5 + 1 / 12) / 2
    np.testing.assert_allclose(taught, np.tile(expected, (21, 1)), atol=1e-6)
    assert said[0] == "asking one about 2 views of the training faces"
    for run in teachers:
        run.network.unlink()
    np.testing.assert_array_equal(ask(), taught)
    assert len(said) == 2


def test_the_label_head_of_a_teacher_that_ships_a_blend_can_be_asked_alone(tmp_path: Path) -> None:
    network = ResidualConfig(
        family="residual", stem_filters=2, filters=[2], blocks_per_stage=[1], dropout=0.0
    )
    model = build_network(network, vote_head=True)
    of_labels, of_votes = model.get_layer(LABEL_HEAD), model.get_layer(VOTE_HEAD)
    of_labels.set_weights([np.zeros((2, 7)), np.log([6.0, 1, 1, 1, 1, 1, 1])])
    of_votes.set_weights([np.zeros((2, 10)), np.zeros(10)])
    run = RunFolder(tmp_path)
    save_network(to_plain_float32(model), run.network)
    run.write_metrics({"vote_share": 0.5})

    def ask(*, label_heads: bool) -> np.ndarray:
        cache = tmp_path / f"{label_heads}.npy"
        return ask_teachers(
            [run],
            FACES.faces_u8,
            STILL,
            views=1,
            label_heads=label_heads,
            seed=0,
            cache=cache,
            say=lambda _line: None,
        )

    np.testing.assert_allclose(ask(label_heads=True)[:, 0], 0.5, atol=1e-6)
    np.testing.assert_allclose(ask(label_heads=False)[:, 0], (0.5 + 1 / 7) / 2, atol=1e-6)


def test_targets_are_the_label_and_the_teachers_opinion_in_the_shares_asked_for(
    tmp_path: Path,
) -> None:
    save_teacher(RunFolder(tmp_path / "teacher"), sure_of=6)
    taught = {"teachers": ["teacher"], "weight": 0.75, "views": 1}
    recipe = load_recipe(EXPERIMENTS / "010_residual.toml")
    job = TrainingJob(
        recipe=recipe.variant("student", {"distillation": taught}),
        training_data=Path("not read"),
        votes_file=Path("not read"),
        run=RunFolder(tmp_path / "student"),
        log_folder=tmp_path / "logs",
        say=lambda _line: None,
    )
    faces = LabelledFaces(FACES.faces_u8, FACES.labels, np.ones((21, 10), np.float32))
    targets = make_training_targets(faces, job)
    assert targets.shape == (21, 17)
    np.testing.assert_allclose(targets.sum(axis=1), 2, atol=1e-5)
    label, other = 0.25 * (0.9 + 0.1 / 7), 0.25 * 0.1 / 7
    happy = targets[np.flatnonzero(FACES.labels == 3)[0], :7]
    expected = np.full(7, other + 0.75 / 12)
    expected[3] = label + 0.75 / 12
    expected[6] = other + 0.75 * 0.5
    np.testing.assert_allclose(happy, expected, atol=1e-5)
