"""Tries whether a Beam runner can do what TFX's executors and ours ask of one.

Usage: python benchmarks/engines.py --runner=RUNNER [arguments of Beam] [PROBE ...]

Each line is one thing that every node needs, in the smallest pipeline that shows it.
Only Beam is imported, and what the runner imports.
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
    """Gives out its elements at the end of a bundle, as writers do with their files."""

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
    """Every node writes more than one thing."""
    numbers = pipeline | beam.Create([1, 2])
    for name in ("a", "b"):
        _ = numbers | name >> beam.Map(_note, folder, name)
    return lambda: [_noted(folder, "a"), _noted(folder, "b")] == [["1", "2"]] * 2


def tagged_outputs(pipeline: beam.Pipeline, folder: str) -> Callable[[], object]:
    """ExampleGen and NegativeSampling report beside what they write."""
    split = (
        pipeline
        | beam.Create([1, 2, 3])
        | beam.ParDo(Tagging()).with_outputs("odd", main="even")
    )
    _ = split["odd"] | beam.Map(_note, folder, "odd")
    return lambda: _noted(folder, "odd") == ["1", "3"]


def finished_bundles(pipeline: beam.Pipeline, folder: str) -> Callable[[], object]:
    """Batches and files are given out at the end of a bundle."""
    held = pipeline | beam.Create([1, 2]) | beam.ParDo(Holding())
    _ = held | beam.Map(_note, folder, "held")
    return lambda: _noted(folder, "held") == ["1", "2"]


def side_inputs(pipeline: beam.Pipeline, folder: str) -> Callable[[], object]:
    """NegativeSampling reads the items' counts as a side input, for the lists."""
    numbers = pipeline | beam.Create([1, 2])
    total = numbers | beam.CombineGlobally(sum)
    _ = (
        numbers
        | "Add" >> beam.Map(lambda x, y: x + y, beam.pvalue.AsSingleton(total))
        | beam.Map(_note, folder, "sum")
    )
    return lambda: _noted(folder, "sum") == ["4", "5"]


def grouped(pipeline: beam.Pipeline, folder: str) -> Callable[[], object]:
    """InteractionsExampleGen groups the rows of each user."""
    _ = (
        pipeline
        | beam.Create([("u", 1), ("v", 2), ("u", 3)])
        | beam.GroupByKey()
        | beam.Map(lambda pair: sum(pair[1]))
        | beam.Map(_note, folder, "user")
    )
    return lambda: _noted(folder, "user") == ["2", "4"]


def written_records(pipeline: beam.Pipeline, folder: str) -> Callable[[], object]:
    """All artifacts of Examples are files of TFRecords."""
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
            except Exception as error:  # Whatever a runner raises is the answer.
                said = f"FAILS: {type(error).__name__}: {str(error)[:300]}"
        print(f"{probe.__name__:<18} {said}", flush=True)


if __name__ == "__main__":
    main()
