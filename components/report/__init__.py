"""Report: the result of a run for people (HTML) and for tools (JSON)."""
