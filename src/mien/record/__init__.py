"""The table of results, one row a face a frame: written as it comes, read back, shown as a page."""
