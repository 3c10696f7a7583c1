"""ExportCheck: checks that an exported model answers as it was trained."""
