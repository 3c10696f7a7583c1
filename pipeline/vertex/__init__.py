"""The pipeline on Vertex AI Pipelines: compiled to the JSON that it accepts."""
