"""Recognise seven emotions in faces, live: angry, disgust, fear, happy, sad, surprise, neutral."""

from __future__ import annotations

import os
from importlib import import_module
from typing import TYPE_CHECKING, Any

# ONNX Runtime (from 1.29) writes a device identifier to the user's cache and sends usage data to
# its makers, unless this is set before it is first imported.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

if TYPE_CHECKING:
    from mien.core.errors import (
        DataError,
        MienError,
        MissingExtraError,
        ModelError,
        SourceError,
    )
    from mien.core.labels import EMOTIONS
    from mien.core.types import Box, Face, FaceEmotion
    from mien.engine.pipeline import EmotionStream, FrameFaces, stream
    from mien.engine.settings import EngineSettings
    from mien.recognizer import Recognizer

__all__ = [
    "EMOTIONS",
    "Box",
    "DataError",
    "EmotionStream",
    "EngineSettings",
    "Face",
    "FaceEmotion",
    "FrameFaces",
    "MienError",
    "MissingExtraError",
    "ModelError",
    "Recognizer",
    "SourceError",
    "stream",
]

# Where each name is. It is imported when it is first asked for, so that `import mien` (and with it
# `mien --help`) loads neither OpenCV nor ONNX Runtime.
_MODULE_OF_NAME = {
    "EMOTIONS": "mien.core.labels",
    "Box": "mien.core.types",
    "DataError": "mien.core.errors",
    "EmotionStream": "mien.engine.pipeline",
    "EngineSettings": "mien.engine.settings",
    "Face": "mien.core.types",
    "FaceEmotion": "mien.core.types",
    "FrameFaces": "mien.engine.pipeline",
    "MienError": "mien.core.errors",
    "MissingExtraError": "mien.core.errors",
    "ModelError": "mien.core.errors",
    "Recognizer": "mien.recognizer",
    "SourceError": "mien.core.errors",
    "stream": "mien.engine.pipeline",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULE_OF_NAME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_MODULE_OF_NAME[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
