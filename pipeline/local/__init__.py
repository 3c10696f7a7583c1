"""The run on this machine: what the terminal shows, and asking the pushed model."""
