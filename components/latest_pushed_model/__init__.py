"""LatestPushedModel: the model in service, where there is no metadata store to ask."""
