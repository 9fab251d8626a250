"""Networks: their shapes in `config`, without Keras; one file per family; `build` makes them."""

import os

# TensorFlow reads it when it is imported. By itself it turns oneDNN's kernels on for some
# processors only, and without them convolutions train several times slower on the others.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
