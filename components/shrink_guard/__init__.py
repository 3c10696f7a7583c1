"""ShrinkGuard: stops a run whose data are but a part of those judged last."""
