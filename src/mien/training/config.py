"""The experiment file: a whole recipe in TOML, checked to the last key."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from mien.core.errors import ModelError
from mien.core.preprocess import FACE_SIZE
from mien.models import NetworkConfig
from mien.training.augment import AugmentationConfig


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class SplitConfig(_Table):
    """`[split]`: which part of train.csv chooses the epoch.

    Attributes:
        validation_fraction: Share of the faces, stratified; copies of a face stay together.
        training_part: Part of the other faces that is trained on, stratified; below 1 for trying
            out what a whole run would be too dear for.
        seed: Seed of the split.
    """

    validation_fraction: float = Field(default=0.1, gt=0, lt=1)
    training_part: float = Field(default=1.0, gt=0, le=1)
    seed: int = Field(default=2013, ge=0)


class TrainingConfig(_Table):
    """`[training]`: objective, optimizer, stopping and seed.

    Attributes:
        seed: Seed of the weights, of dropout, of the order of faces and of their augmentation.
        start_from: Name of an experiment whose run has finished, to start from its weights, which
            have the same shapes; empty to start from random ones.
        epochs: Most epochs to train.
        early_epochs: So many epochs, the first ones, see the faces reduced to `early_side`, where
            an epoch costs a fraction (progressive resizing). Validation is always at 48 × 48.
        early_side: Side of the faces in these epochs, in pixels: 16 or 32.
        batch_size: Faces a step.
        optimizer: "adam", or "sgd" with Nesterov's momentum of 0.9.
        learning_rate: The highest learning rate.
        schedule: "plateau" lowers the rate when the validation loss does not fall, "cosine" lowers
            it to 0 over all epochs.
        warmup_epochs: Epochs in which a cosine schedule's rate first rises from 0.
        weight_decay: Decoupled decay of all weights but biases and batch normalization.
        label_smoothing: Share of a label's certainty that is spread over all seven.
        vote_weight: Weight of a second head that learns FER+'s votes; 0 for none.
        average_decay: Decay of the moving average of the weights that is validated and kept
            instead of the weights themselves; 0 for none.
        class_weights: Weigh each face by the inverse frequency of its class.
        early_stopping_patience: Epochs without a lower validation loss before it stops.
        early_stopping_min_delta: Smallest fall of the validation loss that counts as lower; the
            last epoch with one is kept.
        plateau_factor: Factor on the learning rate when the validation loss does not fall.
        plateau_patience: Epochs without a lower validation loss before that.
        plateau_cooldown: Epochs after it in which none are counted.
        plateau_min_learning_rate: Where it ends.
    """

    seed: int = Field(default=0, ge=0, lt=2**32)
    start_from: str = ""
    epochs: int = Field(default=100, ge=1)
    early_epochs: int = Field(default=0, ge=0)
    early_side: Literal[16, 32] = 32
    batch_size: int = Field(default=64, ge=2)
    optimizer: Literal["adam", "sgd"] = "adam"
    learning_rate: float = Field(default=1e-3, gt=0)
    schedule: Literal["plateau", "cosine"] = "plateau"
    warmup_epochs: int = Field(default=0, ge=0)
    weight_decay: float = Field(default=0.0, ge=0)
    label_smoothing: float = Field(default=0.0, ge=0, lt=1)
    vote_weight: float = Field(default=0.0, ge=0)
    average_decay: float = Field(default=0.0, ge=0, lt=1)
    class_weights: bool = False
    early_stopping_patience: int = Field(default=8, ge=1)
    early_stopping_min_delta: float = Field(default=0.001, ge=0)
    plateau_factor: float = Field(default=0.5, gt=0, lt=1)
    plateau_patience: int = Field(default=4, ge=1)
    plateau_cooldown: int = Field(default=2, ge=0)
    plateau_min_learning_rate: float = Field(default=1e-6, ge=0)

    @model_validator(mode="after")
    def _options_fit_together(self) -> TrainingConfig:
        if self.class_weights and self.vote_weight:
            raise ValueError("class_weights and vote_weight exclude each other")
        if self.warmup_epochs and self.schedule != "cosine":
            raise ValueError('warmup_epochs needs schedule = "cosine"')
        if self.warmup_epochs >= self.epochs:
            raise ValueError("warmup_epochs must be fewer than epochs")
        if self.early_epochs >= self.epochs:
            raise ValueError("early_epochs must be fewer than epochs")
        return self

    @property
    def sides(self) -> list[int]:
        """The side of the faces in each epoch, in pixels."""
        late_epochs = self.epochs - self.early_epochs
        return [self.early_side] * self.early_epochs + [FACE_SIZE] * late_epochs


class DistillationConfig(_Table):
    """`[distillation]`: finished networks whose probabilities are part of the targets.

    Attributes:
        teachers: Names of experiments whose runs have finished.
        weight: The teachers' share of the emotions' targets; the rest is the smoothed label.
        views: Augmented views of each face that every teacher is asked about, once.
        label_heads: Ask the teachers' heads for FER2013's labels, not the blends with their vote
            heads that they ship.
    """

    teachers: list[str] = Field(min_length=1)
    weight: float = Field(gt=0, le=1)
    views: int = Field(default=4, ge=1)
    label_heads: bool = False


class Experiment(_Table):
    """One file of `experiments/`.

    Attributes:
        title: What it tries, in a line.
        rationale: Why, and what it changes against which experiment.
        status: "selected" for the one that `scripts/train.py` trains; no other may have it.
        finding: What came of it; empty until a run has finished.
        network: The shape of the network.
        augmentation: How training faces are varied.
        split: Training and validation.
        training: Optimizer, stopping and seed.
        distillation: What is learned of other networks; None for nothing.
    """

    title: str
    rationale: str
    status: Literal["selected", "candidate", "rejected"]
    finding: str = ""
    network: NetworkConfig
    augmentation: AugmentationConfig
    split: SplitConfig = SplitConfig()
    training: TrainingConfig = TrainingConfig()
    distillation: DistillationConfig | None = None

    @property
    def predecessors(self) -> list[str]:
        """The experiments whose finished runs this one needs."""
        teachers = self.distillation.teachers if self.distillation else []
        start = [self.training.start_from] if self.training.start_from else []
        return [*start, *teachers]

    @model_validator(mode="after")
    def _network_takes_small_faces(self) -> Experiment:
        if self.training.early_epochs and self.network.family != "residual":
            raise ValueError(
                'early_epochs needs family = "residual": other networks take 48 × 48 only'
            )
        return self


def load_experiment(path: Path) -> Experiment:
    """Read and check an experiment file.

    Args:
        path: A TOML file.

    Raises:
        ModelError: if the file is missing, is no TOML, or has an unknown key, a missing key or a
            value of the wrong type; the message names the key.
    """
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ModelError(
            f"There is no experiment file {path}: name one, such as experiments/000_baseline.toml."
        ) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ModelError(f"{path} is not a TOML file: {error}.") from None
    try:
        return Experiment.model_validate(table)
    except ValidationError as error:
        problems = "; ".join(
            f"{'.'.join(str(part) for part in problem['loc'])}: {problem['msg']}"
            f" (found {problem['input']!r})"
            for problem in error.errors()
        )
        raise ModelError(f"{path} is not a valid experiment. {problems}") from None


def selected_experiment(directory: Path) -> Path:
    """Return the one experiment file in `directory` whose status is "selected".

    Raises:
        ModelError: if there is none, or more than one.
    """
    selected = [
        path
        for path in sorted(directory.glob("*.toml"))
        if load_experiment(path).status == "selected"
    ]
    if len(selected) != 1:
        raise ModelError(
            f'Found {len(selected)} experiments with status = "selected" in {directory}'
            f" ({', '.join(path.name for path in selected) or 'none'}); expected exactly one."
        )
    return selected[0]
