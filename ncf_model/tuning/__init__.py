"""The search for better hyperparameters, on validation items."""
