"""Training: epochs, compiled steps, strategies, checkpoints and validation."""
