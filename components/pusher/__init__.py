"""Pusher: TFX's Pusher, which pushes nothing without a blessing of this very model."""
