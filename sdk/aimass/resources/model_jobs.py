"""Jobs that make models of registered models, and of parts: compress, fuse, decompose."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from aimass.binding import Api
from aimass.resources import job_requests
from aimass.resources.job_requests import DataLike, DatasetRef, ModelLike

if TYPE_CHECKING:
    from aimass.resources.jobs import Job


class ModelJobsApi(Api):
    """A part of `client.jobs`. docs/COMPRESSION.md says what the methods do and when they pay."""

    def compress(
        self,
        parent: ModelLike,
        *,
        max_model_bytes: int | None = None,
        max_latency_ms: float | None = None,
        max_metric_drop: float | None = None,
        device: str | None = None,
        methods: Sequence[str] | None = None,
        data: DataLike | None = None,
        metric: str | None = None,
        model: str | None = None,
        max_seconds: int | None = None,
        max_cost_usd: float | None = None,
        **options: Any,
    ) -> Job:
        """Makes a model version smaller and faster, within limits that are measured on the exported file.

        Args:
            parent: `name`, `name@number`, or a model version. It stays registered and served.
            max_model_bytes: Of the exported file.
            max_latency_ms: Of one row, median, by ONNX Runtime with the device's threads.
            max_metric_drop: What the metric may lose on validation rows, 0.01 by default; of errors (rmse, mae) as a
                share of the parent's.
            device: Where it is to answer: `lambda-512mb` to `lambda-3008mb`, `container` or `mobile`.
            methods: Of `CompressionMethod`; default: all that fit the model, alone and combined.
            data: What judges it: a dataset, or fields of `LearningSpec` (dataset, target, validation, ...). Default:
                what the parent was trained with, split as then. Needed where no job of ours has trained it.
            metric: Default: the task's primary metric.
            model: The name of what is made; default: a new version of the parent's model.
            max_seconds: To the end of the job.
            max_cost_usd: See `train`.
            **options: seed; vcpus, memory_mib, gpus, backend, instance_type, spot, max_wait_seconds, depends_on.

        Raises:
            InvalidRequestError: A method or limit is not valid, or there is no data to judge it by.
            NotFoundError: There is no such model version.
        """
        request = job_requests.to_compress(
            parent,
            max_model_bytes=max_model_bytes,
            max_latency_ms=max_latency_ms,
            max_metric_drop=max_metric_drop,
            device=device,
            methods=methods,
            data=data,
            metric=metric,
            model=model,
            max_seconds=max_seconds,
            max_cost_usd=max_cost_usd,
            **options,
        )
        return self._client.jobs.submit(request)

    def fuse(
        self,
        members: Sequence[ModelLike],
        *,
        method: str | None = None,
        placement: str | None = None,
        out_of_fold: int | None = None,
        max_model_bytes: int | None = None,
        max_latency_ms: float | None = None,
        device: str | None = None,
        data: DataLike | None = None,
        metric: str | None = None,
        model: str | None = None,
        max_seconds: int | None = None,
        max_cost_usd: float | None = None,
        **options: Any,
    ) -> Job:
        """Combines models of the same task, whatever made them, into one.

        Args:
            members: Two at least, each as `parent` of `compress`.
            method: Of `FusionMethod`; default: all that fit the task, and the best of them by cross-fitting.
            placement: `one_graph`, or `apart`: members that are loaded each for itself. Default: one graph, and apart
                where that misses max_model_bytes.
            out_of_fold: Train the members again in so many folds, so that all rows of training fit the combination, and
                not those alone that no member has seen. Of members that our jobs have trained.
            max_model_bytes: See `compress`, as for the arguments that follow.
            max_latency_ms: See `compress`.
            device: See `compress`.
            data: See `compress`; default: that of the first member.
            metric: See `compress`.
            model: The name of what is made; default: a new version of the first member's model.
            max_seconds: See `compress`.
            max_cost_usd: See `train`.
            **options: See `compress`.

        Raises:
            InvalidRequestError: The members differ in task, labels or columns, or the method does not fit the task.
            NotFoundError: There is no such model version.
        """
        request = job_requests.to_fuse(
            members,
            method=method,
            placement=placement,
            out_of_fold=out_of_fold,
            max_model_bytes=max_model_bytes,
            max_latency_ms=max_latency_ms,
            device=device,
            data=data,
            metric=metric,
            model=model,
            max_seconds=max_seconds,
            max_cost_usd=max_cost_usd,
            **options,
        )
        return self._client.jobs.submit(request)

    def decompose(
        self,
        dataset: DatasetRef,
        *,
        method: str | None = None,
        num_experts: int | None = None,
        num_active: int | None = None,
        expert: str | Mapping[str, Any] | None = None,
        gate: str | Mapping[str, Any] | None = None,
        single: ModelLike | None = None,
        max_model_bytes: int | None = None,
        max_latency_ms: float | None = None,
        device: str | None = None,
        max_seconds: int | None = None,
        max_cost_usd: float | None = None,
        **options: Any,
    ) -> Job:
        """Splits a task among small experts, and compares the whole with a single model.

        Args:
            dataset: A name, `name@version`, or what `upload` returned.
            method: Of `DecompositionMethod`; default: those that fit the task, and of them the best for its cost.
            num_experts: Default: tried out.
            num_active: Experts that a row is given to at most; default: one, or two where that pays.
            expert: An algorithm, or `{"algorithm": ..., "framework": ..., "hyperparameters": {...}}`; default: the
                single model's algorithm, smaller.
            gate: The same of the gate; default: as the method needs one.
            single: The model version to compare with; default: one is trained, with the same algorithm.
            max_model_bytes: Of the whole as one file.
            max_latency_ms: See `compress`.
            device: See `compress`.
            max_seconds: To the end of the job.
            max_cost_usd: See `train`.
            **options: metric; target, task, validation, test and all others of the data as in `train`; of the compute
                as in `compress`.

        Raises:
            InvalidRequestError: The method does not fit the task, or an algorithm does not fit the data.
        """
        request = job_requests.to_decompose(
            dataset,
            method=method,
            num_experts=num_experts,
            num_active=num_active,
            expert=expert,
            gate=gate,
            single=single,
            max_model_bytes=max_model_bytes,
            max_latency_ms=max_latency_ms,
            device=device,
            max_seconds=max_seconds,
            max_cost_usd=max_cost_usd,
            **options,
        )
        return self._client.jobs.submit(request)
