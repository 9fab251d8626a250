"""The experiment file: a whole recipe in TOML, checked to the last key."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationError, model_validator
from pydantic_core import ErrorDetails

from mien.core.errors import DataError, ModelError
from mien.core.preprocess import FACE_SIZE
from mien.data.classes import FER2013_CLASSES, ClassTable
from mien.models.config import Fraction, NetworkConfig, Table
from mien.training.recipe_file import read_recipe_file

SHIPPED = "shipped"
"""As `start_from`: the shipped network."""

_OF_FACES_ONLY = (
    *("start_from", "head_epochs", "freeze_normalization", "label_smoothing", "vote_weight"),
    "class_weights",
)
"""Keys of `[training]` that temporal networks do not know."""


class AugmentationConfig(Table):
    """`[augmentation]` of an experiment file; every range is symmetric around "unchanged".

    Attributes:
        horizontal_flip: Mirror every second face on average.
        rotation_degrees: Largest rotation, in degrees.
        shift_fraction: Largest shift along each axis, as a fraction of the side.
        zoom_fraction: Largest change of scale, 0.1 for 0.9 to 1.1.
        brightness: Largest change added to all pixels, on the scale [0, 1].
        contrast: Largest change of the factor that stretches pixels around the face's mean.
        erasing_probability: Share of faces in which a rectangle is replaced by noise
            (Zhong et al. 2017, arXiv 1708.04896).
        spoiled_probability: Share of faces that are shown as a bad camera does: blurred, dim,
            noisy, compressed or partly covered (`mien.data.disturb.TRAINING`).
        mixup_alpha: Faces and targets of a batch are mixed in pairs, in shares drawn from
            Beta(alpha, alpha) (Zhang et al. 2018, arXiv 1710.09412); 0 for none.
    """

    horizontal_flip: bool = True
    rotation_degrees: float = Field(default=0.0, ge=0, le=180)
    shift_fraction: Fraction = 0.0
    zoom_fraction: Fraction = 0.0
    brightness: Fraction = 0.0
    contrast: Fraction = 0.0
    erasing_probability: Fraction = 0.0
    spoiled_probability: Fraction = 0.0
    mixup_alpha: float = Field(default=0.0, ge=0, le=1000)


class ClassesConfig(Table):
    """`[classes]`: what is learnt, and what the data call it; without it FER2013's seven emotions.

    Attributes:
        names: Two to sixteen classes, in the order of the network's outputs.
        other_names: A name that the data use, and the class that it means.
        left_out: Names whose faces are left out.
    """

    names: list[str]
    other_names: dict[str, str] = Field(default_factory=dict)
    left_out: list[str] = Field(default_factory=list)

    @model_validator(mode="after")
    def _is_a_table(self) -> ClassesConfig:
        try:
            self.table()
        except DataError as error:
            raise ValueError(str(error)) from None
        return self

    def table(self) -> ClassTable:
        """Return them as the readers of data take them."""
        return ClassTable(tuple(self.names), self.other_names, tuple(self.left_out))


class DataConfig(Table):
    """`[data]`: the faces of a recipe that is not about FER2013.

    Attributes:
        path: A file or folder of faces, seen from the working folder; the option `--data` goes
            before it, `data/train.csv` after it.
        groups: The column that names each face's group, a person say, all of whose faces are on one
            side of a split; for a folder a regular expression that finds it in a picture's path.
    """

    path: str = ""
    groups: str = ""


class SplitConfig(Table):
    """`[split]`: which part of the training faces chooses the epoch.

    Data that say themselves which faces are for validation are not split by `validation_fraction`.

    Attributes:
        validation_fraction: Share of the faces, stratified; copies of a face stay together.
        training_part: Part of the other faces that is trained on, stratified; below 1 for trying
            out what a whole run would be too dear for.
        seed: Seed of the split.
        near_copies_apart: Leave out training faces that are another crop or a mirror image of a
            validation face (`mien.data.near_copies`); exact copies are kept apart in any case. It
            takes some minutes.
        folds: Cut the faces into so many folds for cross-validation; 0 for none.
        fold: The fold that is held out, from 1: it neither trains nor chooses the epoch, and the
            finished network is scored on it.
    """

    validation_fraction: float = Field(default=0.1, gt=0, lt=1)
    training_part: float = Field(default=1.0, gt=0, le=1)
    seed: int = Field(default=2013, ge=0, lt=2**32)
    near_copies_apart: bool = False
    folds: int = Field(default=0, ge=0, le=50)
    fold: int = Field(default=0, ge=0)

    @model_validator(mode="after")
    def _fold_is_one_of_them(self) -> SplitConfig:
        if self.folds == 1 or bool(self.folds) != bool(self.fold) or self.fold > self.folds:
            raise ValueError("give folds (2 or more) and fold (from 1 to folds), or neither")
        return self


class TrainingConfig(Table):
    """`[training]`: objective, optimizer, stopping and seed.

    Attributes:
        seed: Seed of the weights, of dropout, of the order of faces and of their augmentation.
        start_from: Name of an experiment whose run has finished, to start from its weights, which
            have the same shapes; "shipped" for the shipped network; empty to start
            from random ones. Heads of other classes start from random weights.
        epochs: Most epochs to train.
        early_epochs: So many epochs, the first ones, see the faces reduced to `early_side`, where
            an epoch costs a fraction (progressive resizing). Validation and the last epoch are
            always at 48 × 48.
        early_side: Side of the faces in these epochs, in pixels: 16 or 32.
        batch_size: Faces per step.
        optimizer: "adam", or "sgd" with Nesterov's momentum of 0.9.
        learning_rate: The highest learning rate.
        schedule: "plateau" lowers the rate when the validation loss does not fall, "cosine" lowers
            it to 0 over all epochs.
        warmup_epochs: Epochs in which a cosine schedule's rate first rises from 0; never the last.
        head_epochs: So many epochs, the first ones, train the heads alone; where there are no
            more, all of them.
        freeze_normalization: Batch normalisation keeps its weights and statistics, which few faces
            would spoil.
        input_rate_factor: Factor on the learning rate of the first layer; from it to the heads,
            whose factor is 1, it rises geometrically.
        weight_decay: Decoupled decay of all weights but biases and batch normalisation.
        label_smoothing: Share of a label's certainty that is spread over all classes.
        vote_weight: Weight of a second head that learns FER+'s votes; 0 for none.
        average_decay: Decay of the moving average of the weights that is validated and kept
            instead of the weights themselves; 0 for none.
        class_weights: Weigh each face by the inverse frequency of its class, which MixUp and
            teachers would blur.
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
    learning_rate: float = Field(default=1e-3, gt=0, le=1000)
    schedule: Literal["plateau", "cosine"] = "plateau"
    warmup_epochs: int = Field(default=0, ge=0)
    head_epochs: int = Field(default=0, ge=0)
    freeze_normalization: bool = False
    input_rate_factor: float = Field(default=1.0, gt=0, le=1)
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
        if self.early_stopping_patience < self.sides.count(self.early_side):
            raise ValueError(
                "early_stopping_patience is less than early_epochs: the run may end before it has "
                "seen faces of 48 pixels"
            )
        return self

    @property
    def rising_epochs(self) -> int:
        """Epochs in which the rate rises: of a shortened recipe, all but the last at most."""
        return min(self.warmup_epochs, self.epochs - 1)

    @property
    def sides(self) -> list[int]:
        """The side of the faces in each epoch, in pixels; in the last it is always 48."""
        early_epochs = min(self.early_epochs, self.epochs - 1)
        return [self.early_side] * early_epochs + [FACE_SIZE] * (self.epochs - early_epochs)


