"""The command line over the real authorizer and handlers: what it sends, says, and exits with."""

import json
import re
from pathlib import Path

import httpx2
import pytest

from aimass_core.domain.common import Principal, Role
from aimass_core.domain.jobs import Job, JobStatus
from aimass_core.services import records
from tests.factories.platform import add_dataset, add_version
from tests.functional import study_jobs
from tests.functional.gateway import Api
from tests.functional.terminal import Run
from tests.functional.transport import InProcessTransport

SPACE = "max_depth: {type: int, low: 2, high: 8}\nsubsample: {type: float, low: 0.5, high: 1.0}\n"


@pytest.fixture(autouse=True)
def dataset(api: Api) -> None:
    owner = Principal(
        workspace_id=api.workspace.id, workspace_name=api.workspace.name, actor="key_test", role=Role.ADMIN
    )
    add_version(api.ports, owner, add_dataset(api.ports, owner))


def search(run: Run, *args: str) -> Job:
    ran = run("search", "adult", "-a", "xgboost", *args, "--detach", "-o", "json")
    assert ran.code == 0, ran.err
    (job,) = json.loads(ran.out)
    return Job.model_validate(job)


def test_search_asks_for_what_its_options_say(run: Run, api: Api, tmp_path: Path) -> None:
    (tmp_path / "space.yaml").write_text(SPACE)
    ran = run(
        *("search", "adult", "-a", "xgboost", "--space", "space.yaml", "-H", "num_rounds=200"),
        *("--sampler", "tpe", "--pruner", "median", "--max-trials", "40", "--workers", "4", "--budget", "10m"),
        *("--objective", "roc_auc", "--objective", "latency_ms:minimize", "--max-latency-ms", "2"),
        *("--max-model-bytes", "2MB", "--study", "mine", "--exclude", "age", "--seed", "7", "--vcpus", "2", "-d"),
    )
    assert ran.code == 0, ran.err
    (job,) = api.get("/v1/jobs").json["items"]
    assert job["id"] in ran.out
    assert "xgboost on adult" in ran.out
    spec = job["spec"]
    (candidate,) = spec["candidates"]
    assert set(candidate["space"]) == {"max_depth", "subsample"}
    assert candidate["hyperparameters"] == {"num_rounds": 200}
    assert (spec["sampler"], spec["pruner"], spec["max_trials"], spec["num_workers"]) == ("tpe", "median", 40, 4)
    assert [(o["metric"], o["direction"]) for o in spec["objectives"]] == [
        ("roc_auc", None),
        ("latency_ms", "minimize"),
    ]
    assert (spec["max_latency_ms"], spec["max_model_bytes"]) == (2.0, 2_000_000)
    assert (spec["study"], spec["exclude_columns"], spec["seed"]) == ("mine", ["age"], 7)
    assert (job["max_seconds"], job["compute"]["vcpus"]) == (600, 2)


def test_search_tries_one_algorithm_in_two_frameworks(run: Run, api: Api) -> None:
    ran = run("search", "adult", "-a", "mlp", "-a", "mlp:tensorflow", "-H", "mlp:tensorflow.epochs=3", "-d")
    assert ran.code == 0, ran.err
    assert "mlp, mlp-tensorflow on adult" in ran.out
    (job,) = api.get("/v1/jobs").json["items"]
    found = [(each["algorithm"], each["framework"], each["hyperparameters"]) for each in job["spec"]["candidates"]]
    assert found == [("mlp", None, {}), ("mlp", "tensorflow", {"epochs": 3})]
    wrong = run("search", "adult", "-a", "mlp", "-a", "mlp:keras")
    assert (wrong.code, "tensorflow" in wrong.err) == (3, True), wrong.err


