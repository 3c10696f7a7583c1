"""EvalContext: what a judge needs to know beside each evaluation list."""
