"""How candidates follow each other: cheap ones first, a beam, an end in time, and failures that end nothing."""

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import onnx
import pytest
from onnx import numpy_helper

from aimass_core.domain.compression import CompressionMethod, CompressionStep, CompressSpec
from aimass_core.domain.schemas import ColumnType
from batch_jobs.compress.compressing import settle
from batch_jobs.compress.contract import Ground, Proposal, Settings, UnfitError
from batch_jobs.compress.judging import Judge
from batch_jobs.compress.searching import Search, name_of
from batch_jobs.registered.material import read_material
from batch_jobs.registered.models import RegisteredModel
from batch_jobs.train.notes import Notes
from tests.unit.batch_jobs.channel_files import write_channel
from tests.unit.batch_jobs.conftest import RecordingReporter, Train, build_environment

METHODS = CompressionMethod


@dataclass
class FakeMethod:
    """Makes files of chosen sizes out of any model, with other weights where it is to spoil them; `made` collects what
    was applied to what, in order."""

    method: CompressionMethod
    proposals: Sequence[Proposal]
    made: list[tuple[str, str]]
    error: Exception | None = None
    on_apply: Callable[[], None] = field(default=lambda: None)

    def propose(self, model: onnx.ModelProto, ground: Ground) -> Sequence[Proposal]:
        if not self.proposals:
            raise UnfitError("nothing to do here")
        return self.proposals

    def apply(self, model: onnx.ModelProto, settings: Settings, ground: Ground) -> onnx.ModelProto:
        self.made.append((model.doc_string.strip("."), str(self.method)))
        self.on_apply()
        if self.error is not None:
            raise self.error
        changed = onnx.ModelProto()
        changed.CopyFrom(model)
        for weights in (each for each in changed.graph.initializer if settings.get("is_spoiled")):
            values = numpy_helper.to_array(weights)
            if values.dtype.kind == "f":
                weights.CopyFrom(numpy_helper.from_array(values * 2, weights.name))
        changed.doc_string = f"{model.doc_string.strip('.')}/{self.method}" + "." * int(settings.get("size") or 0)
        return changed


@pytest.fixture
def build_search(tmp_path: Path, train_model: Train) -> Callable[..., Search]:
    """On a model of one column with 5,000 bytes that say nothing: what methods change is how many."""
    values = [float(number % 40) for number in range(120)]
    columns = {"x": (ColumnType.NUMBER, values), "y": (ColumnType.NUMBER, [2.0 * value + 1 for value in values])}
    channels = {"train": write_channel(tmp_path / "train", columns, target="y")}
    parent = train_model(channels, "linear")
    spec = CompressSpec.model_validate({"kind": "compress", "parent": "tiny@1", "data": {"dataset": "tiny"}})
    original = RegisteredModel.load(parent.model_path, name="tiny@1")
    padded = onnx.load_from_string(original.model)
    padded.doc_string = "." * 5_000
    original = dataclasses.replace(original, model=padded.SerializeToString())
    assert spec.data is not None
    environment = build_environment(tmp_path / "compress", channels, spec)  # type: ignore[arg-type]
    material = read_material(environment, spec.data, [original], Notes(RecordingReporter()))
    judge = Judge(material, original.signature, spec, num_threads=1)

    def build(*methods: FakeMethod, seconds_left: Callable[[], float | None] = lambda: None) -> Search:
        reporter = RecordingReporter()
        ground = Ground(
            spec=spec,
            original=original,
            material=material,
            score=judge.rank,
            num_threads=1,
            seed=0,
            scratch_path=tmp_path,
            seconds_left=seconds_left,
            message=reporter.message,
        )
        return Search(methods=list(methods), ground=ground, judge=judge, reporter=reporter, device_threads=1)

    return build


def _one(*, is_trained: bool = False, size: int = 1) -> list[Proposal]:
    return [Proposal(settings={"size": size}, is_trained=is_trained)]


def test_steps_follow_each_other_in_one_order_and_the_cheap_come_first(build_search: Callable[..., Search]) -> None:
    made: list[tuple[str, str]] = []
    search = build_search(
        FakeMethod(METHODS.QUANTIZATION, _one(), made),
        FakeMethod(METHODS.SPARSIFICATION, _one(is_trained=True, size=4_000), made),
        FakeMethod(METHODS.FACTORIZATION, _one(size=3_000), made),
    )
    search.run()
    assert made[0] == ("", "factorization")
    assert [method for _, method in made].index("sparsification") >= 2
    assert ("/sparsification", "factorization") in made
    assert not any(base.endswith("quantization") for base, _ in made)
    assert search.made[0].entry.name == "original"


