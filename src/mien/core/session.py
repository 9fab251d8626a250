"""Where ONNX sessions are opened, for every network that mien runs."""

from __future__ import annotations

from pathlib import Path

import onnxruntime

from mien.core.errors import ModelError

_WARNING, _ERROR = 2, 3  # ONNX Runtime's levels of logging


def open_session(
    model: Path | bytes,
    name: str,
    *,
    threads: int | None = None,
    provider: str = "cpu",
    has_false_shapes: bool = False,
) -> onnxruntime.InferenceSession:
    """Open a network.

    Args:
        model: Its file, or the content of that.
        name: What to call it in an error.
        threads: How many threads ONNX Runtime may use; None for as many as there are cores.
        provider: What ONNX Runtime runs on, `cpu`, `cuda`, …: its execution providers.
        has_false_shapes: Whether the file states shapes of outputs that it does not keep to;
            ONNX Runtime is then not to warn of each.

    Raises:
        ModelError: if it is no such network, or ONNX Runtime has no such provider.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads or 0
    options.log_severity_level = _ERROR if has_false_shapes else _WARNING
    # It keeps a plan of the memory for every shape that it meets: with faces coming and going it
    # would grow for a long time, and is no faster.
    options.enable_mem_pattern = False
    # Threads that spin while they wait take the cores from the decoder and one another.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    providers = [_provider(provider)]
    try:
        return onnxruntime.InferenceSession(model, options, providers=providers)
    except Exception as error:  # ONNX Runtime's own errors share no narrower base.
        raise ModelError(
            f"ONNX Runtime {onnxruntime.__version__} cannot open {name}: {error}"
        ) from error


def _provider(name: str) -> str:
    """Return ONNX Runtime's own name of a provider: `CPUExecutionProvider` of `cpu`."""
    suffix = "ExecutionProvider"
    available: dict[str, str] = {
        full.removesuffix(suffix).lower(): full for full in onnxruntime.get_available_providers()
    }
    full = available.get(name.removesuffix(suffix).lower())
    if full is None:
        raise ModelError(
            f"This ONNX Runtime has no provider {name!r}: expected {', '.join(available)}. Others "
            "come with other builds of it, such as onnxruntime-gpu."
        )
    return full
