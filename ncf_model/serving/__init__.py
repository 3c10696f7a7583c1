"""Serving: the SavedModel and its signatures."""
