"""`decomposition.html`: one self-contained page with what `decomposition.json` says, and two pictures of it."""

from pathlib import Path

from matplotlib.ticker import FuncFormatter, MaxNLocator, NullFormatter

from aimass_core.domain.decomposition import DecomposedWhole, Decomposition, ExpertRow
from aimass_core.services.pages import render_page
from batch_jobs.evaluate.figures import BLUE, MUTED, ORANGE, figure
from batch_jobs.evaluate.metrics import LOWER_IS_BETTER

PAGE = "decomposition.html"
_WIDTH, _HEIGHT = 5.2, 3.6
_MAX_EXPERTS, _LOG_FROM = 32, 10


def write_page(path: Path, document: Decomposition, *, title: str) -> None:
    """Into the folder."""
    page = render_page(
        "batch_jobs.decompose",
        "decomposition.html.j2",
        title=title,
        document=document,
        chosen=next((whole for whole in document.wholes if whole.is_chosen), None),
        single=document.wholes[0],
        figures=[_draw_wholes(document.wholes), *_draw_experts(document.experts)],
    )
    (path / PAGE).write_text(page, encoding="utf-8")


def _draw_wholes(wholes: list[DecomposedWhole]) -> str:
    """Score against operations; points have the numbers of the table."""
    metric = wholes[0].score.metric
    with figure(_WIDTH, _HEIGHT, title=f"{metric} and operations of a row") as (drawn, output):
        axes = drawn.add_subplot()
        counts = [max(whole.cost.num_operations or 0, 1) for whole in wholes]
        for number, (whole, count) in enumerate(zip(wholes, counts, strict=True), start=1):
            colour = ORANGE if whole.is_chosen else BLUE if not whole.missed else MUTED
            marker = "s" if whole.method is None else "o"
            place = (count, whole.score.value)
            axes.plot(*place, marker, color=colour, markersize=8 if whole.is_chosen else 6)
            axes.annotate(str(number), place, xytext=(5, 4), textcoords="offset points", fontsize=8)
        axes.xaxis.set_major_locator(MaxNLocator(5))
        if max(counts) > _LOG_FROM * min(counts):
            # With plain numbers, as figures have no mathematical text.
            axes.set_xscale("log")
            axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
            axes.xaxis.set_minor_formatter(NullFormatter())
        axes.margins(x=0.1, y=0.15)
        better = "lower" if metric in LOWER_IS_BETTER else "higher"
        axes.set(xlabel="operations of a row", ylabel=f"{metric.replace('_', ' ')} ({better} is better)")
    return output.svg


def _draw_experts(experts: list[ExpertRow]) -> list[str]:
    """How well each part does beside the single model on the same rows."""
    shown = [
        (row, row.score, row.single_score)
        for row in experts[:_MAX_EXPERTS]
        if row.score is not None and row.single_score is not None and row.score.metric == row.single_score.metric
    ][::-1]
    if not shown:
        return []
    metric = shown[0][1].metric
    with figure(_WIDTH, 1.2 + 0.3 * len(shown), title="Parts beside the single model") as (drawn, output):
        axes = drawn.add_subplot()
        for position, (_, score, single) in enumerate(shown):
            axes.plot([single.value, score.value], [position, position], color=MUTED, linewidth=1)
        axes.plot([single.value for _, _, single in shown], range(len(shown)), "s", color=BLUE, label="single model")
        axes.plot([score.value for _, score, _ in shown], range(len(shown)), "o", color=ORANGE, label="part")
        axes.set_yticks(range(len(shown)), [row.name for row, _, _ in shown])
        axes.set(xlabel=metric.replace("_", " "))
        axes.legend()
    return [output.svg]
