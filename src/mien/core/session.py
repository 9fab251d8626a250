"""Where ONNX sessions are opened, for every network that mien runs."""

from __future__ import annotations

import operator
from pathlib import Path

import onnxruntime

from mien.core.errors import ModelError, SettingError

_UNKNOWN_OPERATOR = ("not a registered function/op", "No Op registered")
_EXTERNAL_DATA = "External data path"
_EXTERNAL_FOLDER_KEY = "session.model_external_initializers_file_folder_path"
_NOWHERE = "/dev/null/mien opens no other file"
_WARNING, _ERROR = 2, 3  # ONNX Runtime's levels of logging
_PROVIDER = "ExecutionProvider"
_OF_NVIDIA = frozenset({"cuda", "tensorrt", "nvtensorrtrtx"})
_ON_GPU = _OF_NVIDIA | {"rocm", "migraphx"}


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
        ModelError: if it is no such network.
        SettingError: if ONNX Runtime has no such provider or it does not start, or the threads are
            no whole number from 1.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = _thread_count(threads)
    options.log_severity_level = _ERROR if has_false_shapes else _WARNING
    # It keeps a plan of the memory for every shape that it meets: with faces coming and going it
    # would grow for a long time, and is no faster.
    options.enable_mem_pattern = False
    # Threads that spin while they wait take the cores from the decoder and one another.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    if isinstance(model, bytes):
        # Weights in another file would be looked for in the working folder; no hash covers them.
        options.add_session_config_entry(_EXTERNAL_FOLDER_KEY, _NOWHERE)
    providers = [_provider(provider)]
    if _plain(provider) in _OF_NVIDIA:
        # CUDA and cuDNN as pip installs them lie where the system does not look for libraries.
        onnxruntime.preload_dlls()
    try:
        session = onnxruntime.InferenceSession(model, options, providers=providers)
    except Exception as error:  # ONNX Runtime's own errors share no narrower base.
        if isinstance(model, bytes) and (_EXTERNAL_DATA in str(error) or _NOWHERE in str(error)):
            raise ModelError(
                f"{name} keeps weights in another file, which its SHA-256 does not cover; expected "
                "one file with all of them. Save it again without external data: "
                "onnx.save(onnx.load(path), path)."
            ) from None
        advice = ""
        if any(found in str(error) for found in _UNKNOWN_OPERATOR):
            advice = " Expected operators of ONNX itself: export it without others."
        raise ModelError(
            f"ONNX Runtime {onnxruntime.__version__} cannot open {name}: {error}.{advice}"
        ) from error
    if session.get_providers()[:1] != providers:
        # It goes on with the CPU, with a warning at most.
        raise SettingError(
            f"The provider {provider!r} does not start: ONNX Runtime says above why, perhaps that "
            "a library of it is missing. Install what it needs, or leave the provider out."
        )
    return session


def runs_on_gpu(provider: str) -> bool:
    """Whether a provider, by any name that `open_session` takes, wants a GPU of its own."""
    return _plain(provider) in _ON_GPU


def _plain(provider: str) -> str:
    return provider.removesuffix(_PROVIDER).lower()


def _thread_count(threads: int | None) -> int:
    """Return the number as ONNX Runtime takes it: 0 for as many as there are cores."""
    if threads is None:
        return 0
    try:
        count = operator.index(threads)
    except TypeError:
        count = 0
    if count < 1:
        raise SettingError(
            f"Found threads={threads!r}; expected a whole number from 1, or None for one per core."
        )
    return count


def _provider(name: str) -> str:
    """Return ONNX Runtime's own name of a provider: `CPUExecutionProvider` of `cpu`."""
    if not isinstance(name, str):
        raise SettingError(f"Found the provider {name!r}; expected its name, such as 'cpu'.")
    available: dict[str, str] = {
        _plain(full): full for full in onnxruntime.get_available_providers()
    }
    full = available.get(_plain(name))
    if full is None:
        raise SettingError(
            f"This ONNX Runtime has no provider {name!r}: expected {', '.join(available)}. Others "
            "come with other builds of it, such as onnxruntime-gpu; remove onnxruntime before one "
            "is installed, for both have the same files (docs/install.md)."
        )
    return full
