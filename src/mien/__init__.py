"""Recognise seven emotions in faces, live: angry, disgust, fear, happy, sad, surprise, neutral."""

from __future__ import annotations

import os
from importlib import import_module
from typing import TYPE_CHECKING, Any

# ONNX Runtime (from 1.29) writes a device identifier to the user's cache and sends usage data to
# its makers, unless this is set before it is first imported.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

if TYPE_CHECKING:
    from mien.classifier.classifier import Classifier, Outputs
    from mien.core.artifact import Artifact, Reading, load_artifact
    from mien.core.errors import (
        DataError,
        MienError,
        MissingExtraError,
        ModelError,
        OutputError,
        SettingError,
        SourceError,
    )
    from mien.core.labels import EMOTIONS
    from mien.core.types import Box, Face, FaceEmotion, MissedLimit
    from mien.engine.pipeline import EmotionStream, FrameFaces, stream
    from mien.engine.settings import EngineSettings
    from mien.faces.detect import Detector
    from mien.faces.gate import QualityGate
    from mien.media.frames import open_frames
    from mien.recognizer import Recognizer
    from mien.record.dataframe import to_dataframe

    __version__: str

__all__ = [
    "EMOTIONS",
    "Artifact",
    "Box",
    "Classifier",
    "DataError",
    "Detector",
    "EmotionStream",
    "EngineSettings",
    "Face",
    "FaceEmotion",
    "FrameFaces",
    "MienError",
    "MissedLimit",
    "MissingExtraError",
    "ModelError",
    "OutputError",
    "Outputs",
    "QualityGate",
    "Reading",
    "Recognizer",
    "SettingError",
    "SourceError",
    "__version__",
    "load_artifact",
    "open_frames",
    "stream",
    "to_dataframe",
]

# Where each name is. It is imported when it is first asked for, so that `import mien` (and with it
# `mien --help`) loads neither OpenCV nor ONNX Runtime.
_MODULE_OF_NAME = {
    "EMOTIONS": "mien.core.labels",
    "Artifact": "mien.core.artifact",
    "Box": "mien.core.types",
    "Classifier": "mien.classifier.classifier",
    "DataError": "mien.core.errors",
    "Detector": "mien.faces.detect",
    "EmotionStream": "mien.engine.pipeline",
    "EngineSettings": "mien.engine.settings",
    "Face": "mien.core.types",
    "FaceEmotion": "mien.core.types",
    "FrameFaces": "mien.engine.pipeline",
    "MienError": "mien.core.errors",
    "MissedLimit": "mien.core.types",
    "MissingExtraError": "mien.core.errors",
    "ModelError": "mien.core.errors",
    "OutputError": "mien.core.errors",
    "Outputs": "mien.classifier.classifier",
    "QualityGate": "mien.faces.gate",
    "Reading": "mien.core.artifact",
    "Recognizer": "mien.recognizer",
    "SettingError": "mien.core.errors",
    "SourceError": "mien.core.errors",
    "load_artifact": "mien.core.artifact",
    "open_frames": "mien.media.frames",
    "stream": "mien.engine.pipeline",
    "to_dataframe": "mien.record.dataframe",
}


def __getattr__(name: str) -> Any:
    if name == "__version__":
        return import_module("importlib.metadata").version("mien")
    if name not in _MODULE_OF_NAME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_MODULE_OF_NAME[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
