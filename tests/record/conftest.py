import numpy as np
import pytest

from mien.core.labels import EMOTIONS
from mien.core.types import Box, FaceEmotion


@pytest.fixture
def result():
    """Return the function that makes one result."""
    return _result


def _result(
    frame=0,
    track_id=1,
    emotion="happy",
    confidence=0.7,
    *,
    fps=25.0,
    uncertain=False,
    detected=True,
):
    label = EMOTIONS.index(emotion)
    probabilities = np.full(7, (1 - confidence) / 6, np.float32)
    probabilities[label] = confidence
    return FaceEmotion(
        frame=frame,
        timestamp_ms=frame * 1000 / fps,
        track_id=track_id,
        box=Box(10.25, 20.5, 48.125, 60.0),
        detection_score=0.9,
        emotion=emotion,
        confidence=float(probabilities[label]),
        probabilities=probabilities,
        uncertain=uncertain,
        detected=detected,
        raw_probabilities=np.roll(probabilities, 1),
    )
