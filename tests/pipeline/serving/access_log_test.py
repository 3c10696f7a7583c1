import contextlib
import itertools
import logging
import os

from pipeline.serving import access_log


def _record(text):
    return logging.LogRecord("ncf.access", logging.INFO, "", 0, "%s", (text,), None)


def _read_all(descriptor):
    with open(descriptor, encoding="utf-8") as f:
        return f.read().splitlines()


def test_writes_every_line_in_order():
    reading, writing = os.pipe()
    handler = access_log.AccessLogHandler(writing)
    for number in range(100):
        handler.emit(_record(f"line {number}"))
    assert handler.finish(60)
    os.close(writing)
    assert _read_all(reading) == [f"line {number}" for number in range(100)]


def _fill(writing):
    """Fills the pipe until not one more byte fits."""
    os.set_blocking(writing, False)
    for size in (4096, 1):
        with contextlib.suppress(BlockingIOError):
            while True:
                os.write(writing, b"\n" * size)
    os.set_blocking(writing, True)


def test_nobody_waits_for_a_reader_who_stands_still():
    reading, writing = os.pipe()
    _fill(writing)
    lost = []
    handler = access_log.AccessLogHandler(
        writing, lost=lambda: lost.append(1), waiting=10
    )
    for number in range(1000):
        handler.emit(_record(f"{number}"))
    assert not handler.finish(0.01)
    assert lost
    # Once the pipe is read again, the lines that were not lost come in order.
    with open(reading, encoding="utf-8") as f:
        lines = iter(f.readline, None)
        numbers = [int(line) for line in _take(lines, 1000 - len(lost))]
    assert numbers == sorted(set(numbers))
    assert numbers[0] == 0
    handler.finish(60)
    os.close(writing)


def _take(lines, count):
    return itertools.islice((line for line in lines if line != "\n"), count)


def test_a_reader_who_is_gone_is_no_error():
    reading, writing = os.pipe()
    os.close(reading)
    lost = []
    handler = access_log.AccessLogHandler(writing, lost=lambda: lost.append(1))
    handler.emit(_record("for nobody"))
    assert handler.finish(60)
    assert lost == [1]
    os.close(writing)
