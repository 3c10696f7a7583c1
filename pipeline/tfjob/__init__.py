"""Training on several machines, as a TFJob of Kubeflow's Training Operator."""
