"""Many pictures and videos: one process for `mien image`, Ray for `mien batch`."""
