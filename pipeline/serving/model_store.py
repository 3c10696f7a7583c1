"""Keeps the versions in memory in step with the serving folder."""

import threading
from collections.abc import Callable, Sequence

from absl import logging

from pipeline.serving.errors import RequestError
from pipeline.serving.loaded_model import LoadedModel


class ModelStore:
    """The current version and a few before it.

    The highest complete version is the current one; if its folder is deleted, the next
    lower one is. A request keeps the model with which it started, so no request fails
    when the current version changes. A version that cannot be loaded is skipped, and
    the versions in memory continue to answer.
    """

    def __init__(
        self,
        *,
        list_versions: Callable[[], Sequence[int]],
        load: Callable[[int], LoadedModel],
        keep: int,
        poll_s: float,
        observe: Callable[[str, int], None] = lambda event, version: None,
    ) -> None:
        """Loads nothing yet.

        Args:
            list_versions: returns the complete versions in the folder.
            load: loads a version.
            keep: how many versions to keep in memory, >= 1.
            poll_s: seconds between two looks into the folder.
            observe: called with `loaded`, `failed` or `current`, and the version.
        """
        self._list_versions, self._load = list_versions, load
        self._keep, self._poll_s, self._observe = keep, poll_s, observe
        # The current one is first. The tuple is replaced, so readers need no lock.
        self._models: tuple[LoadedModel, ...] = ()
        self._failed: set[int] = set()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def current(self) -> LoadedModel:
        """The model that answers unless a version is asked for.

        Raises:
            RequestError: no version is loaded yet.
        """
        if not self._models:
            raise RequestError(503, "No version is loaded yet; ask /readyz for when.")
        return self._models[0]

    @property
    def models(self) -> tuple[LoadedModel, ...]:
        """The models in memory, the current one first."""
        return self._models

    def get(self, version: int) -> LoadedModel:
        """Returns one version.

        Raises:
            RequestError: the version is not in memory.
        """
        for model in self._models:
            if model.version == version:
                return model
        raise RequestError(
            404,
            f"Version {version} is not loaded; "
            f"{sorted(model.version for model in self._models)} are.",
        )

    def refresh(self) -> None:
        """Makes the highest loadable version the current one."""
        on_disk = sorted(self._list_versions(), reverse=True)
        self._failed &= set(on_disk)
        loaded = {model.version: model for model in self._models}
        for version in on_disk:
            if version in self._failed:
                continue
            model = loaded.get(version) or self._try(version)
            if model is not None:
                self._make_current(model, on_disk)
                return

    def start(self) -> None:
        """Starts a thread that looks into the folder again and again."""
        self._thread = threading.Thread(target=self._watch, name="model-store")
        self._thread.daemon = True
        self._thread.start()

    def stop(self) -> None:
        """Stops looking; the models stay."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(timeout=self._poll_s + 1)

    def _watch(self) -> None:
        while not self._stop.wait(self._poll_s):
            self._look()

    def _look(self) -> None:
        try:
            self.refresh()
        except Exception:  # A folder that cannot be read must not end the service.
            logging.exception("The serving folder could not be read.")

    def _try(self, version: int) -> LoadedModel | None:
        try:
            model = self._load(version)
        except Exception:
            self._failed.add(version)
            self._observe("failed", version)
            logging.exception(
                "Version %d cannot be loaded; it is passed over.", version
            )
            return None
        self._observe("loaded", version)
        return model

    def _make_current(self, model: LoadedModel, on_disk: Sequence[int]) -> None:
        if self._models and self._models[0] is model:
            return
        others = [m for m in self._models if m is not model and m.version in on_disk]
        self._models = (model, *others[: self._keep - 1])
        self._observe("current", model.version)
        logging.info("Version %d is the current one.", model.version)
