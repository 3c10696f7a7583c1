"""The start of a task in a process forked from one that has imported everything."""

import os

from pipeline.cluster import entrypoint


def run(arguments, folder, environment, log):
    """Runs the entry point as `python -m` would, with all output in `log`."""
    os.chdir(folder)
    os.environ.update(environment)
    with open(log, "wb") as stream:
        os.dup2(stream.fileno(), 1)
        os.dup2(stream.fileno(), 2)
    entrypoint.main(arguments)
