"""ServedEvaluation: evaluates the model in service on what came after its training."""
