"""A model that was made of registered ones, judged and described as any other, for `train.handover` to finish."""

from collections.abc import Callable

import numpy as np

from aimass_core.domain.signatures import Card, ExportCheck, Golden, Signature
from aimass_core.domain.training import LearningSpec
from batch_jobs.data.frames import Array, Frame
from batch_jobs.evaluate.export_check import check_export, join_checks
from batch_jobs.evaluate.latency import measure_latency_ms
from batch_jobs.evaluate.metrics import evaluate, primary_metric
from batch_jobs.evaluate.scoring import Scorer
from batch_jobs.train.exporting import Exported, to_scale
from batch_jobs.train.interface import build_golden, choose_golden_rows, make_hard_rows
from batch_jobs.train.material import TRAIN, VALIDATION, Material


def describe(
    model: bytes,
    signature: Signature,
    material: Material,
    *,
    data: LearningSpec,
    card: Card,
    expected: Callable[[Frame], Array] | None = None,
    validation_scores: Array | None = None,
    scorer: Scorer | None = None,
) -> Exported:
    """With golden request and card.

    Args:
        model: The graph, from raw columns to the answer.
        signature: Of the graph.
        material: What it is judged by, with the parts `train` and `validation`.
        data: How the material was read.
        card: What is known of it; how good and how large it is, is filled in.
        expected: What the graph has to answer, by whatever it was made of: compared on all rows that validate. None: it
            answers as it does, since it is meant to differ from what it was made of.
        validation_scores: The answers that judge it, where they are not those of the graph: of combinations that had
            not seen the rows.
        scorer: Runs the graph, where it takes more than itself.

    Raises:
        InternalError: It does not answer as expected.
    """
    scorer, target, part = scorer or Scorer(model, signature), material.target, material.parts[VALIDATION]
    scale = to_scale(target, material.parts[TRAIN].truth)
    checks: list[ExportCheck] = []
    found: list[Array] = []
    for batch in part.frame.batches():
        answers = scorer.answer(batch)
        found.append(answers.scores)
        if expected is not None:
            own = expected(batch)
            checks.append(check_export(VALIDATION, framework=own, exported=answers, target=target, scale=scale))
    scores = np.concatenate(found) if validation_scores is None else validation_scores
    evaluation = evaluate(VALIDATION, target, part.truth, scores)
    metric = primary_metric(target, evaluation.metrics)
    known = {
        "evaluations": [evaluation],
        "primary_metric": metric,
        "primary_value": evaluation.metrics[metric],
        "export_check": join_checks(checks) if checks else None,
        "model_bytes": len(model),
        "latency_ms": measure_latency_ms(scorer, part.frame),
        "importances": [],
    }
    return Exported(
        spec=data,
        model=model,
        signature=signature,
        scorer=scorer,
        golden=_build_golden(part.sample(seed=data.seed).frame, scorer, expected, scale=scale),
        card=card.model_copy(update=known),
        validated=part,
        validation_scores=scores,
    )


def _build_golden(frame: Frame, scorer: Scorer, expected: Callable[[Frame], Array] | None, *, scale: float) -> Golden:
    rows = choose_golden_rows(frame, make_hard_rows)
    framework = scorer.answer(rows).scores if expected is None else expected(rows)
    return build_golden(rows, framework, scorer, scorer.signature, scale=scale)
