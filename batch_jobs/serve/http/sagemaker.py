"""What SageMaker asks of a container: /ping, /invocations, and /models of an endpoint with several models.

https://docs.aws.amazon.com/sagemaker/latest/dg/your-algorithms-inference-code.html
https://docs.aws.amazon.com/sagemaker/latest/dg/mms-container-apis.html
"""

import csv
import io
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from http import HTTPStatus
from pathlib import Path
from typing import Any

from aimass_core.domain.common import Principal
from aimass_core.errors import AlreadyExistsError, InvalidRequestError, MethodNotAllowedError, NotFoundError
from aimass_core.inference.messages import PredictionAnswer, PredictionRequest, json_answer
from aimass_core.inference.oip.inference import BINARY_HEADER
from aimass_core.inference.oip.routes import OipRoutes
from aimass_core.inference.rows import routes as rows
from aimass_core.inference.rows.predict import columns_of
from aimass_core.inference.serving import elsewhere
from aimass_core.inference.serving.endpoints import Served
from aimass_core.lambda_support import json_body
from batch_jobs.serve.batching import bridge
from batch_jobs.serve.http.asking import WithinTime
from batch_jobs.serve.models.repository import Repository
from batch_jobs.serve.options import Options

ATTRIBUTES = "x-amzn-sagemaker-custom-attributes"
# As Triton's containers name them: SageMaker hands on the content type, and no other header of ours.
_BINARY = re.compile(r"application/vnd\.sagemaker-triton\.binary\+json;\s*json-header-size=([0-9]{1,9})", re.IGNORECASE)
_MODELS = re.compile(r"/models(?:/([^/]+)(/invoke)?)?")
_MAX_LISTED = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class SageMakerRoutes:
    """Answers within `bridge.run`, with the engine that answers everybody."""

    options: Options
    repository: Repository
    asking: WithinTime
    oip: OipRoutes
    caller: Principal

    def answer(self, request: PredictionRequest) -> PredictionAnswer:
        """Raises NotFoundError where it is no address of SageMaker's, and what is wrong with the request."""
        if request.path == "/invocations":
            _require(request, "POST")
            return self._echo(request, self._invoke(request, None))
        match = _MODELS.fullmatch(request.path)
        if match is None:
            raise NotFoundError("There is nothing at this address.")
        name, invoke = match.groups()
        if name is None:
            _require(request, "GET", "POST")
            return self._list() if request.method == "GET" else self._load(request)
        if invoke:
            _require(request, "POST")
            return self._echo(request, self._invoke(request, name))
        _require(request, "GET", "DELETE")
        if request.method == "GET":
            return json_answer(self._describe(name))
        self.repository.unload(self.caller.workspace_id, name)
        return json_answer({"status": f"unloaded {name}"})

    def _invoke(self, request: PredictionRequest, name: str | None) -> PredictionAnswer:
        """By its content: tensors of the Open Inference Protocol, JSON or binary, or rows."""
        attributes = _read_attributes(request)
        if "aimass-path" in attributes:
            return self._forward(request, attributes)
        model = name or self._only_model()
        self._follow_settings(attributes, model)
        path = f"/v2/models/{model}/infer"
        content_type = request.header("content-type") or "application/json"
        binary = _BINARY.fullmatch(content_type)
        if binary:
            headers = {**request.headers, BINARY_HEADER: [binary[1]]}
            answer = self.oip.answer(replace(request, path=path, headers=headers), self.caller)
            return _to_triton(answer)
        if BINARY_HEADER in request.headers or b'"datatype"' in request.body[:100_000]:
            return self.oip.answer(replace(request, path=path), self.caller)
        answer = self.asking.answer(request, self.caller, model, _answer_rows)
        return _to_csv(answer) if request.header("accept") == "text/csv" else answer

    def _follow_settings(self, attributes: Mapping[str, str], name: str) -> None:
        """Live parameters of the endpoint that asks; an older request changes nothing back."""
        if elsewhere.SETTINGS_ATTRIBUTE in attributes:
            settings = elsewhere.from_attribute(attributes[elsewhere.SETTINGS_ATTRIBUTE])
            if settings.version > self.repository.settings(name).version:
                self.repository.change_settings(name, settings)

    def _forward(self, request: PredictionRequest, attributes: Mapping[str, str]) -> PredictionAnswer:
        """To any address below /v2 or /v1: what a caller asked of the endpoint, whose answer comes from here."""
        path, method = attributes["aimass-path"], attributes.get("aimass-method", "POST").upper()
        binary = _BINARY.fullmatch(request.header("content-type") or "")
        headers = {**request.headers, **({BINARY_HEADER: [binary[1]]} if binary else {})}
        asked = replace(request, path=path, method=method, headers=headers)
        if path == "/v2" or path.startswith("/v2/"):
            return _to_triton(self.oip.answer(asked, self.caller))
        return rows.answer(asked, self.asking, self.caller)

    def _echo(self, request: PredictionRequest, answer: PredictionAnswer) -> PredictionAnswer:
        """SageMaker hands the attributes of the answer to the caller: those that came, so that he knows his trace."""
        given = request.header(ATTRIBUTES)
        return answer if given is None else replace(answer, headers={**answer.headers, ATTRIBUTES: given})

    def _only_model(self) -> str:
        names = [endpoint.name for endpoint in self.repository.list_all(self.caller.workspace_id) if endpoint.serving]
        if len(names) != 1:
            raise InvalidRequestError(
                f"{len(names)} models are here, and /invocations does not say which. Ask /models/<name>/invoke, or "
                "/v2/models/<name>/infer."
            )
        return names[0]

    # --- several models -----------------------------------------------------------------------------------------------

    def _list(self) -> PredictionAnswer:
        names = [endpoint.name for endpoint in self.repository.list_all(self.caller.workspace_id) if endpoint.serving]
        return json_answer({"models": [self._describe(name) for name in names]})

    def _describe(self, name: str) -> dict[str, str]:
        return {"modelName": name, "modelUrl": str(self.repository.placed_path(name))}

    def _load(self, request: PredictionRequest) -> PredictionAnswer:
        """Answers when the model has given its golden answer; 507 where there is no room beside others."""
        body = json_body.parse_object(request.text())
        name, url = body.get("model_name"), body.get("url")
        if not isinstance(name, str) or not isinstance(url, str) or not name or "/" in name:
            raise InvalidRequestError('The body must be {"model_name": "...", "url": "<folder of the model>"}.')
        path = Path(url).resolve()
        if not path.is_relative_to(self.options.models.resolve()):
            raise InvalidRequestError(f"The url {url[:200]!r} does not lie in {str(self.options.models)!r}.")
        if any(each.name == name and each.serving for each in self.repository.list_all(self.caller.workspace_id)):
            raise AlreadyExistsError(f"The model {name!r} is loaded. Unload it first: DELETE /models/{name}.")
        size = sum(file.stat().st_size for file in path.rglob("model.onnx"))
        if self.repository.num_bytes + size > self.options.cache_bytes:
            words = f"The model {name!r} has {size} bytes, for which there is no room. Unload another one."
            return json_answer({"error": words}, status=HTTPStatus.INSUFFICIENT_STORAGE)
        key = self.repository.place(name, path)
        try:
            bridge.wait(self.repository.load(key))
        except BaseException:
            self.repository.unload(self.caller.workspace_id, name)
            raise
        return json_answer({"status": f"loaded {name}"})


