"""The names of mien's own networks' outputs, in Keras files and in ONNX graphs, without Keras."""

from __future__ import annotations

from mien.core.labels import EMOTIONS, VOTE_CLASSES

LABEL_HEAD = "label_probabilities"
"""What FER2013's label would be, (N, 7)."""

VOTE_HEAD = "vote_probabilities"
"""What share of FER+'s raters would say each of ten things, (N, 10)."""

FEATURES = "features"
"""What the heads read, (N, F)."""

FACE_LIKENESS = "face_likeness"
"""The log odds of being a face, (N, 1); only in ONNX graphs (`mien.export.likeness`)."""

HEADS: dict[str, tuple[str, ...]] = {LABEL_HEAD: EMOTIONS, VOTE_HEAD: VOTE_CLASSES}
"""The classes of each head, in the order of its columns."""
