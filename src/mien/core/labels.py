"""The seven emotions in FER2013's order, and what FER+'s raters could say."""

EMOTIONS: tuple[str, ...] = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")
"""Emotion names; the index of a name is its label (0 to 6) in FER2013's files."""

VOTE_CLASSES: tuple[str, ...] = (
    "neutral",
    "happy",
    "surprise",
    "sad",
    "angry",
    "disgust",
    "fear",
    "contempt",
    "unknown",
    "not a face",
)
"""What FER+'s ten raters could vote for, in the order of its file's columns."""
