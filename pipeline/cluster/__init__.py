"""The parts that Kubeflow Pipelines and Vertex AI share."""