def _answer_rows(request: PredictionRequest, served: Served) -> PredictionAnswer:
    if (request.header("content-type") or "").startswith("text/csv"):
        request = _add_header(request, columns_of(served.model.signature))
    return rows.answer_rows(request, served)


def _read_attributes(request: PredictionRequest) -> dict[str, str]:
    pairs = [part.partition("=") for part in (request.header(ATTRIBUTES) or "").split(",")]
    return {name.strip(): value.strip() for name, separator, value in pairs if separator}


def _to_triton(answer: PredictionAnswer) -> PredictionAnswer:
    length = answer.headers.get(BINARY_HEADER)
    if length is None:
        return answer
    return replace(answer, content_type=f"application/vnd.sagemaker-triton.binary+json;json-header-size={length}")


def _add_header(request: PredictionRequest, columns: list[str]) -> PredictionRequest:
    """SageMaker's CSV has no header line: where none of its cells is a column, the cells are the columns in order."""
    first = request.text().partition("\n")[0]
    cells = next(csv.reader([first]), [])
    if len(cells) != len(columns) or {cell.strip() for cell in cells} & set(columns):
        return request
    header = io.StringIO()
    csv.writer(header).writerow(columns)
    return replace(request, body=header.getvalue().encode() + request.body)


def _to_csv(answer: PredictionAnswer) -> PredictionAnswer:
    """A line for each row: label, value, or values; empty where the row could not be answered."""
    lines = io.StringIO()
    writer = csv.writer(lines, lineterminator="\n")
    for prediction in json.loads(answer.content)["predictions"]:
        writer.writerow(_cells(prediction))
    return replace(answer, content=lines.getvalue().encode(), content_type="text/csv")


def _cells(prediction: Mapping[str, Any]) -> list[Any]:
    if prediction["values"] is not None:
        return list(prediction["values"])
    if prediction["labels"] is not None:
        return [json.dumps(prediction["labels"])]
    return [prediction["value"] if prediction["label"] is None else prediction["label"]]


def _require(request: PredictionRequest, *methods: str) -> None:
    if request.method not in methods:
        raise MethodNotAllowedError(
            f"{request.method} does nothing here; use {' or '.join(methods)}.", allowed=list(methods)
        )
