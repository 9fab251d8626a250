"""The colours of emotions and other labels, which colour-blind people can tell apart."""

from __future__ import annotations

import itertools
from functools import lru_cache
from types import MappingProxyType

from mien.core.types import FaceEmotion

Colour = tuple[int, int, int]

# The palette of Okabe and Ito (2008), which colour-blind people can tell apart, in BGR.
COLOURS = MappingProxyType(
    {
        "angry": (0, 94, 213),
        "disgust": (115, 158, 0),
        "fear": (167, 121, 204),
        "happy": (66, 228, 240),
        "sad": (178, 114, 0),
        "surprise": (0, 159, 230),
        "neutral": (233, 180, 86),
    }
)
"""The colour of each emotion, (blue, green, red)."""

# Paul Tol's "muted" scheme (2021), for what other networks tell apart, in BGR.
_FURTHER_COLOURS: tuple[Colour, ...] = (
    *((119, 102, 204), (136, 34, 51), (119, 204, 221), (51, 119, 17), (238, 204, 136)),
    *((85, 34, 136), (153, 170, 68), (51, 153, 153), (153, 68, 170)),
)

UNCERTAIN_COLOUR: Colour = (190, 190, 190)


@lru_cache(8)
def colours_of(labels: tuple[str, ...]) -> tuple[Colour, ...]:
    """Return the colour of each label: those of `COLOURS` where it is in there.

    They are all different for as many as artifacts have, 16; a record of others may name more.
    """
    free = [colour for emotion, colour in COLOURS.items() if emotion not in labels]
    others = itertools.cycle((*free, *_FURTHER_COLOURS))
    return tuple(COLOURS[label] if label in COLOURS else next(others) for label in labels)


def colour_of(face: FaceEmotion) -> Colour:
    """Return the colour that a face is drawn in: its emotion's, grey where that is uncertain."""
    if face.uncertain:
        return UNCERTAIN_COLOUR
    return colours_of(face.labels)[face.labels.index(face.emotion)]


def is_dark(colour: Colour) -> bool:
    """Whether white stands out from a colour better than black does."""
    blue, green, red = colour
    return 0.114 * blue + 0.587 * green + 0.299 * red <= 110
