"""VertexPusher: Pusher that also deploys the model to a Vertex AI endpoint."""
