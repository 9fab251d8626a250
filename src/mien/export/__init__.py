"""From a trained Keras network to the artifact that the recogniser runs, and on to INT8."""

import mien.models  # noqa: F401  It sets what TensorFlow reads, before Keras is imported.
