"""Runs `ncf run` again and again, each time in a process of its own.

The start of a run is 15 s of imports. So each is forked from this process, which has
imported what others wrote and nothing of ours: our packages come from the folder that a
request names, which may hold an edited copy.

A request is a line of JSON: `code`, a folder; `arguments` of the command; `log`, a
file; and `kill_after`, a number of steps or null. A step is a call of ML Metadata or a
change of names and files. It is answered by the process's id and, once that has ended,
by its status (-9 is killed), its steps, and the seconds of a processor that it took. A
folder of our packages as an argument says that all requests are for these, so that they
are imported before, too.
"""

import gc
import json
import os
import signal
import sys
import time

STEPS = 0


def main():
    """Answers requests until there are no more."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    sys.path[:] = [path for path in sys.path if not path.endswith("reliability")]
    _import()
    if sys.argv[1:]:
        sys.path.insert(0, sys.argv[1])
        _import_ours()
    gc.collect()
    gc.freeze()  # So no child looks for garbage in what is shared.
    for line in sys.stdin:
        steps_read, steps_write = os.pipe()
        child = os.fork()
        if not child:
            os.close(steps_read)
            os._exit(_run(json.loads(line), steps_write))
        os.close(steps_write)
        print(child, file=answers, flush=True)
        with os.fdopen(steps_read) as told:
            steps = told.read()
        _, status, used = os.wait4(child, 0)
        seconds = round(used.ru_utime + used.ru_stime, 2)
        answer = [os.waitstatus_to_exitcode(status), int(steps or 0), seconds]
        print(json.dumps(answer), file=answers, flush=True)


def _import():
    import apache_beam  # noqa: F401
    import tensorflow  # noqa: F401
    import tensorflow_model_analysis  # noqa: F401
    import tensorflow_transform  # noqa: F401
    import tfx.v1  # noqa: F401
    from tfx.orchestration.local import local_dag_runner  # noqa: F401


def _import_ours():
    import matplotlib.backends.backend_svg  # noqa: F401
    import numba  # noqa: F401
    import tensorboard.compat  # noqa: F401

    from ncf_model import trainer  # noqa: F401
    from pipeline import cli, pipeline  # noqa: F401
    from pipeline.local import dag_runner, executions, running  # noqa: F401


def _run(request, steps_write):
    """Is the run; returns its exit status."""
    os.setsid()
    # What was started in the background of a script ignores it otherwise.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    with open(request["log"], "ab") as log:
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.set_inheritable(steps_write, False)
    if sys.path[0] != request["code"]:
        sys.path.insert(0, request["code"])
    os.chdir(request["code"])
    sys.argv = ["ncf", *request["arguments"]]
    _count(request["kill_after"])
    status = 1
    try:
        from pipeline import cli

        assert cli.__file__.startswith(request["code"]), cli.__file__
        cli.main()
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        import traceback

        traceback.print_exc()
    os.write(steps_write, str(STEPS).encode())
    sys.stdout.flush()
    sys.stderr.flush()
    return status


def _count(kill_after):
    """Counts steps; ends the process, as an outage does, before one too many."""
    from ml_metadata.metadata_store import metadata_store

    def counted(function):
        def call(*args, **named):
            global STEPS
            STEPS += 1
            if kill_after is not None and kill_after < STEPS:
                os.kill(os.getpid(), signal.SIGKILL)
                time.sleep(60)
            return function(*args, **named)

        return call

    store = metadata_store.MetadataStore
    store._call = counted(store._call)
    for name in ("rename", "replace", "unlink", "makedirs"):
        setattr(os, name, counted(getattr(os, name)))


if __name__ == "__main__":
    main()
