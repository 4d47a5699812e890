"""Bounds of one request."""

MAX_ROWS = 10_000
# Lambda takes and gives at most 6 MB (6,291,556 bytes) with everything around the body.
MAX_BODY_BYTES = 6 * 1024**2
MAX_ANSWER_BYTES = 6_000_000
