"""VertexPusher: a Pusher that also deploys or registers the model on Vertex AI."""
