"""Our own TFX components. Each stands alone: none imports another."""
