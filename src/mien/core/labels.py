"""The seven emotions, in FER2013's order."""

EMOTIONS: tuple[str, ...] = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")
"""Emotion names; the index of a name is its label (0 to 6) in FER2013's files."""
