"""Serving a pushed model: over HTTP, in bulk, and on a cluster; without TFX."""
