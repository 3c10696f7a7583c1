"""Makes Beam quicker during a run: it keeps what it would compute anew, and more.

For each transform and each comparison of types Beam's `view_as` makes a parser of
arguments and parses the pipeline's with it, and for each DoFn Beam inspects the
signatures of its methods again and again. Both took a third of Beam's time on small
data. The results depend on the arguments alone, so they can be kept.

StatisticsGen takes half of its time if TFX batches the users by their bytes, up to
20 MB, and not at most 1,000 of them (`docs/scale.md`).
"""

import contextlib
import inspect
import weakref
from collections.abc import Callable, Iterator, MutableMapping
from typing import Any, TypeAlias

from absl import flags
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.transforms import core
from tfx_bsl.coders import batch_util

_Arguments: TypeAlias = tuple[list[str], list[Any]]


@contextlib.contextmanager
def remembering() -> Iterator[None]:
    """Lets Beam remember views of options and signatures of methods in the block."""
    view_as, arguments = PipelineOptions.view_as, core.get_function_args_defaults
    PipelineOptions.view_as = _remembered_views(view_as)
    core.get_function_args_defaults = _remembered_arguments(arguments)
    try:
        yield
    finally:
        PipelineOptions.view_as = view_as
        core.get_function_args_defaults = arguments


@contextlib.contextmanager
def large_batches() -> Iterator[None]:
    """Lets TFX's readers make batches of 20 MB in the block."""
    if not flags.FLAGS.is_parsed():
        flags.FLAGS.mark_as_parsed()
    flag = flags.FLAGS[batch_util._USE_BYTE_SIZE_BATCHING.name]
    before = flag.value
    flag.value = True
    try:
        yield
    finally:
        flag.value = before


def _remembered_views(view_as: Callable[..., Any]) -> Callable[..., Any]:
    """Returns `view_as` with a memory: all views of options share their values."""
    views: MutableMapping[Any, dict[type, Any]] = weakref.WeakKeyDictionary()

    def remembered(self: PipelineOptions, cls: type) -> Any:
        known = views.setdefault(self, {})
        if cls not in known:
            known[cls] = view_as(self, cls)
        return known[cls]

    return remembered


def _remembered_arguments(
    arguments: Callable[[Any], _Arguments],
) -> Callable[[Any], _Arguments]:
    """Returns `arguments` with a memory of methods, whatever object they belong to."""
    known: MutableMapping[Any, _Arguments] = weakref.WeakKeyDictionary()

    def remembered(function: Any) -> _Arguments:
        if not inspect.ismethod(function):
            return arguments(function)
        method = function.__func__
        if method not in known:
            known[method] = arguments(function)
        names, defaults = known[method]
        return list(names), list(defaults)

    return remembered
