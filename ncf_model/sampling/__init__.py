"""Negative sampling: draws items that a user has not seen, exactly and quickly."""
