"""KubeflowPusher: a Pusher that also uses Kubeflow's Model Registry."""