def test_autotrain_asks_for_what_its_options_say(run: Run, api: Api) -> None:
    ran = run(
        *("autotrain", "adult", "--budget", "2h", "--preset", "small", "--workers", "2", "--metric", "f1"),
        *("--algorithms", "xgboost,mlp", "-a", "linear", "--max-model-bytes", "500KB", "--max-latency-ms", "1", "-d"),
        "--decompose",
    )
    assert ran.code == 0, ran.err
    (job,) = api.get("/v1/jobs").json["items"]
    spec = job["spec"]
    assert (job["kind"], job["max_seconds"]) == ("autotrain", 7200)
    assert (spec["preset"], spec["num_workers"], spec["metric"]) == ("small", 2, "f1")
    assert spec["algorithms"] == ["xgboost", "mlp", "linear"]
    assert (spec["max_model_bytes"], spec["max_latency_ms"]) == (500_000, 1.0)
    assert (spec["fuse"], spec["decompose"]) == (False, True)
    shown = run("jobs", "get", job["id"]).out
    assert re.search(r"what +small: xgboost, mlp, linear, then decomposed on adult", shown)
    assert re.search(r"workers +2", shown)
    assert re.search(r"model bytes at most +500,000", shown)
    both = run("autotrain", "adult", "--preset", "small", "--fuse", "-d")
    assert (both.code, "leave one of them out" in both.err) == (3, True), both.err


@pytest.mark.parametrize(
    "command",
    [
        ["train", "adult", "-a", "xgboost", "--max-seconds", "600"],
        ["search", "adult", "-a", "xgboost", "--objective", "roc_auc", "--budget", "10m"],
        ["autotrain", "adult", "--algorithms", "xgboost,mlp", "--preset", "fast", "--budget", "10m"],
    ],
)
def test_dry_run_estimates_and_submits_nothing(run: Run, api: Api, command: list[str]) -> None:
    ran = run(*command, "--dry-run")
    assert ran.code == 0, ran.err
    assert re.search(r"seconds +[\d,.]+ ", ran.out)
    assert re.search(r"limit \(seconds\) +600", ran.out)
    assert "Prices:" in ran.err
    assert json.loads(run(*command, "--dry-run", "-o", "json").out)["max_seconds"] == 600
    wrong = run(*command, "--dry-run", "--target", "incom")
    assert (wrong.code, "'income'" in wrong.err) == (3, True), wrong.err
    assert api.get("/v1/jobs").json["items"] == []
    assert api.get("/v1/studies").json["items"] == []


@pytest.mark.parametrize(
    ("space", "words"),
    [
        ("max_depth: {type: int, low: 9, high: 2}", r"max_depth: low is 9 and high is 2: low must not be greater"),
        ("learning_rate: {type: float, low: 0, high: 1, log: true}", r"learning_rate: log needs a low above 0"),
        ("max_dept: {type: int, low: 2, high: 9}", r"max_dept.*did you mean 'max_depth'"),
        ("max_depth: {type: int, low: 2, high: 9999}", r"max_depth.*high is 9999"),
        ("{}", r"empty"),
    ],
)
def test_e5_space_that_is_not_valid_is_refused_with_the_field(
    run: Run, api: Api, tmp_path: Path, space: str, words: str
) -> None:
    (tmp_path / "space.yaml").write_text(space)
    ran = run("search", "adult", "-a", "xgboost", "--space", "space.yaml")
    assert (ran.code, ran.out) == (3, "")
    assert re.search(words, ran.err), ran.err
    assert api.get("/v1/jobs").json["items"] == []


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["--budget", "10"], "such as 90s, 10m or 2h"),
        (["--max-model-bytes", "2 parsecs"], "such as 500KB or 2MB"),
        (["--space", "absent.yaml"], "no file"),
        (["--sampler", "magic"], "tpe"),
        (["-H", "max_depth"], "name=value"),
    ],
)
def test_wrong_usage_is_refused_with_the_option(run: Run, args: list[str], words: str) -> None:
    ran = run("search", "adult", "-a", "xgboost", *args)
    assert ran.code == 2
    assert args[0] in ran.err.replace("--hyperparameter", "-H")
    assert words in ran.err


