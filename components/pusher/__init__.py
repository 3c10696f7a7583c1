"""Pusher: TFX's Pusher, which pushes a model only with a blessing of that model."""
