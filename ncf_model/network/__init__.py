"""The NeuMF network: its tables, its layers and its matrix products."""
