"""Negative sampling: which items a user has not seen, drawn exactly and quickly."""
