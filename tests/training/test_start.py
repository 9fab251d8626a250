"""A run that starts from a finished one says at first what that one says."""

from pathlib import Path

import numpy as np
import pytest

keras = pytest.importorskip("keras", reason="needs mien[train]")

from mien.core.errors import ModelError
from mien.data.split import split_train_validation
from mien.data.synthetic import synthetic_dataset
from mien.models.build import build_network, to_plain_float32
from mien.models.config import ResidualConfig
from mien.models.heads import LABEL_HEAD
from mien.models.keras_file import save_network
from mien.training.config import SplitConfig
from mien.training.run_folder import RunFolder
from mien.training.start import check_predecessors, start_from

RECIPE = Path(__file__).parents[2] / "experiments" / "010_residual.toml"
SHAPE = ResidualConfig(
    family="residual", stem_filters=4, filters=[4, 8], blocks_per_stage=[2, 1], dropout=0.1
)
FACES = np.random.default_rng(0).random((5, 48, 48, 1), np.float32)


def save_finished(path: Path, *, vote_head: bool) -> np.ndarray:
    """Save a network with weights of its own; return its label head's answers."""
    network = build_network(SHAPE, vote_head=vote_head)
    random = np.random.default_rng(1)
    network.set_weights(
        [weights + random.random(weights.shape) for weights in network.get_weights()]
    )
    save_network(to_plain_float32(network), path)
    return network.predict(FACES, verbose=0)[LABEL_HEAD]


@pytest.mark.parametrize("vote_head", [False, True], ids=["labels only", "both heads"])
def test_the_label_head_answers_as_before(tmp_path: Path, vote_head: bool) -> None:
    finished = tmp_path / "finished.keras"
    expected = save_finished(finished, vote_head=vote_head)
    network = build_network(SHAPE, vote_head=True, any_size=True)
    start_from(network, finished)
    found = network.predict(FACES, verbose=0)[LABEL_HEAD]
    np.testing.assert_allclose(found, expected, atol=1e-6)


def finished_run(runs: Path, name: str, split: str) -> RunFolder:
    run = RunFolder(runs / name)
    run.path.mkdir()
    recipe = RECIPE.read_text(encoding="utf-8")
    run.recipe.write_text(f"{recipe}\n[split]\n{split}\n", encoding="utf-8")
    run.network.touch()
    return run


def test_a_run_that_has_not_finished_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"no .*012_deeper.*: train experiments/012_deeper\.toml"):
        check_predecessors([RunFolder(tmp_path / "012_deeper")], SplitConfig())


@pytest.mark.parametrize(
    ("split", "fits"),
    [
        ("validation_fraction = 0.1\nseed = 2013", True),
        ("validation_fraction = 0.2", True),
        ("validation_fraction = 0.05", False),
        ("seed = 1", False),
    ],
)
def test_a_run_may_not_have_trained_on_the_validation_faces(
    tmp_path: Path, split: str, fits: bool
) -> None:
    run = finished_run(tmp_path, "other", split)
    if fits:
        check_predecessors([run], SplitConfig())
    else:
        with pytest.raises(ModelError, match="other trains on faces that would choose"):
            check_predecessors([run], SplitConfig())


def test_a_run_may_not_have_trained_on_the_fold_that_is_held_out(tmp_path: Path) -> None:
    run = finished_run(tmp_path, "other", "")
    with pytest.raises(ModelError, match="other trains on faces that this run holds out"):
        check_predecessors([run], SplitConfig(folds=5, fold=1))


def test_a_smaller_validation_holds_no_face_that_a_larger_one_does_not() -> None:
    faces = synthetic_dataset(420, seed=1)
    small, large = (
        split_train_validation(faces.labels, faces.faces_u8, fraction, seed=5)[1]
        for fraction in (0.1, 0.3)
    )
    assert set(small) < set(large)


def test_another_network_is_refused(tmp_path: Path) -> None:
    finished = tmp_path / "finished.keras"
    save_finished(finished, vote_head=False)
    wider = SHAPE.model_copy(update={"filters": [8, 8]})
    with pytest.raises(ModelError, match=r"finished\.keras has weights of other shapes"):
        start_from(build_network(wider), finished)
