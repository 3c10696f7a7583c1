"""ShrinkGuard: stops a run whose data are much smaller than the data before."""
