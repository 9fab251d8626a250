"""`mien video`: a video file in; a record, an annotated video, or both out."""
