"""A stream of frames to a stream of results: following, smoothing, judging, and the threads."""
