"""How a notification is said: as the JSON of a webhook, as Slack understands it, and as an e-mail."""

import json
from collections.abc import Mapping
from typing import Any

from aimass_core.domain.notifications import Level, Notification

_COLOURS = {Level.INFO: "#2563eb", Level.WARNING: "#d97706", Level.ERROR: "#dc2626"}
_MAX_SUBJECT = 150
_MAX_TEXT = 3_000


def to_payload(told: Notification, *, notification_id: str | None) -> dict[str, Any]:
    """The body of a webhook, as standardwebhooks.com recommends: type, time, and what a program wants to know. A test
    is no notification, and has no id of one."""
    return {
        "type": told.type.value,
        "timestamp": told.created_at.isoformat(),
        "data": {
            **told.data,
            "workspace_id": told.workspace_id,
            "notification_id": notification_id,
            "level": told.level.value,
            "title": told.title,
            "text": told.text,
            "subject": told.subject.model_dump(),
        },
    }


def to_body(payload: Mapping[str, Any]) -> bytes:
    """The bytes that are signed and sent."""
    return json.dumps(payload, ensure_ascii=False, separators=(",", ":")).encode()


def to_slack(payload: Mapping[str, Any]) -> bytes:
    """A message with a coloured edge. What users wrote can neither mention anybody nor make a link."""
    data = payload["data"]
    lines = [_escape(str(data["text"]))[:_MAX_TEXT]]
    lines += [f"<{data[name]}|{words}>" for name, words in (("html_url", "HTML"), ("pdf_url", "PDF")) if name in data]
    text = "\n".join(line for line in lines if line)
    title = _escape(str(data["title"]))
    attachment = {"color": _COLOURS[Level(data["level"])], "text": text or title, "fallback": title}
    return json.dumps({"text": title, "attachments": [attachment]}, ensure_ascii=False).encode()


def to_subject(payload: Mapping[str, Any], *, workspace: str) -> str:
    """Of an e-mail: one line."""
    return " ".join(f"[{workspace}] {payload['data']['title']}".split())[:_MAX_SUBJECT]


def to_text(payload: Mapping[str, Any]) -> str:
    """The body of an e-mail."""
    data = payload["data"]
    subject = data["subject"]
    about = " ".join(part for part in (subject["resource"].replace("_", " "), subject["name"], subject["id"]) if part)
    lines = [str(data["title"]), "", str(data["text"]), "", f"About: {about}", f"At: {payload['timestamp']}"]
    lines.append(f"Event: {payload['type']}")
    lines += ["", "-- ", "Sent by AI Mass because of a notification rule of this workspace."]
    return "\n".join(lines)


def _escape(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
