"""Our own TFX components; only the pushers for clusters import another, `pusher`."""
