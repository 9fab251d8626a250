"""What every module shares: labels, types, errors, preprocessing, the artifact and downloads.

Nothing in here imports another part of mien.
"""
