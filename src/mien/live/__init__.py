"""Live recognition: `mien live`, in a window or into a video file."""
