"""LatestPushedModel: finds the pushed models that a new model is compared with."""
