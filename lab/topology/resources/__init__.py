"""Azure's resources, as written -> as the model has them: a file each, with the rules by which Azure refuses it."""