def test_what_a_lossless_step_beats_is_not_gone_on_from(build_search: Callable[..., Search]) -> None:
    made: list[tuple[str, str]] = []
    search = build_search(
        FakeMethod(METHODS.FACTORIZATION, [*_one(size=500), *_one(size=4_000)], made),
        FakeMethod(METHODS.QUANTIZATION, _one(), made),
    )
    beaten = []
    search.run()
    for each in search.made:
        if each.entry.name == "factorization size 4000":
            beaten.append(each)
    assert len(beaten) == 1
    slower = beaten[0].entry.cost.latency_p50_ms >= search.made[1].entry.cost.latency_p50_ms
    # Where by chance it was measured to be faster, nothing beats it.
    expanded = [base for base, method in made if method == "quantization" and base == "/factorization"]
    assert len(expanded) == (1 if slower else 2)


def test_a_method_that_fails_is_told_and_ends_nothing(build_search: Callable[..., Search]) -> None:
    made: list[tuple[str, str]] = []
    search = build_search(
        FakeMethod(METHODS.TRIMMING, [], made),
        FakeMethod(METHODS.FACTORIZATION, _one(), made, error=RuntimeError("no such operator")),
        FakeMethod(METHODS.QUANTIZATION, _one(), made),
    )
    search.run()
    reasons = {each.method: each.reason for each in search.unfit}
    assert reasons[METHODS.TRIMMING] == "nothing to do here"
    assert "RuntimeError: no such operator" in reasons[METHODS.FACTORIZATION]
    assert [each.entry.name for each in search.made] == ["original", "quantization size 1"]


def test_time_that_is_up_ends_the_search_with_what_there_is(build_search: Callable[..., Search]) -> None:
    made: list[tuple[str, str]] = []
    left = [10.0]
    search = build_search(
        FakeMethod(METHODS.FACTORIZATION, _one(), made, on_apply=lambda: left.__setitem__(0, 0.0)),
        FakeMethod(METHODS.QUANTIZATION, [*_one(), *_one(size=2)], made),
        seconds_left=lambda: left[0],
    )
    search.run()
    assert made == [("", "factorization")]
    assert len(search.made) == 2


def test_steps_that_train_get_their_part_of_a_limited_time(build_search: Callable[..., Search]) -> None:
    made: list[tuple[str, str]] = []
    now = [0.0]

    def spend(seconds: float) -> Callable[[], None]:
        return lambda: now.__setitem__(0, now[0] + seconds)

    cheap = [proposal for size in range(1, 40) for proposal in _one(size=size)]
    search = build_search(
        FakeMethod(METHODS.QUANTIZATION, cheap, made, on_apply=spend(2.0)),
        FakeMethod(METHODS.SPARSIFICATION, _one(is_trained=True, size=60), made, on_apply=spend(20.0)),
        seconds_left=lambda: 60.0 - now[0],
    )
    search.clock = lambda: now[0]
    search.run()
    # After a tenth of the minute the one that trains has its turn, and what follows on it comes after.
    assert [method for _, method in made].index("sparsification") == 4
    assert ("/sparsification", "quantization") in made


def test_structures_are_made_before_one_of_them_is_trained(build_search: Callable[..., Search]) -> None:
    made: list[tuple[str, str]] = []
    cuts = [proposal for size in (3_000, 2_000, 1_000) for proposal in _one(size=size)]
    search = build_search(
        FakeMethod(METHODS.QUANTIZATION, _one(), made),
        FakeMethod(METHODS.FINETUNING, _one(is_trained=True, size=500), made),
        FakeMethod(METHODS.SPARSIFICATION, cuts, made),
    )
    search.run()
    assert made[:3] == [("", "sparsification")] * 3
    trained = made.index(("/sparsification", "finetuning"))
    # What it was worth is asked at once; the original is not trained, as nothing was cut from it.
    assert made[trained + 1] == ("/sparsification/finetuning", "quantization")
    assert ("", "finetuning") not in made


