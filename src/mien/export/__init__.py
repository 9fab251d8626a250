"""From a trained Keras network to the artifact that the recogniser runs, and on to INT8."""

from mien.export.onnx_file import export_file, export_model, has_calibrated_export

__all__ = ["export_file", "export_model", "has_calibrated_export"]
