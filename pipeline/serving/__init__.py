"""Asking a pushed model: over HTTP, in bulk, and on a cluster. No TFX in here."""
