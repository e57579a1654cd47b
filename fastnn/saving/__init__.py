"""Files: models and checkpoints, their configs, checksums and safe writing."""
