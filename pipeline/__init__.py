"""The pipeline: its configuration, its data sets, and how it is run."""
