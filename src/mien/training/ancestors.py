"""Which finished runs a run comes from, and that none of them has learnt its validation faces."""

from __future__ import annotations

from collections.abc import Sequence

from mien.core.errors import ModelError
from mien.data.test_faces import estimate_training_faces
from mien.training.config import SHIPPED, Experiment, SplitConfig, load_experiment
from mien.training.faces import LabelledFaces
from mien.training.provenance import FER2013_SPLIT, data_of_run, same_pictures, splits_alike
from mien.training.run_folder import RunFolder

LARGEST_TRAINING_PART = 0.05
"""A network from the one that ships may learn so many of FER2013's training faces among others."""


def ancestors_of(runs: Sequence[RunFolder]) -> list[RunFolder]:
    """Return runs, and those whose weights or answers went into them, and into these, and so on.

    What lies in their folders tells: of a run whose recipe is not there, no other is known. The
    network that ships is named by its start, `SHIPPED`.
    """
    found: dict[str, RunFolder] = {}
    waiting = list(runs)
    while waiting:
        run = waiting.pop()
        if run.path.name in found:
            continue
        found[run.path.name] = run
        if run.recipe.is_file():
            names = _origins(load_experiment(run.recipe))
            waiting += [RunFolder(run.path.parent / name) for name in names if name != SHIPPED]
    return list(found.values())


def _origins(experiment: Experiment) -> list[str]:
    """Name whose weights and answers a run takes."""
    start = experiment.training.start_from
    teachers = experiment.distillation.teachers if experiment.distillation else []
    return [*([start] if start else []), *teachers]


def check_knows_no_validation(
    experiment: Experiment, ancestors: Sequence[RunFolder], faces: LabelledFaces
) -> None:
    """See that nothing that a run takes from others has learnt its validation faces.

    Args:
        experiment: The run's experiment.
        ancestors: What `ancestors_of` returns of the runs that it needs.
        faces: Its faces.

    Raises:
        ModelError: if one of them, or the shipped network where it is an origin of any, has.
    """
    origins = _origins(experiment)
    for run, recipe in _with_recipes(ancestors):
        origins += _origins(recipe)
        if _shares_faces(run, faces):
            check_split(run.path.name, recipe.split, experiment.split)
    check_same_faces(ancestors, faces, experiment.split)
    if SHIPPED in origins:
        check_shipped_knows_no_validation(faces, experiment.split)


def told_of_near_copies(
    experiment: Experiment, ancestors: Sequence[RunFolder], faces: LabelledFaces
) -> str | None:
    """Say which ancestors learnt near-copies of the validation faces that a run itself leaves out.

    The shipped network has left them out too, but not the networks that it started and learnt
    from.

    Args:
        experiment: The run's experiment.
        ancestors: What `ancestors_of` returns of the runs that it needs.
        faces: Its faces.
    """
    if not experiment.split.near_copies_apart:
        return None
    names = who_learnt_near_copies(ancestors, faces, origins=_origins(experiment))
    if not names:
        return None
    return (
        f"{', '.join(names)} learnt near-copies of these validation faces: figures on them "
        "are a little too good"
    )


def who_learnt_near_copies(
    runs: Sequence[RunFolder], faces: LabelledFaces, origins: Sequence[str] = ()
) -> list[str]:
    """Name the runs that learnt near-copies of the validation faces.

    Args:
        runs: What `ancestors_of` returns.
        faces: What is split.
        origins: Whose weights and answers a run takes that is not among them.
    """
    names, shipped = [], SHIPPED in origins
    for run, recipe in _with_recipes(runs):
        shipped |= SHIPPED in _origins(recipe)
        if not recipe.split.near_copies_apart and _shares_faces(run, faces):
            names.append(run.path.name)
    names.sort()
    if shipped and faces.split_fingerprint() == FER2013_SPLIT:
        names.append("the shipped network")
    return names


def _with_recipes(runs: Sequence[RunFolder]) -> list[tuple[RunFolder, Experiment]]:
    return [(run, load_experiment(run.recipe)) for run in runs if run.recipe.is_file()]


def _shares_faces(run: RunFolder, faces: LabelledFaces) -> bool:
    """Whether a run was trained on these faces, as they are or otherwise; older runs may be."""
    return not run.data.is_file() or splits_alike(faces, run) or _knows_otherwise(run, faces)


