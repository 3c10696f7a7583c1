"""KubeflowPusher: Pusher that also registers the model in Kubeflow's Model Registry."""
