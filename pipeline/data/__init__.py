"""Data sets: where each is found, how it is fetched or made up."""
