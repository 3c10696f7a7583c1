import json
import os
import signal
import socket

import pytest

from pipeline.local import lock


def _child(out, ready):
    """Locks the folder in another process."""
    child = os.fork()
    if child:
        os.read(ready[0], 1)
        return child
    with lock.alone(out, doing="a test"):
        os.write(ready[1], b"x")
        signal.pause()
    os._exit(0)


def test_a_second_process_is_told_who_the_first_is(tmp_path):
    out, ready = tmp_path / "new" / "out", os.pipe()
    child = _child(out, ready)
    try:
        with (
            pytest.raises(lock.Busy, match=rf"process {child} on host") as told,
            lock.alone(out, doing="ncf run"),
        ):
            pass
        assert socket.gethostname() in str(told.value)
        assert "a test, since 20" in str(told.value)
        assert "another folder with --out" in str(told.value)
        with lock.alone(tmp_path / "beside", doing="ncf run"):
            pass
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    # The killed process has left its id in the file, but does not hold the lock.
    assert json.loads((out / lock.FILE).read_text())["pid"] == child
    with lock.alone(out, doing="ncf run"):
        assert json.loads((out / lock.FILE).read_text())["pid"] == os.getpid()


def test_the_folder_is_free_after_the_block_however_it_ended(tmp_path):
    with pytest.raises(KeyError, match="gone"), lock.alone(tmp_path, doing="one"):
        raise KeyError("gone")
    with lock.alone(tmp_path, doing="two"):
        pass
    assert (tmp_path / lock.FILE).read_text() == ""


def test_a_holder_that_left_no_name_is_unknown(tmp_path):
    with lock.alone(tmp_path, doing="one"):
        (tmp_path / lock.FILE).write_text("{")
        with (
            pytest.raises(lock.Busy, match="process unknown on host unknown"),
            lock.alone(tmp_path, doing="two"),
        ):
            pass
