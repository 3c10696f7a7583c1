"""ExportCheck: a SavedModel is asked before anybody else asks it."""
