"""EvalContext: adds baselines and slices to the evaluation lists."""