class DistillationConfig(Table):
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


class SequencesConfig(Table):
    """`[sequences]`: what a temporal network learns from; see `mien.training.temporal`.

    Attributes:
        reading: The shipped network's reading that it belongs to; empty for the default one.
        faces: So many of FER2013's training faces sequences are made of.
        per_epoch: So many synthetic sequences are an epoch.
        steps: So many time steps a synthetic sequence has, and the part that is taken of a clip at
            most.
        held_out_faces: So many validation faces, and of `mien evaluate` test faces, sequences are
            made of.
        held_out: So many sequences are made of these.
        clip_weight: How much the answer for a whole sequence counts against all of its time steps.
    """

    reading: str = ""
    faces: int = Field(default=3200, ge=1)
    per_epoch: int = Field(default=2560, ge=1)
    steps: int = Field(default=40, ge=2)
    held_out_faces: int = Field(default=600, ge=1)
    held_out: int = Field(default=400, ge=1)
    clip_weight: float = Field(default=0.3, ge=0)


class Experiment(Table):
    """One file of `experiments/`.

    Attributes:
        title: What it tries, in a line.
        rationale: Why, and what it changes against which experiment.
        status: "selected" for the two that ship: one face network, which `scripts/train.py` trains,
            and one temporal network.
        finding: What came of it; empty until a run has finished.
        network: The shape of the network.
        classes: What is learnt; None for FER2013's seven emotions.
        data: Which faces.
        augmentation: How training faces are varied.
        sequences: What a temporal network learns from; None for others.
        split: Training and validation.
        training: Optimizer, stopping and seed.
        distillation: What is learned of other networks; None for nothing.
    """

    title: str
    rationale: str
    status: Literal["selected", "candidate", "rejected"]
    finding: str = ""
    network: NetworkConfig
    classes: ClassesConfig | None = None
    data: DataConfig = DataConfig()
    augmentation: AugmentationConfig = AugmentationConfig()
    sequences: SequencesConfig | None = None
    split: SplitConfig = SplitConfig()
    training: TrainingConfig = TrainingConfig()
    distillation: DistillationConfig | None = None

    @property
    def class_table(self) -> ClassTable:
        """The classes, and what the data call them."""
        return FER2013_CLASSES if self.classes is None else self.classes.table()

    @property
    def is_temporal(self) -> bool:
        """Whether its network is one over time, not of faces."""
        return self.network.family == "temporal"

    @model_validator(mode="after")
    def _votes_and_teachers_know_seven_emotions(self) -> Experiment:
        if self.classes is not None and (self.training.vote_weight or self.distillation):
            raise ValueError(
                "[classes] goes with neither vote_weight nor [distillation]: FER+'s raters and the "
                "teachers know FER2013's seven emotions only"
            )
        return self

    @model_validator(mode="after")
    def _class_weights_know_the_class(self) -> Experiment:
        if self.training.class_weights and (self.augmentation.mixup_alpha or self.distillation):
            raise ValueError(
                "class_weights goes with neither mixup_alpha nor [distillation]: a face's target "
                "is then not its class alone"
            )
        return self

    @model_validator(mode="after")
    def _networks_over_time_have_sequences(self) -> Experiment:
        if self.is_temporal != (self.sequences is not None):
            raise ValueError(
                'the table [sequences] belongs to family = "temporal", and to no other'
            )
        if self.sequences is not None and (unused := self._unused_over_time()):
            raise ValueError(
                f'{", ".join(unused)} would change nothing with family = "temporal": leave it out'
            )
        return self

    def _unused_over_time(self) -> list[str]:
        """Name what is set and has no say in what a temporal network learns."""
        tables = {
            "[augmentation]": self.augmentation != AugmentationConfig(),
            "[classes]": self.classes is not None,
            "[distillation]": self.distillation is not None,
            "data.groups": bool(self.data.groups),
        }
        untouched = TrainingConfig()
        keys = {
            f"training.{key}": getattr(self.training, key) != getattr(untouched, key)
            for key in _OF_FACES_ONLY
        }
        return [name for name, is_set in (tables | keys).items() if is_set]

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
    return parse_experiment(read_recipe_file(path), str(path))


