"""Training: the experiment file, augmentation, callbacks and the loop."""

import mien.models  # noqa: F401  It sets what TensorFlow reads, before Keras is imported.
