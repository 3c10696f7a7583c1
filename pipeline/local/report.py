"""Completes a run's report with titles, times and memory, and puts it into place."""

import functools
import pathlib
import shutil
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from components.report import page
from components.report import summary as summaries
from components.report.document import Run, Setting, ShownItem, ShownUser, Summary
from ncf_model.serving import versions
from pipeline.local import in_service, run_record, summary_file
from pipeline.local.memory import Memory
from pipeline.local.store import Store

PAGE_FILE = "index.html"
_Result = TypeVar("_Result")


def publish(
    out: pathlib.Path,
    run_id: int,
    *,
    command: str,
    memory: Memory,
    before: versions.Version | None,
    titles: Mapping[str, str],
    config: Mapping[str, Mapping[str, Any]],
) -> Summary:
    """Copies a run's report to `out/report` and completes it; returns the summary.

    Args:
        out: the folder of the run.
        run_id: the id of the run's context in ML Metadata.
        command: the command that was typed.
        memory: the memory measured while the nodes ran.
        before: the version that was in service before the run.
        titles: raw item id -> title; may be empty.
        config: `value` and `default` of each field, by its dotted name.
    """
    store = Store(out)
    run = next(run for run in store.runs if run.id == run_id)
    outputs = (id_ for execution in run.executions for id_ in execution.outputs)
    source = store.of_type(outputs, summary_file.REPORT_TYPE)[-1].uri
    return place(
        source,
        out,
        lambda folder: complete(
            folder,
            run_record.describe(store, run, command=command, memory=memory.between),
            titles=titles,
            config={name: Setting(**setting) for name, setting in config.items()},
            not_compared=functools.partial(in_service.not_compared, before, out),
        ),
    )


def place(
    source: str, out: pathlib.Path, finish: Callable[[pathlib.Path], _Result]
) -> _Result:
    """Copies a report, completes the copy, and then replaces `out/report` by it.

    Args:
        source: the folder of the node's report.
        out: the folder of the run.
        finish: completes the copy in a folder; its result is returned.
    """
    report, partial = out / "report", out / "report.partial"
    shutil.rmtree(partial, ignore_errors=True)
    shutil.copytree(source, partial)
    result = finish(partial)
    shutil.rmtree(report, ignore_errors=True)
    partial.replace(report)
    return result


def complete(
    folder: pathlib.Path,
    run: Run,
    *,
    titles: Mapping[str, str],
    config: Mapping[str, Setting],
    not_compared: Callable[[Summary], list[str]],
) -> Summary:
    """Writes the two files of a report anew; returns the summary.

    Each file is whole at any moment.

    Args:
        folder: with the two files that the node Report wrote.
        run: what the runner knows of the run.
        titles: raw item id -> title; may be empty.
        config: every field of the configuration.
        not_compared: returns what the node's summary cannot say of models that the new
            one was not compared with.
    """
    summary = summary_file.read(folder)
    summary = summary.model_copy(
        update={
            "run": run,
            "config": summaries.with_tuned(
                config, summary.history.tuned if summary.history else {}
            ),
            "seconds": {node.name: node.seconds or 0.0 for node in run.nodes},
            "cached": sorted(node.name for node in run.nodes if node.cached),
            "not_compared": [*summary.not_compared, *not_compared(summary)],
            "users": [_titled(user, titles) for user in summary.users],
        }
    )
    of_node = folder / PAGE_FILE
    drawn = of_node.read_text(encoding="utf-8", errors="replace")
    for name, text in (
        (summary_file.NAME, summary.to_json()),
        (PAGE_FILE, page.render(summary, earlier=drawn)),
    ):
        partial = folder / f"{name}.partial"
        partial.write_text(text, encoding="utf-8")
        partial.replace(folder / name)
    return summary


def _titled(user: ShownUser, titles: Mapping[str, str]) -> ShownUser:
    def titled(item: ShownItem) -> ShownItem:
        return item.model_copy(update={"title": titles.get(item.item_id, item.title)})

    return user.model_copy(
        update={
            "history": [titled(item) for item in user.history],
            "held_out": user.held_out and titled(user.held_out),
            "recommendations": [titled(item) for item in user.recommendations],
        }
    )
