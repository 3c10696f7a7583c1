"""LatestBlessedModel: the blessed model that a new one has to measure up to."""
