"""Keras networks, one file per family, and the one function that builds them."""

from mien.models.build import (
    NetworkConfig,
    build_network,
    count_multiply_adds,
    to_plain_float32,
)

__all__ = ["NetworkConfig", "build_network", "count_multiply_adds", "to_plain_float32"]
