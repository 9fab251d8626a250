"""Draw a run's learning curves again from its history: `mien curves`, which see.

python scripts/validation_loss_accuracy.py [results/runs/003_spatial_dropout]
"""

import sys

from mien.cli import main

if __name__ == "__main__":
    main(["curves", *sys.argv[1:]])
