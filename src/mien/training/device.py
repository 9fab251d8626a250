"""What the backend computes on, and how to make the best of it."""

from __future__ import annotations

from pathlib import Path

import keras

_AMPERE = 8
"""The first generation of NVIDIA's processors that multiplies bfloat16 numbers fast."""


def gpu_generation() -> int | None:
    """Return the major compute capability of the backend's first GPU, None if it uses none.

    A GPU without one, of another maker, counts as 0.
    """
    backend = keras.backend.backend()
    if backend == "torch":
        import torch

        return torch.cuda.get_device_capability()[0] if torch.cuda.is_available() else None
    if backend == "jax":
        import jax

        device = jax.devices()[0]
        if device.platform == "cpu":
            return None
        return int(float(getattr(device, "compute_capability", 0)))
    import tensorflow

    gpus = tensorflow.config.list_physical_devices("GPU")
    if not gpus:
        return None
    details = tensorflow.config.experimental.get_device_details(gpus[0])
    return int(details.get("compute_capability", (0, 0))[0])


def best_precision() -> str:
    """Return "mixed_bfloat16" where bfloat16 numbers are multiplied fast, else "float32"."""
    generation = gpu_generation()
    if generation is not None:
        return "mixed_bfloat16" if generation >= _AMPERE else "float32"
    cpuinfo = Path("/proc/cpuinfo")
    instructions = set(cpuinfo.read_text(encoding="utf-8").split()) if cpuinfo.exists() else set()
    return "mixed_bfloat16" if instructions & {"amx_bf16", "avx512_bf16"} else "float32"


def compiles_with_xla() -> bool:
    """Say whether steps are compiled by XLA: on a GPU, and by JAX, which is slow without.

    On a processor XLA halves the speed of TensorFlow's convolutions.
    """
    backend = keras.backend.backend()
    return backend == "jax" or (backend == "tensorflow" and gpu_generation() is not None)


def augments_on_device() -> bool:
    """Say whether faces are augmented by the backend: on a GPU; OpenCV is faster on a processor."""
    return gpu_generation() is not None


def export_needs() -> str | None:
    """Say what an export to ONNX will need besides this backend; None if nothing.

    To be told before the first epoch, not after the last.
    """
    backend = keras.backend.backend()
    if backend == "tensorflow":
        return None
    return (
        f"The network trains on {backend} and is saved as a .keras file, which every backend "
        "opens. Its artifact is made with TensorFlow: where that is installed, run mien export "
        "afterwards, without KERAS_BACKEND."
    )
