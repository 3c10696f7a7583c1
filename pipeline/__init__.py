"""The pipeline: its configuration, its data sets, and how it is run."""

import ncf_model  # noqa: F401  Before NumPy, for which it sets a variable.
