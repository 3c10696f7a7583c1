"""Calls of Cloud Storage's clients, each in a process with its own environment."""

import os
import traceback

import local_cluster


def call(function, environment, *arguments, timeout_s=240):
    """Returns what `function` returns in a process with `environment`.

    Args:
        function: defined at the top level of a module.

    Raises:
        RuntimeError: `function` raised; the message has the traceback.
    """
    context = local_cluster.warm_context()
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(
        target=_run, args=(function, environment, arguments, theirs)
    )
    process.start()
    theirs.close()
    try:
        assert ours.poll(timeout_s), "no answer in time"
        kind, value = ours.recv()
    except EOFError:
        process.join()
        raise RuntimeError(f"ended with code {process.exitcode}") from None
    finally:
        process.kill()
        process.join()
    if kind == "error":
        raise RuntimeError(value)
    return value


def _run(function, environment, arguments, pipe):
    os.environ.update(environment)
    try:
        pipe.send(("value", function(*arguments)))
    except BaseException:
        pipe.send(("error", traceback.format_exc()))
