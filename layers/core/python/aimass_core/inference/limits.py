"""Bounds of one request."""

MAX_ROWS = 10_000
# Of all series of a request, after the shorter ones were filled up to the length of the longest.
MAX_SERIES_VALUES = 8_000_000
# A network may hold some hundred times its input: rows are run in parts of at most so many values.
MAX_VALUES_AT_ONCE = 262_144
# Lambda takes and gives at most 6 MB (6,291,556 bytes) with everything around the body.
MAX_BODY_BYTES = 6 * 1024**2
# Of a body that came compressed.
MAX_UNPACKED_BYTES = 32 * 1024**2
MAX_ANSWER_BYTES = 6_000_000
# API Gateway gives up after 29 s; the function itself may go on for longer, for what is answered later.
SYNC_SECONDS = 28.0