def test_e6_study_goes_on_with_the_same_and_is_refused_with_another(run: Run, api: Api, tmp_path: Path) -> None:
    first = search(run, "--study", "mine", "--max-trials", "5")
    busy = run("search", "adult", "-a", "xgboost", "--study", "mine")
    assert (busy.code, first.id in busy.err) == (6, True), busy.err
    study_jobs.succeed(api, study_jobs.start(api, first.id))
    for args, words in (
        (["-a", "xgboost", "--objective", "f1"], "objectives"),
        (["-a", "lightgbm"], "candidates.0.algorithm was 'xgboost', and now it is 'lightgbm'"),
        (["-a", "xgboost", "-a", "mlp"], "candidates.1 was None, and now it is {'algorithm': 'mlp'"),
    ):
        other = run("search", "adult", "--study", "mine", *args)
        assert (other.code, words in other.err) == (6, True), other.err
    again = search(run, "--study", "mine", "--max-trials", "9")
    assert again.study_id == first.study_id
    assert run("studies", "get", "mine").code == 2, "it is called show"


def test_resume_goes_on_with_the_same_data(run: Run, api: Api) -> None:
    first = search(run, "--max-trials", "5")
    study_jobs.succeed(api, study_jobs.start(api, first.id))
    name = api.get(f"/v1/studies/{first.study_id}").json["name"]
    ran = run("studies", "resume", name, "--budget", "90s", "--max-trials", "9", "--workers", "2", "-d")
    assert ran.code == 0, ran.err
    newest = api.get("/v1/jobs").json["items"][0]
    assert (newest["study_id"], newest["max_seconds"]) == (first.study_id, 90)
    assert (newest["spec"]["max_trials"], newest["spec"]["num_workers"]) == (9, 2)
    assert newest["channels"] == json.loads(first.model_dump_json())["channels"]


def test_watch_tells_the_best_so_far_and_ends_with_the_leaderboard(run: Run, api: Api) -> None:
    job = study_jobs.start(api, search(run).id)
    study_jobs.report(api.ports, job)
    study_jobs.add_trials(api.ports, job)
    shown = run("jobs", "get", job.id).out
    assert "searching: 3 of 40 trials, trial 3 (mlp)" in shown
    study_jobs.succeed(api, job)
    ran = run("jobs", "watch", job.id)
    assert ran.code == 0, ran.err
    assert re.findall(r"best so far: (.*)", ran.err) == ["roc_auc 0.91", "roc_auc 0.93 (trial 1)"], (
        "of trial 0 the best was known"
    )
    assert "[red]said[/]" in ran.err
    heading, *rows = [line.split() for line in ran.out.splitlines() if line.strip() and "─" not in line]
    assert heading == ["RANK", "MODEL", "ALGORITHM", "ROC", "AUC", "LATENCY", "MS", "SIZE", "SECONDS", "CHOSEN"]
    assert rows[0][:7] == ["1", "ensemble", "of", "2", "xgboost,", "lightgbm", "0.9312"]
    assert rows[0][-1] == "yes"
    assert rows[1][-1] == "3.2500"
    assert "Model adult@1 registered" in ran.err
    assert "aimass deploy adult" in ran.err


def test_job_that_was_stopped_keeps_its_best_model(run: Run, api: Api) -> None:
    job = study_jobs.start(api, search(run).id)
    study_jobs.add_trials(api.ports, job)
    assert "stopping" in run("jobs", "stop", job.id).err
    study_jobs.fail(api, job, status=JobStatus.STOPPED)
    ran = run("jobs", "watch", job.id)
    assert ran.code == 0, ran.err
    assert re.search(r"BEST TRIAL +ROC AUC", ran.out)
    assert "the best model by then is kept" in ran.err
    assert "Model adult@1 registered" in ran.err


