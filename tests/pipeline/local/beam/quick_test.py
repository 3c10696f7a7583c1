"""Beam computes views and signatures once in the block, and gives the same results."""

import argparse
import contextlib
import functools

import apache_beam as beam
import pytest
from apache_beam.options.pipeline_options import (
    DebugOptions,
    PipelineOptions,
    StandardOptions,
    TypeOptions,
)
from apache_beam.testing.util import assert_that, equal_to
from apache_beam.transforms import core
from tfx_bsl.coders import batch_util

from pipeline.local.beam import quick


class _Add(beam.DoFn):
    def __init__(self, number):
        self._number = number

    def process(self, element, factor=2, window=beam.DoFn.WindowParam):
        yield element * factor + self._number


def _users(number):
    return [b"0" * 3_000] * number


@pytest.fixture
def parsers(monkeypatch):
    """Returns a list with an entry for each parsing of arguments."""
    made = []
    parse = argparse.ArgumentParser.parse_known_args

    def counted(self, *args, **named):
        made.append(1)
        return parse(self, *args, **named)

    monkeypatch.setattr(argparse.ArgumentParser, "parse_known_args", counted)
    return made


def test_a_view_is_made_once_and_shares_its_values(parsers):
    options = PipelineOptions(["--runner=DirectRunner"])
    with quick.remembering():
        view = options.view_as(StandardOptions)
        before = len(parsers)
        assert options.view_as(StandardOptions) is view
        assert len(parsers) == before
        assert view.runner == "DirectRunner"
        view.runner = "FnApiRunner"
        assert options.view_as(DebugOptions).view_as(StandardOptions).runner == (
            "FnApiRunner"
        )
        other = PipelineOptions(["--runner=PrismRunner"])
        assert other.view_as(StandardOptions).runner == "PrismRunner"
    assert options.view_as(StandardOptions) is not view
    assert options.view_as(StandardOptions).runner == "FnApiRunner"


def test_arguments_of_a_method_are_inspected_once(monkeypatch):
    inspected = []
    arguments = core.get_function_args_defaults

    def counted(function):
        inspected.append(function.__name__)
        return arguments(function)

    monkeypatch.setattr(core, "get_function_args_defaults", counted)
    with quick.remembering():
        first = core.get_function_arguments(_Add(1), "process")
        first[0].append("changed by the caller")
        second = core.get_function_arguments(_Add(2), "process")
        assert inspected == ["process"]
    assert second == (
        ["element", "factor", "window"],
        [2, beam.DoFn.WindowParam],
    )
    core.get_function_arguments(_Add(1), "process")
    assert inspected == ["process", "process"]


@pytest.mark.parametrize(("large", "most"), [(True, 6_991), (False, 1_000)])
def test_batches_are_as_large_as_their_bytes_allow(monkeypatch, large, most):
    """6,991 users of 3,000 bytes have 20 MB."""
    # Beam lets batches grow while they are quick, which a busy machine is not.
    make = beam.BatchElements.__init__
    monkeypatch.setattr(
        beam.BatchElements, "__init__", functools.partialmethod(make, clock=lambda: 0.0)
    )

    def check(sizes):
        assert sum(sizes) == 20_000
        assert most * 0.9 < max(sizes) <= most

    batches = quick.large_batches() if large else contextlib.nullcontext()
    with batches, beam.Pipeline("FnApiRunner") as pipeline:
        users = pipeline | beam.Create([20_000]) | beam.FlatMap(_users)
        batched = users | batch_util.BatchRecords(None, None)
        assert_that(batched | beam.Map(len), check)


def test_a_pipeline_does_not_parse_for_each_transform(parsers):
    """Without the memory a pipeline parses for each transform, and more than once."""

    def parsed(transforms):
        parsers.clear()
        with quick.remembering(), beam.Pipeline("FnApiRunner") as pipeline:
            pipeline.options.view_as(TypeOptions)
            numbers = pipeline | beam.Create([1, 2])
            for place in range(transforms):
                numbers |= f"add {place}" >> beam.ParDo(_Add(1), 1)
            assert_that(numbers, equal_to([1 + transforms, 2 + transforms]))
        return len(parsers)

    parsed(1)  # Beam parses more often in the first pipeline of a process.
    assert parsed(9) == parsed(1)
