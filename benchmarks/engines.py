"""Tries whether a Beam runner can do what TFX's executors and ours need from a runner.

Usage: python benchmarks/engines.py --runner=RUNNER [arguments of Beam] [PROBE ...]

Each probe is the smallest Beam pipeline that needs one of these features; the script
prints a line for each. The script imports nothing but Beam and what the runner imports.
"""

import glob
import gzip
import pathlib
import sys
import tempfile
from collections.abc import Callable, Iterator

import apache_beam as beam
from apache_beam.options.pipeline_options import PipelineOptions


class Tagging(beam.DoFn):
    """Sends even numbers to the main output and odd ones to another."""

    def process(self, number: int) -> Iterator[object]:
        if number % 2:
            yield beam.pvalue.TaggedOutput("odd", number)
        else:
            yield number


class Holding(beam.DoFn):
    """Keeps its elements until the end of a bundle, as writers keep their files."""

    def start_bundle(self) -> None:
        self._held: list[int] = []

    def process(self, number: int) -> None:
        self._held.append(number)

    def finish_bundle(self) -> Iterator[object]:
        for number in self._held:
            yield beam.utils.windowed_value.WindowedValue(
                number, 0, [beam.transforms.window.GlobalWindow()]
            )


def _note(number: object, folder: str, name: str) -> None:
    pathlib.Path(folder, f"{name}-{number}").touch()


def _noted(folder: str, name: str) -> list[str]:
    found = glob.glob(f"{folder}/{name}-*")
    return sorted(path.rpartition("-")[2] for path in found)


def several_sinks(pipeline: beam.Pipeline, folder: str) -> Callable[[], object]:
    """Probes a pipeline with several sinks: every node writes more than one output."""
    numbers = pipeline | beam.Create([1, 2])
    for name in ("a", "b"):
        _ = numbers | name >> beam.Map(_note, folder, name)
    return lambda: [_noted(folder, "a"), _noted(folder, "b")] == [["1", "2"]] * 2


def tagged_outputs(pipeline: beam.Pipeline, folder: str) -> Callable[[], object]:
    """Probes tagged outputs, on which ExampleGen and NegativeSampling send reports."""
    split = (
        pipeline
        | beam.Create([1, 2, 3])
        | beam.ParDo(Tagging()).with_outputs("odd", main="even")
    )
    _ = split["odd"] | beam.Map(_note, folder, "odd")
    return lambda: _noted(folder, "odd") == ["1", "3"]


def finished_bundles(pipeline: beam.Pipeline, folder: str) -> Callable[[], object]:
    """Probes elements from `finish_bundle`, which is where batches and files come."""
    held = pipeline | beam.Create([1, 2]) | beam.ParDo(Holding())
    _ = held | beam.Map(_note, folder, "held")
    return lambda: _noted(folder, "held") == ["1", "2"]


def side_inputs(pipeline: beam.Pipeline, folder: str) -> Callable[[], object]:
    """Probes side inputs, by which NegativeSampling gets the items' counts."""
    numbers = pipeline | beam.Create([1, 2])
    total = numbers | beam.CombineGlobally(sum)
    _ = (
        numbers
        | "Add" >> beam.Map(lambda x, y: x + y, beam.pvalue.AsSingleton(total))
        | beam.Map(_note, folder, "sum")
    )
    return lambda: _noted(folder, "sum") == ["4", "5"]


def grouped(pipeline: beam.Pipeline, folder: str) -> Callable[[], object]:
    """Probes GroupByKey, with which InteractionsExampleGen collects a user's rows."""
    _ = (
        pipeline
        | beam.Create([("u", 1), ("v", 2), ("u", 3)])
        | beam.GroupByKey()
        | beam.Map(lambda pair: sum(pair[1]))
        | beam.Map(_note, folder, "user")
    )
    return lambda: _noted(folder, "user") == ["2", "4"]


def written_records(pipeline: beam.Pipeline, folder: str) -> Callable[[], object]:
    """Probes writing TFRecords, the form of all artifacts of type Examples."""
    _ = (
        pipeline
        | beam.Create([b"first", b"second"])
        | beam.io.WriteToTFRecord(f"{folder}/records", file_name_suffix=".gz")
    )

    def found() -> bytes:
        paths = glob.glob(f"{folder}/records-*.gz")
        return b"".join(gzip.decompress(pathlib.Path(p).read_bytes()) for p in paths)

    return lambda: all(record in found() for record in (b"first", b"second"))


PROBES = (
    grouped,
    side_inputs,
    several_sinks,
    tagged_outputs,
    finished_bundles,
    written_records,
)


def main() -> None:
    """Prints a line per probe."""
    arguments = [word for word in sys.argv[1:] if word.startswith("--")]
    chosen = set(sys.argv[1:]) - set(arguments)
    print(f"Beam {beam.__version__}, {' '.join(arguments)}")
    for probe in PROBES:
        if chosen and probe.__name__ not in chosen:
            continue
        with tempfile.TemporaryDirectory() as folder:
            try:
                with beam.Pipeline(options=PipelineOptions(arguments)) as pipeline:
                    right = probe(pipeline, folder)
                said = "ok" if right() else "WRONG: nothing raised, results are missing"
            except Exception as error:  # Any error of the runner is the probe's result.
                said = f"FAILS: {type(error).__name__}: {str(error)[:300]}"
        print(f"{probe.__name__:<18} {said}", flush=True)


if __name__ == "__main__":
    main()
