"""Pictures and videos in and out: frames from any source, a video writer, the overlay."""
