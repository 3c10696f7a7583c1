"""The pipeline on Vertex AI Pipelines: compiling, submitting, schedules."""