def _knows_otherwise(run: RunFolder, faces: LabelledFaces) -> bool:
    """Whether a run was trained on the same file or folder, or on the same pictures."""
    if faces.source is None:
        return False
    is_same_place = data_of_run(run).resolve() == faces.source.resolve()
    return is_same_place or same_pictures(faces.faces_u8, run)


def check_split(name: str, other: SplitConfig, split: SplitConfig) -> None:
    """See that a run does not train on the validation faces of one that learns from it.

    Args:
        name: The run's name, for the message.
        other: Its split.
        split: The split of the one that learns from it.

    Raises:
        ModelError: if it does.
    """
    if (other.folds, other.fold) != (split.folds, split.fold):
        raise ModelError(
            f"{name} trains on faces that this run holds out: it has folds = {other.folds} and "
            f"fold = {other.fold} in [split], this one {split.folds} and {split.fold}. "
            "Cross-validate a recipe that learns from no other run, or give both the same fold."
        )
    if split.folds and other.near_copies_apart != split.near_copies_apart:
        # What is left out before the validation is drawn changes all of it.
        raise ModelError(
            f"{name} trains on faces that would choose this run's epoch: its [split] has "
            f"near_copies_apart = {str(other.near_copies_apart).lower()}, this one's "
            f"{str(split.near_copies_apart).lower()}. With folds, give both the same."
        )
    if other.seed != split.seed or other.validation_fraction < split.validation_fraction:
        raise ModelError(
            f"{name} trains on faces that would choose this run's epoch: its [split] "
            f"has validation_fraction = {other.validation_fraction} and seed = {other.seed}, "
            f"this one's {split.validation_fraction} and {split.seed}. Give the same seed, and "
            "at most its fraction."
        )


def check_same_faces(runs: Sequence[RunFolder], faces: LabelledFaces, split: SplitConfig) -> None:
    """See that runs knew the data that another run shares with them by the same labels and groups.

    These decide which faces are for validation. Runs on other data, or that do not tell theirs, are
    passed over. Where faces have groups, a smaller fraction does not take a part of what a larger
    one takes, so that the fractions must be the same.

    Args:
        runs: Folders of the runs that the other one needs.
        faces: The other one's faces.
        split: The other one's split.

    Raises:
        ModelError: if one was trained on the same file or folder as it was before, or on the same
            pictures otherwise.
    """
    for run in runs:
        if faces.source is None or not run.data.is_file():
            continue
        if splits_alike(faces, run):
            if faces.groups is not None and faces.kept_for_validation is None:
                _check_same_fraction(run, split)
        elif _knows_otherwise(run, faces):
            raise ModelError(
                f"{run.path.name} was trained on {faces.source} as it was before, or on its "
                "pictures in another file or order, or with other labels or groups, so that it may "
                f"know faces that would choose this run's epoch: train "
                f"experiments/{run.path.name}.toml again with --restart, and on the same data."
            )


def _check_same_fraction(run: RunFolder, split: SplitConfig) -> None:
    other = load_experiment(run.recipe).split.validation_fraction
    if other != split.validation_fraction:
        raise ModelError(
            f"{run.path.name} trains on faces that would choose this run's epoch: of faces "
            f"with groups its [split] has validation_fraction = {other}, this one's "
            f"{split.validation_fraction}. Give both the same."
        )


def check_shipped_knows_no_validation(faces: LabelledFaces, split: SplitConfig) -> None:
    """See that a run that takes from the shipped network is judged by faces new to this.

    Raises:
        ModelError: if these are FER2013's training faces, and split in another way than for it.
    """
    known = estimate_training_faces(faces.faces_u8)
    if known <= LARGEST_TRAINING_PART * len(faces.labels):
        return
    check_split("The shipped network", SplitConfig(), split)
    if faces.split_fingerprint() != FER2013_SPLIT:
        raise ModelError(
            f"The shipped network was trained on these faces: about {known:,} of the "
            f"{len(faces.labels):,} are FER2013's training faces, which another file, other labels "
            "or groups split otherwise. It knows most of those that would choose this run's "
            "epoch. Train on FER2013's train.csv (`mien data download`), on data of your own, or, "
            'a network of faces, from random weights (start_from = "").'
        )
