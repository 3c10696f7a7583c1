"""Data sets: finds, fetches or generates them."""
