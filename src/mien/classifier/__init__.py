"""From crops of faces to what the network says of them: an artifact is opened, checked and run."""
