"""`compression.json` and `compression.html`: the Pareto table of a compress job, and its picture."""

from collections.abc import Callable, Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.ticker import LogLocator, NullFormatter

from aimass_core.domain.compression import Compression, CompressionCandidate
from aimass_core.services.pages import render_page, to_figure
from batch_jobs.compress.searching import to_words
from batch_jobs.evaluate.figures import BLUE, GRID, INK, MUTED, ORANGE, figure
from batch_jobs.evaluate.metrics import LOWER_IS_BETTER

NAME = "compression"
_WIDTH, _HEIGHT = 4.9, 3.8
# Dots between two numbers in a plot that can both be read.
_ROOM = 14


def write_compression(path: Path, compression: Compression) -> None:
    """Leaves both in a folder."""
    path.mkdir(parents=True, exist_ok=True)
    (path / f"{NAME}.json").write_text(compression.model_dump_json(indent=1), encoding="utf-8")
    (path / f"{NAME}.html").write_text(render(compression), encoding="utf-8")


def render(compression: Compression) -> str:
    """The page. All texts of the user's are escaped."""
    original = compression.candidates[0]
    chosen = next((each for each in compression.candidates if each.is_chosen), None)
    return render_page(
        "batch_jobs.compress",
        "compression.html.j2",
        compression=compression,
        original=original,
        chosen=chosen,
        rows=_in_order(compression.candidates),
        tiles=[] if chosen is None else _tiles(original, chosen),
        limits=_limits(compression),
        svgs=draw(compression),
        to_times=to_times,
        to_steps=to_steps,
    )


def to_steps(candidate: CompressionCandidate) -> list[tuple[str, str]]:
    """Its methods, each with how it was applied."""
    return [(step.method.value, to_words(step.settings)) for step in candidate.steps]


def to_times(before: float, after: float) -> str:
    """`5.2x`: how many times smaller or faster."""
    times = before / after if after else float("inf")
    return f"{times:.0f}x" if times >= 20 else f"{times:.1f}x"


def draw(compression: Compression) -> list[str]:
    """Score against bytes, and against latency."""
    metric = compression.candidates[0].score.metric.replace("_", " ")
    return [
        _draw(
            compression,
            lambda each: each.cost.model_bytes / 1024,
            title=f"{metric} by file size",
            label="KiB",
            limit=None if compression.max_model_bytes is None else compression.max_model_bytes / 1024,
        ),
        _draw(
            compression,
            lambda each: each.cost.latency_p50_ms,
            title=f"{metric} by latency",
            label="ms of one row",
            limit=compression.max_latency_ms,
        ),
    ]


def _draw(
    compression: Compression,
    to_cost: Callable[[CompressionCandidate], float],
    *,
    title: str,
    label: str,
    limit: float | None,
) -> str:
    candidates = compression.candidates
    with figure(_WIDTH, _HEIGHT, title=title) as (drawn, output):
        axes = drawn.add_subplot()
        axes.set_xscale("log")
        axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
        axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
        axes.xaxis.set_minor_formatter(NullFormatter())
        for each in candidates:
            axes.plot(
                to_cost(each),
                each.score.value,
                marker="D" if not each.steps else "o",
                markersize=8 if each.is_chosen else 6,
                markerfacecolor=_colour(each),
                markeredgecolor=_colour(each),
                linestyle="none",
                zorder=3 if each.is_pareto else 2,
            )
        front = find_front(candidates, to_cost)
        places = [to_cost(each) for each in front], [each.score.value for each in front]
        axes.step(*places, where="post", color=BLUE, linewidth=1, zorder=1)
        if limit is not None:
            axes.axvline(limit, color=ORANGE, linestyle="--", linewidth=1)
        _show_allowed(axes, compression)
        axes.set(xlabel=label, ylabel=candidates[0].score.metric.replace("_", " "), title=title)
        axes.margins(x=0.12, y=0.12)
        axes.grid(color=GRID)
        _name_points(axes, candidates, front, to_cost)
    return output.svg


def find_front(
    candidates: Sequence[CompressionCandidate], to_cost: Callable[[CompressionCandidate], float]
) -> list[CompressionCandidate]:
    """Those that are better than all that cost less, the cheapest first."""
    sign = -1 if candidates[0].score.metric in LOWER_IS_BETTER else 1
    found: list[CompressionCandidate] = []
    for each in sorted(candidates, key=lambda one: (to_cost(one), -sign * one.score.value)):
        if not found or sign * each.score.value > sign * found[-1].score.value:
            found.append(each)
    return found


def _colour(candidate: CompressionCandidate) -> str:
    if candidate.is_chosen:
        return ORANGE
    if not candidate.steps:
        return INK
    return BLUE if candidate.is_pareto else MUTED


def _show_allowed(axes: Axes, compression: Compression) -> None:
    """The score at which `max_metric_drop` is used up: where the drop of some candidate says which way that is."""
    original = compression.candidates[0].score.value
    worse = next((each for each in compression.candidates if abs(each.metric_drop) > 1e-9), None)
    if worse is not None:
        change = (worse.score.value - original) / worse.metric_drop
        axes.axhline(original + change * compression.max_metric_drop, color=ORANGE, linestyle="--", linewidth=1)


def _name_points(
    axes: Axes,
    candidates: Sequence[CompressionCandidate],
    front: Sequence[CompressionCandidate],
    to_cost: Callable[[CompressionCandidate], float],
) -> None:
    """With the numbers of the table: the original, the winner, and of the front what has room beside the others."""
    rows = _in_order(candidates)
    named: list[tuple[float, float]] = []
    for each in sorted(rows, key=lambda one: (bool(one.steps), not one.is_chosen)):
        if each.steps and not each.is_chosen and each not in front:
            continue
        place = axes.transData.transform((to_cost(each), each.score.value))
        if any(abs(place[0] - x) < _ROOM and abs(place[1] - y) < _ROOM for x, y in named):
            continue
        named.append((place[0], place[1]))
        words = "" if each.steps and not each.is_chosen else ", registered" if each.steps else ", original"
        axes.annotate(
            f"{rows.index(each) + 1}{words}",
            (to_cost(each), each.score.value),
            xytext=(0, -13 if not each.steps else 7),
            textcoords="offset points",
            ha="center",
            fontsize=8,
            color=INK,
        )


def _in_order(candidates: Sequence[CompressionCandidate]) -> list[CompressionCandidate]:
    """The original, the winner, the front by size, and the rest."""
    return sorted(
        candidates,
        key=lambda each: (bool(each.steps), not each.is_chosen, not each.is_pareto, each.cost.model_bytes),
    )


def _tiles(original: CompressionCandidate, chosen: CompressionCandidate) -> list[tuple[str, str]]:
    return [
        (to_times(original.cost.model_bytes, chosen.cost.model_bytes), "smaller"),
        (to_times(original.cost.latency_p50_ms, chosen.cost.latency_p50_ms), "faster"),
        (to_figure(chosen.score.value), chosen.score.metric.replace("_", " ")),
        (to_figure(chosen.metric_drop), "lost" if chosen.metric_drop > 0 else "lost (below 0: gained)"),
    ]


def _limits(compression: Compression) -> dict[str, str]:
    words = {"drop at most": to_figure(compression.max_metric_drop)}
    if compression.max_model_bytes is not None:
        words["bytes at most"] = f"{compression.max_model_bytes:,}"
    if compression.max_latency_ms is not None:
        words["ms at most"] = to_figure(compression.max_latency_ms)
    threads = f"{compression.num_threads} {'thread' if compression.num_threads == 1 else 'threads'}"
    return words | {"measured as on": f"{compression.device}, {threads}"}
