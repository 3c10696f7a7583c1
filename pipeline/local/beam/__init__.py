"""The nodes on Beam: how many processes share one, safely, and in less time."""
