"""A Keras file, opened as a classifier; whoever imports this module imports Keras."""

from __future__ import annotations

import hashlib
from pathlib import Path

from mien.classifier.classifier import Classifier
from mien.core.artifact import Artifact
from mien.models.heads import FEATURES
from mien.models.keras_file import KerasBackend, heads_of, load_network
from mien.training.readings import uncalibrated_readings
from mien.training.run_folder import figures_beside, labels_beside


def open_keras_network(path: Path) -> Classifier:
    """Open a `.keras` file; the shares of its readings are those that its run's figures name.

    Args:
        path: The file; what lies beside it names experiment and shares (`figures_beside`).

    Raises:
        ModelError: if the file is not usable.
    """
    network = load_network(path)
    figures = figures_beside(path)
    classes = heads_of(network, labels_beside(path))
    readings = uncalibrated_readings(classes, figures)
    artifact = Artifact(
        onnx_path=path,
        experiment=figures["experiment"],
        heads=classes,
        readings=readings,
        default_reading=next(iter(readings)),
        features=FEATURES if FEATURES in network.output else None,
        sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
    )
    return Classifier(artifact, backend=KerasBackend(network))
