"""The data of a study: read once for each way in which its candidates look at it."""

import time
from collections.abc import Hashable

from aimass_core.domain.jobs import TrainSpec
from batch_jobs.runtime.environment import Environment
from batch_jobs.train.forecasting import load_forecast
from batch_jobs.train.material import AnyChannel, Material, in_memory, load_material, read_channels, stays_on_disk
from batch_jobs.train.notes import Notes


class Materials:
    """Shared by the trials of one worker."""

    def __init__(self, environment: Environment, notes: Notes) -> None:
        self._environment, self.notes = environment, notes
        self._channels: dict[bool, dict[str, AnyChannel]] = {}
        self._materials: dict[Hashable, Material] = {}
        self.reading_seconds = 0.0
        """What all reading took so far."""

    def find(self, spec: TrainSpec) -> Material:
        """What such a training learns from. Raises as reading does."""
        began = time.monotonic()
        key = self._key(spec)
        if key not in self._materials:
            self._materials[key] = self._share(self._read(spec))
            self.reading_seconds += time.monotonic() - began
        return self._materials[key]

    def channels(self, spec: TrainSpec) -> dict[str, AnyChannel]:
        """As such a training reads them."""
        is_on_disk = stays_on_disk(self._environment, spec, self.notes)
        if is_on_disk not in self._channels:
            self._channels[is_on_disk] = read_channels(self._environment, spec, self.notes)
        return dict(self._channels[is_on_disk])

    def _key(self, spec: TrainSpec) -> Hashable:
        """Of what reading depends on."""
        hyperparameters = spec.resolve_hyperparameters()
        features = () if spec.features is None else tuple(sorted(spec.features.columns))
        return (
            stays_on_disk(self._environment, spec, self.notes),
            spec.resolve_algorithm().kinds,
            getattr(hyperparameters, "image_size", None),
            features,
        )

    def _read(self, spec: TrainSpec) -> Material:
        channels = self.channels(spec)
        if spec.horizon:
            return load_forecast(in_memory(channels), spec, self.notes)
        return load_material(channels, self._environment, spec, self.notes)

    def _share(self, material: Material) -> Material:
        """The one that is known already, where it holds the same."""
        for known in self._materials.values():
            same = (known.data_kind, known.columns, known.image_shape) == (
                material.data_kind,
                material.columns,
                material.image_shape,
            )
            if same and type(known.parts["train"].frame) is type(material.parts["train"].frame):
                return known
        return material
