"""Datasets of labelled faces: reading, splitting, downloading and exploring them."""
