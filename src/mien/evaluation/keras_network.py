"""A Keras file, described and opened as a classifier; whoever imports this module imports Keras."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mien.classifier.classifier import Classifier
from mien.core.artifact import Artifact
from mien.core.files import hash_file
from mien.core.labels import EMOTIONS
from mien.faces.detect import FRAMINGS
from mien.models.heads import FEATURES
from mien.models.keras_file import KerasBackend, heads_of, load_network
from mien.training.readings import uncalibrated_readings
from mien.training.run_folder import figures_beside, labels_beside

if TYPE_CHECKING:
    import keras


def open_keras_network(path: Path) -> Classifier:
    """Open a `.keras` file; the shares of its readings are those that its run's figures name.

    Args:
        path: The file; what lies beside it names experiment and shares (`figures_beside`).

    Raises:
        ModelError: if the file is not usable.
    """
    network = load_network(path)
    figures = figures_beside(path)
    artifact = describe(network, path, figures["experiment"], figures, labels_beside(path))
    artifact = replace(artifact, sha256=hash_file(path))
    return Classifier(artifact, backend=KerasBackend(network))


def describe(
    network: keras.Model,
    path: Path,
    experiment: str,
    metrics: Mapping[str, Any],
    labels: tuple[str, ...] = EMOTIONS,
) -> Artifact:
    """Describe a network that is not calibrated yet.

    Args:
        network: A network of `mien.models.keras_file.load_network`.
        path: Its file, or the ONNX file that is to be written of it.
        experiment: Name of the experiment that trained it.
        metrics: The content of its run's `metrics.json`; single figures go into the sidecar.
        labels: What its label head tells apart.
    """
    classes = heads_of(network, labels)
    readings = uncalibrated_readings(classes, metrics)
    return Artifact(
        onnx_path=path,
        experiment=experiment,
        heads=classes,
        readings=readings,
        default_reading=next(iter(readings)),
        features=FEATURES if FEATURES in network.output else None,
        crop=FRAMINGS,
        metrics={name: value for name, value in metrics.items() if isinstance(value, int | float)},
    )
