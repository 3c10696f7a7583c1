"""Runs `ncf run` again and again, each time in a process of its own.

A run normally starts with 15 s of imports. To save them, each run is forked from this
process, which has imported the packages that the project depends on, but none of the
project's own: these come from the folder that a request names, which may hold an edited
copy. If the script gets a folder as its argument, all requests use the project's
packages in that folder, which are then imported before the fork, too.

A request is a line of JSON with `code`, the folder; `arguments` of the command; `log`,
a file for the output; and `kill_after`, the number of steps after which the run is
killed, or null. A step is a call of ML Metadata or a change of names and files. The
first line of the answer is the id of the run's process. The second line comes when the
process has ended: its status (-9 if it was killed), its number of steps and its CPU
seconds.
"""

import gc
import json
import os
import signal
import sys
import time

STEPS = 0


def main():
    """Answers the requests on standard input, one after the other."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    sys.path[:] = [path for path in sys.path if not path.endswith("reliability")]
    _import()
    if sys.argv[1:]:
        sys.path.insert(0, sys.argv[1])
        _import_ours()
    gc.collect()
    gc.freeze()  # Garbage collection in the children leaves shared objects alone.
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
    """Runs the command in the forked process; returns the exit status."""
    os.setsid()
    # A process that a script starts in the background ignores SIGINT by default.
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
    """Counts steps, and kills the process before step `kill_after` + 1.

    Without `kill_after` steps are only counted.
    """
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
