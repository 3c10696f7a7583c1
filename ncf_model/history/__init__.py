"""A user by their history: the network that `model.history` describes."""
