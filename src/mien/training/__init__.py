"""Training: the experiment file, augmentation, callbacks and the loop."""
