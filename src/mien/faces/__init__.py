"""Faces in a picture: finding them and cutting them out for the network."""
