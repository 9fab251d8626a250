"""A run that starts from a finished one says at first what that one says."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

keras = pytest.importorskip("keras", reason="needs mien[train]")

from mien.core.errors import ModelError
from mien.core.labels import EMOTIONS
from mien.data import test_faces
from mien.data.classes import ClassTable
from mien.data.split import split_train_validation
from mien.data.synthetic import synthetic_dataset, write_csv
from mien.models.build import build_network, to_plain_float32
from mien.models.config import ResidualConfig
from mien.models.heads import LABEL_HEAD
from mien.models.keras_file import save_network
from mien.training.ancestors import (
    ancestors_of,
    check_knows_no_validation,
    check_same_faces,
    check_shipped_knows_no_validation,
    check_split,
    told_of_near_copies,
)
from mien.training.config import (
    SHIPPED,
    Experiment,
    SplitConfig,
    load_experiment,
    selected_experiment,
)
from mien.training.faces import LabelledFaces, load_faces
from mien.training.provenance import describe_data, has_learnt, told_of_test_faces
from mien.training.run_folder import RunFolder
from mien.training.start import check_finished, check_teachers, start_from

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


def finished_run(runs: Path, name: str, split: str, *, start: str = "") -> RunFolder:
    run = RunFolder(runs / name)
    run.path.mkdir()
    recipe = RECIPE.read_text(encoding="utf-8")
    if start:
        recipe = recipe.replace("[training]", f'[training]\nstart_from = "{start}"')
    run.recipe.write_text(f"{recipe}\n[split]\n{split}\n", encoding="utf-8")
    run.network.touch()
    return run


def faces_in(path: Path) -> LabelledFaces:
    write_csv(synthetic_dataset(70, seed=0), path)
    return load_faces(path, None)


def experiment_with(split: SplitConfig, **training: object) -> Experiment:
    experiment = load_experiment(RECIPE)
    wanted = experiment.training.model_copy(update=training)
    return experiment.model_copy(update={"split": split, "training": wanted})


def check(runs: list[RunFolder], split: SplitConfig, faces: LabelledFaces) -> None:
    check_knows_no_validation(experiment_with(split), ancestors_of(runs), faces)


def test_a_run_that_has_not_finished_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"no .*012_deeper.*: train experiments/012_deeper\.toml"):
        check_finished([RunFolder(tmp_path / "012_deeper")])


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
    faces = faces_in(tmp_path / "train.csv")
    run = finished_run(tmp_path, "other", split)
    if fits:
        check([run], SplitConfig(), faces)
    else:
        with pytest.raises(ModelError, match="other trains on faces that would choose"):
            check([run], SplitConfig(), faces)
        # Nor may one that this one started from, or learnt from.
        last = finished_run(tmp_path, "last", "", start="other")
        with pytest.raises(ModelError, match="other trains on faces that would choose"):
            check([last], SplitConfig(), faces)
        # What it was trained on may be other faces altogether.
        write_csv(synthetic_dataset(70, seed=1), tmp_path / "others.csv")
        others = load_faces(tmp_path / "others.csv", None)
        run.data.write_text(json.dumps(describe_data(others)))
        check([last], SplitConfig(), faces)


def test_a_run_may_not_have_trained_on_the_fold_that_is_held_out(tmp_path: Path) -> None:
    run = finished_run(tmp_path, "other", "")
    with pytest.raises(ModelError, match="other trains on faces that this run holds out"):
        check([run], SplitConfig(folds=5, fold=1), faces_in(tmp_path / "train.csv"))


def test_runs_that_leave_out_other_near_copies_of_a_fold_are_refused(tmp_path: Path) -> None:
    other = SplitConfig(folds=5, fold=1, near_copies_apart=True)
    check_split("other", other, other)
    with pytest.raises(ModelError, match="near_copies_apart = true, this one's false"):
        check_split("other", other, SplitConfig(folds=5, fold=1))
    # Without folds, the validation is the same.
    check_split("other", SplitConfig(near_copies_apart=True), SplitConfig())


def test_it_is_said_who_has_learnt_near_copies_that_a_run_leaves_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    faces = faces_in(tmp_path / "train.csv")
    with_copies = finished_run(tmp_path, "with", "")
    without = finished_run(tmp_path, "without", "near_copies_apart = true", start="with")
    apart = experiment_with(SplitConfig(near_copies_apart=True))
    told = told_of_near_copies(apart, ancestors_of([without]), faces)
    assert told is not None
    assert told.startswith("with learnt near-copies of these validation faces")
    assert told_of_near_copies(experiment_with(SplitConfig()), [with_copies], faces) is None
    assert told_of_near_copies(apart, [without], faces) is None
    # Those from which the shipped network started and learnt had FER2013's near-copies.
    from_shipped = experiment_with(apart.split, start_from=SHIPPED)
    assert told_of_near_copies(from_shipped, [], faces) is None
    monkeypatch.setattr("mien.training.ancestors.FER2013_SPLIT", faces.split_fingerprint())
    told = told_of_near_copies(from_shipped, [], faces)
    assert told is not None
    assert told.startswith("the shipped network learnt near-copies")
    shipped = load_experiment(selected_experiment(RECIPE.parent))
    before = load_experiment(RECIPE.with_name(f"{shipped.training.start_from}.toml"))
    assert not before.split.near_copies_apart


def test_a_run_may_not_have_known_the_same_pictures_in_another_order(tmp_path: Path) -> None:
    faces = faces_in(tmp_path / "train.csv")
    shuffled = faces.take(np.random.default_rng(0).permutation(70))
    run = finished_run(tmp_path, "other", "")
    run.data.write_text(json.dumps(describe_data(replace(shuffled, source=tmp_path / "b.csv"))))
    with pytest.raises(ModelError, match="in another file or order"):
        check([run], SplitConfig(), faces)


def test_the_network_that_ships_may_lie_further_back(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    faces = faces_in(tmp_path / "train.csv")
    signs = test_faces._signs(test_faces.fingerprint(faces.faces_u8[::14]))
    monkeypatch.setattr(test_faces, "_known_signs", lambda _table: signs)
    monkeypatch.setattr("mien.training.ancestors.FER2013_SPLIT", faces.split_fingerprint())
    write_csv(synthetic_dataset(70, seed=1), tmp_path / "own.csv")
    own = finished_run(tmp_path, "own", "seed = 7", start="shipped")
    own.data.write_text(json.dumps(describe_data(load_faces(tmp_path / "own.csv", None))))
    check([own], SplitConfig(), faces)
    with pytest.raises(ModelError, match="The shipped network trains on faces that would"):
        check([own], SplitConfig(seed=7), faces)


def test_a_teacher_tells_the_seven_emotions_apart_in_their_order(tmp_path: Path) -> None:
    student = load_experiment(RECIPE.with_name("031_student.toml"))
    assert student.distillation is not None
    (name,) = student.distillation.teachers
    teacher = finished_run(tmp_path, name, "")
    check_teachers(student, [teacher])
    text = teacher.recipe.read_text().replace("vote_weight = 1.0", "vote_weight = 0.0")
    names = [*reversed(EMOTIONS)]
    teacher.recipe.write_text(f"{text}\n[classes]\nnames = {json.dumps(names)}\n")
    with pytest.raises(ModelError, match=r"cannot teach: it tells neutral, surprise, sad.*expecte"):
        check_teachers(student, [teacher])


def test_a_run_may_not_have_known_the_same_data_otherwise(tmp_path: Path) -> None:
    faces = faces_in(tmp_path / "train.csv")
    run = finished_run(tmp_path, "other", "")
    check_same_faces([run], faces, SplitConfig())  # It does not tell its faces.
    run.data.write_text(json.dumps(describe_data(faces)))
    check_same_faces([run], faces, SplitConfig())
    recipe = run.recipe.rename(tmp_path / "elsewhere.toml")
    check_same_faces([run], faces, SplitConfig())  # Of faces without groups nothing asks for it.
    recipe.rename(run.recipe)
    by_person = replace(faces, groups=np.array([f"person {i // 5}" for i in range(70)]))
    with pytest.raises(ModelError, match=r"other was trained on .*train\.csv as it was before"):
        check_same_faces([run], by_person, SplitConfig())
    # Heads of other names start from random weights; the sides are the same.
    names = ClassTable(names=tuple("abcdefg"), other_names={})
    check_same_faces([run], replace(faces, classes=names), SplitConfig())


def test_the_network_that_ships_is_not_judged_by_faces_that_it_knows(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    faces = faces_in(tmp_path / "train.csv")
    folds = SplitConfig(folds=5, fold=1)
    check_shipped_knows_no_validation(faces, folds)
    signs = test_faces._signs(test_faces.fingerprint(faces.faces_u8[::14]))
    monkeypatch.setattr(test_faces, "_known_signs", lambda _table: signs)
    monkeypatch.setattr("mien.training.ancestors.FER2013_SPLIT", faces.split_fingerprint())
    with pytest.raises(ModelError, match="The shipped network trains on faces that this run"):
        check_shipped_knows_no_validation(faces, folds)
    check_shipped_knows_no_validation(faces, SplitConfig())
    with pytest.raises(ModelError, match="which another file, other labels or groups split"):
        check_shipped_knows_no_validation(replace(faces, labels=faces.labels // 2), SplitConfig())
    with pytest.raises(ModelError, match="of the 70 are FER2013's training faces"):
        check_shipped_knows_no_validation(faces.take(np.arange(70)[::-1]), SplitConfig())
    # What it is compared with has the validation faces of the shipped network, which has left
    # near-copies out of its training only.
    shipped = load_experiment(selected_experiment(RECIPE.parent)).split
    assert shipped.model_copy(update={"near_copies_apart": False}) == SplitConfig()


def test_test_faces_to_train_on_are_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    data = tmp_path / "all.csv"
    write_csv(synthetic_dataset(70, seed=0), data)
    faces = load_faces(data, None)
    assert told_of_test_faces(faces) is None
    signs = test_faces._signs(test_faces.fingerprint(faces.faces_u8[:14]))
    monkeypatch.setattr(test_faces, "_known_signs", lambda _table: signs)
    told = told_of_test_faces(faces)
    assert told is not None
    assert told.endswith(
        "of the 70 faces to train on are FER2013's test faces: what this network "
        "scores on that test will say nothing"
    )


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


def test_groups_that_another_fraction_splits_otherwise_are_refused(tmp_path: Path) -> None:
    data = tmp_path / "train.csv"
    write_csv(synthetic_dataset(70, seed=0), data)
    faces = load_faces(data, None)
    faces = replace(faces, groups=np.array([f"person {i // 5}" for i in range(70)]))
    run = finished_run(tmp_path, "other", "validation_fraction = 0.2")
    run.data.write_text(json.dumps(describe_data(faces)))
    check_same_faces([run], faces, SplitConfig(validation_fraction=0.2))
    with pytest.raises(ModelError, match="of faces with groups"):
        check_same_faces([run], faces, SplitConfig(validation_fraction=0.1))


def test_the_faces_that_a_run_learnt_are_known_in_any_order_and_place(tmp_path: Path) -> None:
    data = tmp_path / "train.csv"
    write_csv(synthetic_dataset(70, seed=0), data)
    faces = load_faces(data, None)
    run = finished_run(tmp_path, "other", "")
    run.data.write_text(json.dumps(describe_data(faces)))
    assert has_learnt(faces.faces_u8[::-1], tmp_path / "moved.csv", run)
    assert has_learnt(faces.faces_u8[1:], data, run)
    assert not has_learnt(faces.faces_u8[1:], tmp_path / "others.csv", run)
