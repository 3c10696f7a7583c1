"""Training rows and ranked lists as files, for use outside TFX: `ncf sample`."""
