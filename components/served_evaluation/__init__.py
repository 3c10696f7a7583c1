"""ServedEvaluation: the model in service, judged on what came since."""
