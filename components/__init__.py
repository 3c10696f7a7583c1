"""Our own TFX components. Only the pushers for clusters import another, `pusher`."""
