"""`fusion.json` and `fusion.html`: members, methods and how alike the members' errors are."""

from pathlib import Path

import numpy as np
from matplotlib.colors import LinearSegmentedColormap, to_rgba

from aimass_core.domain.fusion import Fusion
from aimass_core.services.pages import render_page
from batch_jobs.evaluate.figures import BLUE, INK, MUTED, ORANGE, figure, to_label
from batch_jobs.evaluate.metrics import LOWER_IS_BETTER
from batch_jobs.fuse.answers import Answered
from batch_jobs.fuse.choosing import is_gain
from batch_jobs.fuse.describing import to_errors

_WIDTH = 4.7
_MAX_CELLS = 2_000_000
_PALE, _DARK = "#ffffff", 0.6
_SHADES = LinearSegmentedColormap.from_list("shades", [to_rgba(BLUE, 0.0), to_rgba(BLUE, 1.0)])


def write_page(path: Path, fusion: Fusion, answered: Answered) -> None:
    """Both files."""
    path.mkdir(parents=True, exist_ok=True)
    (path / "fusion.json").write_text(fusion.model_dump_json(indent=1))
    (path / "fusion.html").write_text(build_page(fusion, answered), encoding="utf-8")


def build_page(fusion: Fusion, answered: Answered) -> str:
    """One page that fetches nothing."""
    best = next(member for member in fusion.members if member.name == fusion.best_member)
    return render_page(
        "batch_jobs.fuse",
        "fusion.html.j2",
        fusion=fusion,
        best=best,
        metric=best.score.metric.replace("_", " "),
        has_weights=any(member.weight is not None for member in fusion.members),
        has_better=any(
            entry.score is not None and is_gain(entry.score, [member.score for member in fusion.members])
            for entry in fusion.methods
        ),
        is_lower_better=best.score.metric in LOWER_IS_BETTER,
        is_classification=answered.target.labels is not None,
        pictures=[_scores(fusion), _correlations(fusion, answered)],
    )


def _scores(fusion: Fusion) -> str:
    """A dot for each member and each method, the best at the top."""
    rows = [(member.name, member.score.value, MUTED) for member in fusion.members]
    rows += [
        (entry.method.value.replace("_", " "), entry.score.value, ORANGE if entry.is_chosen else BLUE)
        for entry in fusion.methods
        if entry.score is not None
    ]
    metric = fusion.members[0].score.metric
    rows.sort(key=lambda row: row[1], reverse=metric in LOWER_IS_BETTER)
    with figure(_WIDTH, 1.0 + 0.26 * len(rows), title=f"{metric} of members and methods") as (drawn, output):
        axes = drawn.add_subplot()
        for place, (_, value, colour) in enumerate(rows):
            axes.plot([value], [place], "o", color=colour, markersize=7)
        axes.set_yticks(range(len(rows)), [to_label(name) for name, _, _ in rows])
        words = metric.replace("_", " ")
        axes.set(xlabel=words, title=f"{words} of members and methods")
        axes.margins(x=0.08)
    return output.svg


def _correlations(fusion: Fusion, answered: Answered) -> str:
    """Of the members' errors, each with each."""
    errors = to_errors(answered)
    step = max(errors.size // _MAX_CELLS, 1)
    with np.errstate(invalid="ignore", divide="ignore"):
        matrix = np.nan_to_num(np.corrcoef(errors[:, ::step]))
    names = [to_label(member.name, 18) for member in fusion.members]
    side = min(2.2 + 0.42 * len(names), 8.0)
    with figure(side, side, title="Correlation of the members' errors") as (drawn, output):
        axes = drawn.add_subplot()
        axes.pcolormesh(np.clip(matrix, 0, 1), cmap=_SHADES, vmin=0, vmax=1, edgecolors="none")
        axes.set_xticks(np.arange(len(names)) + 0.5, names, rotation=90)
        axes.set_yticks(np.arange(len(names)) + 0.5, names)
        axes.invert_yaxis()
        axes.grid(visible=False)
        axes.set(title="Correlation of errors")
        if len(names) <= 12:
            for (row, column), value in np.ndenumerate(matrix):
                axes.text(
                    column + 0.5, row + 0.5, f"{value:.2f}", ha="center", va="center", color=_ink(value), fontsize=8
                )
    return output.svg


def _ink(shade: float) -> str:
    """What can be read on it."""
    return _PALE if shade > _DARK else INK
