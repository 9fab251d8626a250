"""Draw the learning curves of the run trained here last, in its folder: `mien curves`.

python scripts/validation_loss_accuracy.py [results/runs/003_spatial_dropout]
"""

import sys

from mien.cli import main

if __name__ == "__main__":
    main(["curves", *sys.argv[1:]])
