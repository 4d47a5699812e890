"""No secret reaches a log, and no line can be forged."""

import json
import logging
import uuid

import pytest

from aimass_core.domain.common import new_id
from aimass_core.domain.tokens import TokenKind, format_token, new_secret
from aimass_core.lambda_support.logging import build_logger, redact

CANARY = new_secret()
TOKEN = format_token(TokenKind.API_KEY, workspace_id=new_id("ws"), record_id=new_id("key"), secret=CANARY)
INVITATION = format_token(TokenKind.INVITATION, workspace_id=new_id("ws"), record_id=new_id("usr"), secret=CANARY)


@pytest.mark.parametrize(
    "text",
    [
        TOKEN,
        f"https://console/#invitation={INVITATION}",
        f"eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiIxIn0.{CANARY}",
        json.dumps({"refresh_token": CANARY, "new_password": CANARY}),
        f"Authorization: Bearer {TOKEN}",
        f"{{'authorization': 'Bearer {CANARY}'}}",
        json.dumps({"Authorization": f"Bearer {CANARY}"}),
        json.dumps({"headers": json.dumps({"x-api-key": CANARY})}),
        json.dumps({"secret": CANARY}),
        json.dumps({"body": json.dumps({"password": CANARY})}),
        f"https://b.s3.amazonaws.com/k?X-Amz-Signature={CANARY}&X-Amz-Date=1",
        f"https://b.s3.amazonaws.com/k?x-amz-security-token={CANARY}",
    ],
    ids=lambda text: text.replace(TOKEN, "TOKEN").replace(INVITATION, "INVITATION").replace(CANARY, "SECRET"),
)
def test_h17_secrets_are_taken_out(text: str) -> None:
    assert CANARY not in redact(text)
    assert "[redacted]" in redact(text)


def test_other_words_stay() -> None:
    text = json.dumps({"message": "the key key_1a20ae1877f6af83af57530c265 may read secret places", "status": 200})
    assert redact(text) == text


def test_h17_line_is_one_json_object_whatever_is_logged(capsys: pytest.CaptureFixture[str]) -> None:
    logger = build_logger(f"test-{uuid.uuid4().hex}")
    hostile = 'a\r\n{"level":"CRITICAL"}\x1b[2J\x00\u2028' + TOKEN
    logger.info(hostile, path=hostile, nested={"deep": [hostile]})
    logging.getLogger("aimass_core.somewhere").warning("from the core: %s", hostile)
    try:
        raise RuntimeError(hostile)
    except RuntimeError:
        logger.exception("failed")
    lines = capsys.readouterr().out.removesuffix("\n").split("\n")
    assert [json.loads(line)["level"] for line in lines] == ["INFO", "WARNING", "ERROR"]
    assert all(line.isprintable() for line in lines)
    assert CANARY not in "".join(lines)


def test_two_loggers_of_a_service_write_alike(capsys: pytest.CaptureFixture[str]) -> None:
    name = f"test-{uuid.uuid4().hex}"
    build_logger(name)
    build_logger(name).info("once")
    logging.getLogger("aimass_core.x").error("core")
    lines = capsys.readouterr().out.splitlines()
    assert [json.loads(line)["message"] for line in lines] == ["once", "core"]