def test_within_limits_a_structure_is_quantized_before_minutes_are_spent_on_it(
    build_search: Callable[..., Search],
) -> None:
    made: list[tuple[str, str]] = []
    # What they answer untrained is hopeless, so that nothing else would be made of them.
    cuts = [Proposal(settings={"size": size, "is_spoiled": True}) for size in (3_000, 2_000)]
    search = build_search(
        FakeMethod(METHODS.QUANTIZATION, _one(size=200), made),
        FakeMethod(METHODS.FINETUNING, _one(is_trained=True, size=1_500), made),
        FakeMethod(METHODS.SPARSIFICATION, cuts, made),
    )
    spec = search.spec.model_copy(update={"max_model_bytes": 3_000})
    search.ground = dataclasses.replace(search.ground, spec=spec)
    search.run()
    trained = made.index(("/sparsification", "finetuning"))
    assert ("/sparsification", "quantization") in made[:trained]
    assert 1 <= made.count(("/sparsification", "quantization")) <= len(cuts)


@pytest.mark.parametrize(
    ("is_spoiled", "max_model_bytes", "num_made"), [(True, 6_000, 2), (False, 6_000, 1), (True, 4_000, 1)]
)
def test_a_step_is_bettered_where_it_loses_too_much_and_that_would_help(
    build_search: Callable[..., Search], *, is_spoiled: bool, max_model_bytes: int, num_made: int
) -> None:
    made: list[tuple[str, str]] = []
    settings: Settings = {"size": 2_000, "is_spoiled": is_spoiled}
    bettering = Proposal(settings={"size": 2_100}, is_trained=True, betters=settings)
    search = build_search(FakeMethod(METHODS.QUANTIZATION, [bettering, Proposal(settings=settings)], made))
    spec = search.spec.model_copy(update={"max_model_bytes": max_model_bytes})
    search.ground = dataclasses.replace(search.ground, spec=spec)
    search.run()
    assert made == [("", "quantization")] * num_made
    assert [each.is_trained for each in search.made] == [False, False, True][: num_made + 1]


def test_only_what_was_measured_beside_the_original_is_chosen(build_search: Callable[..., Search]) -> None:
    """By what was measured before, each for itself, all are fast."""
    made: list[tuple[str, str]] = []
    proposals = [proposal for size in (3_000, 2_000, 1_000) for proposal in _one(size=size)]
    search = build_search(FakeMethod(METHODS.QUANTIZATION, proposals, made))
    search.run()
    true = search.made[1].entry.cost.latency_p50_ms
    spec = search.spec.model_copy(update={"max_latency_ms": true / 100})
    search.ground = dataclasses.replace(search.ground, spec=spec)
    fast = {"latency_p50_ms": true / 1_000}
    for place, each in enumerate(search.made):
        entry = each.entry.model_copy(update={"cost": each.entry.cost.model_copy(update=fast)})
        search.made[place] = dataclasses.replace(each, entry=entry)
    found = settle(search, num_finalists=2, seconds=0.05)
    assert found.winner is None
    assert all(each.cost.cold_start_ms is not None for each in found.compression.candidates)
    assert all(each.missed for each in found.compression.candidates)

    search.ground = dataclasses.replace(search.ground, spec=spec.model_copy(update={"max_latency_ms": true * 100}))
    found = settle(search, num_finalists=2, seconds=0.05)
    assert found.winner is not None
    (chosen,) = [each for each in found.compression.candidates if each.is_chosen]
    assert chosen.name == found.winner.entry.name == "quantization size 1000"
    assert chosen.cost.cold_start_ms is not None
    measured = [each for each in found.compression.candidates if each.cost.cold_start_ms is not None]
    assert len(measured) == 3


def test_a_step_that_changes_nothing_is_no_candidate(build_search: Callable[..., Search]) -> None:
    made: list[tuple[str, str]] = []
    search = build_search(FakeMethod(METHODS.QUANTIZATION, [*_one(), *_one()], made))
    search.run()
    assert len(search.made) == 2
    assert "it changes nothing" in search.unfit[0].reason


def test_names_are_made_of_steps() -> None:
    steps = [
        CompressionStep(method=METHODS.FACTORIZATION, settings={"energy": 0.95}),
        CompressionStep(method=METHODS.QUANTIZATION, settings={"mode": "static", "per_channel": True, "bits": 8}),
    ]
    assert name_of(steps) == "factorization energy 0.95 + quantization static per_channel bits 8"
