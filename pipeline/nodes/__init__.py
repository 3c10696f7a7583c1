"""The nodes of the pipeline, how they are wired, and their names."""
