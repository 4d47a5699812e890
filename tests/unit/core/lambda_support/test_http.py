"""The one table of statuses, and problems."""

import json

import pytest

from aimass_core import errors
from aimass_core.domain.common import Problem
from aimass_core.domain.statuses import STATUSES
from aimass_core.lambda_support import http

EVENT = {"requestContext": {"requestId": "r-1"}}


def _raising(error: Exception) -> http.HttpAnswer:
    def answer() -> http.HttpAnswer:
        raise error

    return http.boundary(EVENT, answer)


def test_the_table_has_every_error_and_nothing_else() -> None:
    of_the_server = {code for code, cls in errors.error_classes().items() if cls.__module__ == errors.__name__}
    assert set(STATUSES) == of_the_server


@pytest.mark.parametrize("code", sorted(STATUSES))
def test_an_error_becomes_a_problem_from_which_it_can_be_made_again(code: str) -> None:
    cls = errors.error_classes()[code]
    details = [errors.ErrorDetail(location="body.x", message="wrong")]
    answered = _raising(cls("what, and what next", details=details))
    problem = Problem.model_validate_json(answered["body"])
    assert (answered["statusCode"], problem.status, problem.code) == (STATUSES[code], STATUSES[code], code)
    assert (problem.detail, problem.request_id) == ("what, and what next", "r-1")
    assert problem.errors == [{"location": "body.x", "message": "wrong"}]
    assert answered["multiValueHeaders"]["content-type"] == ["application/problem+json"]


@pytest.mark.parametrize(
    ("error", "header"),
    [
        (errors.InProgressError("x"), "retry-after"),
        (errors.QuotaExceededError("x"), "retry-after"),
        (errors.UnavailableError("x"), "retry-after"),
        (errors.UnauthenticatedError("x"), "www-authenticate"),
        (errors.MethodNotAllowedError("x", allowed=["GET", "POST"]), "allow"),
    ],
)
def test_some_problems_have_a_header_of_their_own(error: errors.AimassError, header: str) -> None:
    assert header in _raising(error)["multiValueHeaders"]


def test_h18_unforeseen_error_is_told_without_its_words() -> None:
    answered = _raising(ValueError("arn:aws:s3:::secret-bucket /var/task/x.py"))
    assert answered["statusCode"] == 500
    assert json.loads(answered["body"])["code"] == "internal"
    assert "arn" not in answered["body"]
    assert "ValueError" not in answered["body"]