def parse_experiment(text: str, where: str) -> Experiment:
    """Check the text of an experiment file.

    Args:
        text: TOML.
        where: What the messages call it.

    Raises:
        ModelError: see `load_experiment`.
    """
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ModelError(f"{where} is not a TOML file: {error}.") from None
    try:
        return Experiment.model_validate(table)
    except ValidationError as error:
        problems = "; ".join(map(_describe, error.errors()))
        raise ModelError(f"{where} is not a valid experiment. {problems}") from None


def _describe(problem: ErrorDetails) -> str:
    where = ".".join(str(part) for part in problem["loc"])
    message = problem["msg"].removeprefix("Value error, ")
    # What does not fit together is a whole table; the message names its keys.
    found = "" if isinstance(problem["input"], dict) else f" (found {problem['input']!r})"
    return f"{where}: {message}{found}" if where else f"{message}{found}"


def check_experiments(directory: Path) -> None:
    """See that there is a folder of experiment files.

    Raises:
        ModelError: if there is none.
    """
    if not directory.is_dir():
        raise ModelError(
            f"There is no folder {directory} here: run this in mien's repository, write a recipe "
            "with `mien experiments new NAME`, or train one that ships with mien by its name "
            "(`mien train 003`)."
        )


def selected_experiment(directory: Path) -> Path:
    """Return the one face network's file in `directory` whose status is "selected".

    Raises:
        ModelError: if there is no such folder, no such file, or more than one.
    """
    check_experiments(directory)
    selected = [
        path
        for path in sorted(directory.glob("*.toml"))
        if (experiment := load_experiment(path)).status == "selected"
        and experiment.network.family != "temporal"
    ]
    if len(selected) != 1:
        raise ModelError(
            f'Found {len(selected)} face networks with status = "selected" in {directory}'
            f" ({', '.join(path.name for path in selected) or 'none'}); expected exactly one."
        )
    return selected[0]
