"""What Kubeflow Pipelines and Vertex AI share: parameters, nodes, entry point."""
