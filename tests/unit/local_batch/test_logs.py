"""From a container's output to CloudWatch Logs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tests.unit.local_batch.harness import LocalBatch, until


def test_lines_arrive_while_the_job_runs(batch: LocalBatch) -> None:
    batch.define("sh", "-c", "echo one; sleep 60")
    job_id = batch.submit()
    job = batch.wait(job_id, "RUNNING")
    assert batch.wait_until(lambda: batch.log_of(job)) == ["one"]
    batch.call("TerminateJob", jobId=job_id, reason="stop")
    batch.wait(job_id)


def test_both_streams_arrive_and_so_does_a_line_without_end(batch: LocalBatch) -> None:
    batch.define("sh", "-c", "echo out; echo err >&2; printf 'no end'")
    assert batch.log_of(batch.wait(batch.submit())) == ["out", "err", "no end"]


def test_bytes_that_are_no_text_and_very_long_lines_arrive(batch: LocalBatch) -> None:
    batch.define_python("import sys; sys.stdout.buffer.write(b'\\xff\\x00\\n' + b'x' * 600_000 + b'\\n')")
    lines = batch.log_of(batch.wait(batch.submit()))
    assert lines[0] == "\ufffd\x00"
    assert "".join(lines[1:]) == "x" * 600_000
    assert max(map(len, lines)) <= 262_144 - 26


def test_log_is_complete_when_the_job_has_ended(batch: LocalBatch) -> None:
    batch.define_python("for i in range(20_000): print(i)")
    assert batch.log_of(batch.wait(batch.submit())) == [str(i) for i in range(20_000)]


def test_d7_flood_is_cut_with_a_mark_and_does_not_block_the_job(start_batch: Callable[..., LocalBatch]) -> None:
    batch = start_batch(max_log_bytes=100_000)
    batch.set_up()
    batch.define_python("import sys\nfor _ in range(400): sys.stdout.write('x' * 999_999 + '\\n')\nsys.exit(3)")
    job = batch.wait(batch.submit())
    assert job["container"]["exitCode"] == 3  # it wrote 400 MB and came to its end
    lines = batch.log_of(job)
    assert lines[-1].startswith("[log truncated: this attempt wrote more than 100,000 bytes")
    assert sum(map(len, lines)) < 2_000_000


def test_definition_may_name_group_and_prefix(batch: LocalBatch) -> None:
    options = {"awslogs-group": "/own/group", "awslogs-stream-prefix": "own"}
    batch.define("echo", "hello", logConfiguration={"logDriver": "awslogs", "options": options})
    job = batch.wait(batch.submit())
    assert job["container"]["logStreamName"].startswith("own/default/")
    assert batch.logs["/own/group", job["container"]["logStreamName"]] == ["hello"]


def test_somebody_who_keeps_the_pipe_does_not_keep_the_job(batch: LocalBatch, tmp_path: Path) -> None:
    """Such as a process that dropped its environment and its session."""
    has_escaped, may_end = tmp_path / "escaped", tmp_path / "end"
    escape = f"echo escaped; touch '{has_escaped}'; {until(may_end)}"
    batch.define("sh", "-c", f'env --ignore-environment setsid sh -c "{escape}" & {until(has_escaped)}')
    try:
        job = batch.wait(batch.submit())
        assert job["status"] == "SUCCEEDED"
        assert batch.log_of(job) == ["escaped"]
    finally:
        may_end.touch()
