"""ExplainingEvaluator: TFX's Evaluator, which says why it did not bless a model."""
