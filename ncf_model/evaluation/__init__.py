"""Evaluation: ranks, list-wise metrics and what the Evaluator wrote."""
