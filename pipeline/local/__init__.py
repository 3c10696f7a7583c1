"""Runs on this machine: running, showing, recording and comparing them."""
