"""The pipeline on Kubeflow Pipelines 2.x: compiled, submitted, run in containers."""
