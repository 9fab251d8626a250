"""Draw the learning curves of the run trained here last to results/model: `mien curves`.

python scripts/validation_loss_accuracy.py [results/runs/003_spatial_dropout]
"""

import sys

from mien.cli import main

if __name__ == "__main__":
    main(["curves", "--out", "results/model/learning_curves.png", *sys.argv[1:]])
