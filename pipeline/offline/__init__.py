"""Rows and lists as files, without TFX: `ncf sample` and `ncf train`."""
