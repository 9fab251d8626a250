"""What a backend needs is said, and nothing is said where nothing is needed."""

import pytest

keras = pytest.importorskip("keras", reason="needs mien[train]")

from mien.training import device


@pytest.fixture
def backend(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    monkeypatch.setattr(keras.backend, "backend", lambda: request.param)


@pytest.mark.parametrize("backend", ["jax", "torch"], indirect=True)
def test_a_backend_that_cannot_export_says_what_can(backend: None) -> None:
    assert "run mien export afterwards, without KERAS_BACKEND" in device.export_needs()


@pytest.mark.parametrize("backend", ["tensorflow"], indirect=True)
def test_tensorflow_needs_nothing_more(backend: None) -> None:
    assert device.export_needs() is None


@pytest.mark.parametrize(
    ("generation", "precision"),
    [(9, "mixed_bfloat16"), (8, "mixed_bfloat16"), (7, "float32"), (0, "float32")],
    ids=["Hopper", "Ampere", "Turing", "another maker"],
)
def test_a_gpu_computes_in_what_it_is_fast_at(
    monkeypatch: pytest.MonkeyPatch, generation: int, precision: str
) -> None:
    monkeypatch.setattr(device, "gpu_generation", lambda: generation)
    assert device.best_precision() == precision


@pytest.mark.parametrize("backend", ["jax"], indirect=True)
def test_jax_is_compiled_wherever_it_runs(backend: None) -> None:
    assert device.compiles_with_xla()


@pytest.mark.parametrize(("generation", "expected"), [(0, True), (7, True), (None, False)])
def test_faces_are_augmented_where_the_network_is_if_that_is_a_gpu(
    monkeypatch: pytest.MonkeyPatch, generation: int | None, expected: bool
) -> None:
    monkeypatch.setattr(device, "gpu_generation", lambda: generation)
    assert device.augments_on_device() is expected
