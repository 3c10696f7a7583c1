"""When `make bench` calls a measurement slower, faster or the same."""

import re

import pytest

from benchmarks import bench_page, comparison, results

MACHINE = {"processor": "A", "cores": 2}


def _result(made, figures, *, pace=1.0, cores=2):
    return results.Result(
        made=made,
        full=False,
        machine=MACHINE | {"cores": cores},
        versions={"python": "3.10.13", "tfx": "1.16.0"},
        load={"a": (0.5, 1.5)},
        pace={"a": pace},
        figures={
            name: results.Figure(name, unit, values)
            for name, (unit, values) in figures.items()
        },
    )


def _verdict(unit, then, now, **pace):
    old = _result("2026-01-01T00:00:00Z", {"a/x": (unit, then)})
    new = _result("2026-01-02T00:00:00Z", {"a/x": (unit, now)}, **pace)
    (change,) = comparison.changes(new, old)
    return change.verdict, round(change.slower, 3)


@pytest.mark.parametrize(
    ("unit", "then", "now", "expected"),
    [
        ("s", [1.0, 1.0], [1.11, 1.11], ("slower", 1.11)),
        ("s", [1.0, 1.0], [1.09, 1.09], ("same", 1.09)),
        ("s", [1.0, 1.0], [0.9, 0.9], ("faster", 0.9)),
        ("examples/s", [100.0, 100.0], [80.0, 80.0], ("slower", 1.25)),
        # Quartiles are 5% above and below each median, so 4 * .0707 is noise.
        ("ns", [0.9, 1.0, 1.1], [1.17, 1.3, 1.43], ("slower", 1.3)),
        ("ns", [0.9, 1.0, 1.1], [1.125, 1.25, 1.375], ("same", 1.25)),
        # For a single measurement a change of up to .3536 is taken for noise.
        ("MB", [100.0], [130.0], ("same", 1.3)),
        ("MB", [100.0], [140.0], ("slower", 1.4)),
    ],
)
def test_what_lies_beyond_the_noise(unit, then, now, expected):
    assert _verdict(unit, then, now) == expected


def test_a_slower_machine_is_taken_out_of_times_and_not_of_memory():
    assert _verdict("CPU s", [1.0, 1.0], [2.0, 2.0], pace=2.0) == ("same", 1.0)
    assert _verdict("MB", [1.0, 1.0], [2.0, 2.0], pace=2.0) == ("slower", 2.0)


def test_accuracy_is_no_matter_of_speed():
    old = _result("2026-01-01T00:00:00Z", {"a/x": ("hit_rate@10", [0.6])})
    assert comparison.changes(old, old) == []


def test_the_last_result_of_such_a_machine(tmp_path):
    for made, cores in (("2026-01-01", 2), ("2026-01-02", 2), ("2026-01-03", 4)):
        figures = {"a/x": ("s", [1.0, 3.0])}
        result = _result(made + "T00:00:00Z", figures, cores=cores)
        result.write(tmp_path / f"{made}.json")
    new = _result("2026-01-04T00:00:00Z", {})
    found = results.last([tmp_path, tmp_path / "none"], new)
    assert found.made == "2026-01-02T00:00:00Z"
    assert found.figures["a/x"].median == 2.0
    assert found.figures["a/x"].spread == 0.25
    assert found.load == {"a": (0.5, 1.5)}


def test_the_page_says_what_got_slower():
    old = _result("2026-01-01T00:00:00Z", {"a/<x>": ("s", [1.0, 1.0])})
    new = _result("2026-01-02T00:00:00Z", {"a/<x>": ("s", [2.0, 2.0])})
    page = bench_page.render(new, old, comparison.changes(new, old))
    assert "a/&lt;x&gt;: slower, 2.00 times as slow (noise 10%)" in page
    assert "no earlier result" in bench_page.render(new, None, [])


def test_figures_that_can_share_an_axis_are_drawn():
    figures = {
        "chain/a/Trainer": ("s", [2.0]),
        "chain/a/Report": ("s", [1.0]),
        "chain/a/peak MB": ("MB", [900.0]),
        "scaling/1M/Transform/seconds": ("s", [2.0]),
        "scaling/1M/Evaluator/seconds": ("s", [3.0]),
    }
    page = bench_page.render(_result("2026-01-01T00:00:00Z", figures), None, [])
    assert page.count("<svg") == 2
    shown = re.findall(r"<h2>(\w+)</h2>|<td>([^<]+)</td><td>([^<]+)</td>", page)
    assert shown == [
        ("chain", "", ""),
        ("", "a/Trainer", "2"),
        ("", "a/Report", "1"),
        ("", "a/peak MB", "900"),
        ("scaling", "", ""),
        ("", "1M/Transform/seconds", "2"),
        ("", "1M/Evaluator/seconds", "3"),
    ]
