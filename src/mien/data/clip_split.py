"""Which clips train a temporal network, which choose its epoch, and which are held out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np

from mien.core.errors import DataError
from mien.data.clips import Clip, ClipSet, unit_of
from mien.data.usage import TEST_USAGES, TRAINING, USAGE_OF_NAME, VALIDATION


@dataclass(frozen=True, slots=True)
class ClipSides:
    """The sides of a split; no subject, or file where subjects are not known, is on two.

    Attributes:
        training: What is trained on.
        validation: What chooses the epoch.
        held_out: The fold of a cross-validation that judges; empty without folds.
    """

    training: tuple[Clip, ...]
    validation: tuple[Clip, ...]
    held_out: tuple[Clip, ...] = ()


def split_clips(
    clips: ClipSet, fraction: float, seed: int, *, folds: int = 0, fold: int = 0
) -> ClipSides:
    """Split clips into those that train, those that choose and those that are held out.

    Where the manifest's folds are uses (`train`, `validation`), they decide, and clips of other
    uses are on no side. Of other folds the last one by name chooses. Without folds, or where all
    clips are of one, a random part of the subjects does, or of the files where these are unknown.

    Cross-validation holds out one fold of the manifest's own if there are as many, else of folds
    that are made of whole subjects; a random part of the subjects of the others chooses.

    Args:
        clips: The clips.
        fraction: Share of the clips that choose, in (0, 1), where no folds say which.
        seed: The same seed gives the same split.
        folds: How many folds to cut the clips into; 0 for none.
        fold: Which one is held out, from 1.

    Raises:
        DataError: if a side would be empty, the manifest has other folds than those asked for, or
            only some of its clips have one.
    """
    _check_folds(clips)
    if folds:
        of_fold = _folds_of_units(clips, folds, seed)
        held_out = tuple(clip for clip in clips.clips if of_fold[clip] == fold - 1)
        left = tuple(clip for clip in clips.clips if of_fold[clip] != fold - 1)
        training, validation = _at_random(left, fraction, seed)
    else:
        held_out = ()
        training, validation = _as_named(clips) or _at_random(clips.clips, fraction, seed)
    if not training or not validation:
        raise DataError(
            f"{clips.source} gives {len(training)} clips to train on and {len(validation)} to "
            "choose by; expected clips of two subjects at least beside those held out, or the "
            "folds train and validation."
        )
    sides = ClipSides(training, validation, held_out)
    _check_apart(clips, sides)
    return sides


def clips_for_test(clips: ClipSet) -> tuple[Clip, ...]:
    """Return the clips that a manifest's folds keep for a test; none where no fold does."""
    uses = {
        fold: USAGE_OF_NAME.get(fold.casefold()) for fold in {clip.fold for clip in clips.clips}
    }
    return tuple(clip for clip in clips.clips if uses[clip.fold] in TEST_USAGES)


def _check_folds(clips: ClipSet) -> None:
    named = {clip.fold for clip in clips.clips}
    uses = [fold for fold in named if fold.casefold() in USAGE_OF_NAME]
    if ("" in named and len(named) > 1) or 0 < len(uses) < len(named):
        found = ", ".join(sorted(fold or "none" for fold in named))
        raise DataError(
            f"{clips.source}, column fold: found {found}; expected a fold for every clip or for "
            "none, and either uses (train, validation, test) or other names."
        )


def _as_named(clips: ClipSet) -> tuple[tuple[Clip, ...], tuple[Clip, ...]] | None:
    """Return the sides that the manifest's folds say; None if it has none."""
    folds = sorted({clip.fold for clip in clips.clips})
    if len(folds) == 1 and USAGE_OF_NAME.get(folds[0].casefold(), TRAINING) == TRAINING:
        return None
    if _are_uses(folds):
        uses = {fold: USAGE_OF_NAME[fold.casefold()] for fold in folds}
        training = tuple(clip for clip in clips.clips if uses[clip.fold] == TRAINING)
        return training, tuple(clip for clip in clips.clips if uses[clip.fold] == VALIDATION)
    training = tuple(clip for clip in clips.clips if clip.fold != folds[-1])
    return training, tuple(clip for clip in clips.clips if clip.fold == folds[-1])


def _are_uses(folds: Collection[str]) -> bool:
    return all(fold.casefold() in USAGE_OF_NAME for fold in folds)


def _folds_of_units(clips: ClipSet, count: int, seed: int) -> dict[Clip, int]:
    """Return the fold of each clip, from 0."""
    named = sorted({clip.fold for clip in clips.clips})
    if len(named) > 1:
        if _are_uses(named) or len(named) != count:
            remedy = "" if _are_uses(named) else f"give --folds {len(named)}, or "
            raise DataError(
                f"{clips.source} has the folds {', '.join(named)} of its own, which are not "
                f"{count} to hold out in turn: {remedy}take the column fold away."
            )
        return {clip: named.index(clip.fold) for clip in clips.clips}
    sizes = Counter(map(unit_of, clips.clips))
    units = sorted(sizes)
    if len(units) < count:
        what = "subjects" if clips.has_subjects else "files"
        raise DataError(
            f"{clips.source} has clips of {len(units)} {what}; expected {count} at least for "
            f"{count} folds, as a fold holds whole {what}."
        )
    np.random.default_rng(seed).shuffle(units)
    filled = [0] * count
    of_unit = {}
    # The largest first, each into the emptiest fold; the sort keeps the random order of equals.
    for unit in sorted(units, key=lambda unit: -sizes[unit]):
        of_unit[unit] = filled.index(min(filled))
        filled[of_unit[unit]] += sizes[unit]
    return {clip: of_unit[unit_of(clip)] for clip in clips.clips}


def _at_random(
    clips: Sequence[Clip], fraction: float, seed: int
) -> tuple[tuple[Clip, ...], tuple[Clip, ...]]:
    """Let random subjects (or files) choose until they have a share of the clips, but not all."""
    units = sorted(set(map(unit_of, clips)))
    np.random.default_rng(seed).shuffle(units)
    chosen: set[str] = set()
    for unit in units[:-1]:
        if sum(unit_of(clip) in chosen for clip in clips) >= fraction * len(clips):
            break
        chosen.add(unit)
    training = tuple(clip for clip in clips if unit_of(clip) not in chosen)
    return training, tuple(clip for clip in clips if unit_of(clip) in chosen)


def _check_apart(clips: ClipSet, sides: ClipSides) -> None:
    seen: set[str] = set()
    for side in (sides.training, sides.validation, sides.held_out):
        units = set(map(unit_of, side))
        if shared := seen & units:
            raise DataError(
                f"The folds of {clips.source} put {', '.join(sorted(shared)[:5])} on both sides; "
                "expected a subject's clips on one."
            )
        seen |= units