def test_job_that_failed_says_why_and_what_there_is(run: Run, api: Api) -> None:
    job = study_jobs.start(api, search(run).id)
    study_jobs.add_trials(api.ports, job)
    study_jobs.fail(api, job)
    ran = run("jobs", "watch", job.id)
    assert ran.code == 1
    assert "The best model by then is kept." in ran.err
    assert "aimass studies resume" in ran.err
    assert f"Job {job.id} failed" in ran.err


class _Interrupted(httpx2.BaseTransport):
    """Somebody presses Ctrl-C while the command waits for news."""

    def __init__(self, transport: httpx2.BaseTransport) -> None:
        self._transport = transport

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        if request.url.path.endswith("/events") and request.url.params["wait"] != "0":
            raise KeyboardInterrupt
        return self._transport.handle_request(request)


def test_ctrl_c_leaves_the_job_running_and_says_how_to_come_back(
    run: Run, api: Api, transport: InProcessTransport
) -> None:
    ran = run("search", "adult", "-a", "xgboost", through=_Interrupted(transport))
    (job,) = api.get("/v1/jobs").json["items"]
    assert ran.code == 130
    assert f"aimass jobs watch {job['id']}" in ran.err
    assert f"To end it and keep the best: aimass jobs stop {job['id']}" in ran.err
    assert job["status"] == "SUBMITTED"


def test_studies_are_listed_shown_and_deleted(run: Run, api: Api, tmp_path: Path) -> None:
    assert "aimass autotrain" in run("studies", "list").err
    job = study_jobs.start(api, search(run, "--study", "mine", "--max-trials", "5").id)
    assert "no figures yet" in run("studies", "plot", "mine").err
    assert run("studies", "best", "mine").code == 5
    study_jobs.add_trials(api.ports, job)

    assert re.search(r"mine +search +xgboost on adult +SUBMITTED|RUNNING", run("studies", "list").out)
    shown = run("studies", "show", "mine").out
    assert re.search(r"trials +1 running, 2 complete, 1 fail", shown)
    assert re.search(r"train +adult@1", shown)
    best = run("studies", "best", "mine", "--to", "kept")
    assert re.search(r"trial +1 *\n", best.out)
    assert (tmp_path / "kept" / "model.onnx").read_bytes() == b"onnx"

    assert run("studies", "delete", "mine", "--yes").code == 6, "a job works on it"
    study_jobs.succeed(api, job)
    saved = run("studies", "plot", "mine")
    assert (saved.code, (tmp_path / "mine.html").read_bytes()) == (0, study_jobs.PAGE)
    assert json.loads(run("studies", "leaderboard", "mine", "-o", "json").out)[0]["is_chosen"] is True
    assert run("studies", "delete", "mine", "--yes").code == 0
    missing = run("studies", "show", "mine")
    assert (missing.code, "mine" in missing.err) == (5, True)
    assert records.get(api.ports, Job, api.workspace.id, job.id).model_version is not None, "models stay"


def test_trials_show_hyperparameters_and_reasons(run: Run, api: Api) -> None:
    job = study_jobs.start(api, search(run, "--study", "mine").id)
    study_jobs.add_trials(api.ports, job)
    table = run("studies", "trials", "mine").out
    assert "max_depth=6 eta=0.1235" in table
    assert "ValueError: [bold]too deep[/]" in table
    failed = run("studies", "trials", "mine", "--state", "FAIL", "-o", "csv").out.splitlines()
    assert failed[0].startswith("TRIAL,STATE,ALGORITHM,VALUE,")
    assert [line.split(",")[:2] for line in failed[1:]] == [["2", "FAIL"]]


def test_space_of_an_algorithm_can_be_saved_and_given_back(run: Run, api: Api, tmp_path: Path) -> None:
    printed = run("algorithms", "space", "xgboost")
    (tmp_path / "space.yaml").write_text(printed.out)
    search(run, "--space", "space.yaml")
    (job,) = api.get("/v1/jobs").json["items"]
    own = next(found for found in api.get("/v1/algorithms").json["items"] if found["name"] == "xgboost")
    assert job["spec"]["candidates"][0]["space"] == own["space"]
