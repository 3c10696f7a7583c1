"""The network of users by their history, which `model.history` describes."""
