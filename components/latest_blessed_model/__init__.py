"""LatestBlessedModel: finds the blessed models that a new model is compared with."""
