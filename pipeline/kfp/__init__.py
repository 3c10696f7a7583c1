"""The pipeline on Kubeflow Pipelines 2.x: compiling, submitting, schedules."""
