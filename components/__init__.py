"""Our own TFX components. No component imports another."""
