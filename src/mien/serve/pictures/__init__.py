"""From the bytes of an uploaded picture to pixels, without believing anything that they say."""
