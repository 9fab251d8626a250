"""What a face is for, in the words of FER2013 and of others."""

from __future__ import annotations

TRAINING, VALIDATION = "Training", "Validation"

TEST_USAGES = ("PublicTest", "PrivateTest", "Test")
"""Those that are scored."""

USAGES = (TRAINING, VALIDATION, *TEST_USAGES)

USAGE_OF_NAME = {
    **{usage.casefold(): usage for usage in USAGES},
    "train": TRAINING,
    "val": VALIDATION,
    "valid": VALIDATION,
    "dev": VALIDATION,
    "eval": VALIDATION,
    "evaluation": VALIDATION,
    "testing": "Test",
}
"""A name in small letters, and the use that it means."""
