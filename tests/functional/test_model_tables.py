"""What compress, fuse and decompose jobs found out, in Python and on the command line, over the real handlers."""

import json
import re
from pathlib import Path

import pytest

import aimass
from aimass_core.domain.compression import CompressionMethod, UnfitMethod
from aimass_core.errors import NotFoundError
from tests.functional import model_jobs, study_jobs
from tests.functional.gateway import Api
from tests.functional.terminal import Run
from tests.functional.test_jobs import SPEC
from tests.functional.transport import InProcessTransport


@pytest.fixture(autouse=True)
def models(api: Api) -> None:
    model_jobs.add_models(api)


@pytest.fixture
def client(api: Api, transport: InProcessTransport) -> aimass.Client:
    return aimass.Client(transport=transport, api_key=api.token, base_url="http://aimass.test")


def rows(out: str) -> list[list[str]]:
    """The lines of tables as words."""
    return [line.split() for line in out.splitlines() if line.strip() and "─" not in line]


@pytest.mark.parametrize("kind", ["compress", "fuse", "decompose"])
def test_document_and_page_of_a_job_are_read_once_it_has_ended(
    client: aimass.Client, run: Run, api: Api, tmp_path: Path, kind: str
) -> None:
    queued = model_jobs.submit(run, kind)
    name, document = model_jobs.DOCUMENTS[kind]
    with pytest.raises(NotFoundError, match=rf"is SUBMITTED and has left no output/{name}\.json"):
        getattr(client.jobs.get(queued.id), name)()
    model_jobs.succeed(api, queued)
    job = client.jobs.get(queued.id)
    assert getattr(job, name)() == document
    assert job.plot(tmp_path / "page.html").read_bytes() == model_jobs.PAGE
    other = "fusion" if kind == "compress" else "compression"
    with pytest.raises(NotFoundError, match=rf"is of kind {kind}: only {'fuse' if kind == 'compress' else 'compress'}"):
        getattr(job, other)()


def test_compression_ends_with_its_table_from_large_to_small_and_what_comes_next(run: Run, api: Api) -> None:
    job = model_jobs.succeed(api, model_jobs.submit(run, "compress"))
    ran = run("jobs", "watch", job.id)
    assert ran.code == 0, ran.err
    heading, original, chosen, student, *_ = rows(ran.out)
    assert " ".join(heading) == ("CANDIDATE ROC AUC DROP P50 MS P95 MS SIZE MEMORY COLD MS CHOSEN MISSED")
    assert original[:4] == ["original", "0.9300", "0.0000", "0.0800"]
    assert "model_bytes 812,000 > 50,000 [bold]bytes[/]" in ran.out, "what a job says is shown, not obeyed"
    words = "trees 20 0.9280 0.0020 0.0200 0.0300 41.0 kB 123.0 kB 0 yes"
    assert " ".join(chosen) == words
    assert " ".join(student).endswith("metric_drop 0.03 > 0.005")
    assert "int8 dynamic" not in ran.out, "the original beats it in latency and score, and trees 20 in bytes"
    assert f"... and 1 that others beat in everything: aimass jobs table {job.id} -o csv" in ran.err
    assert "Not applied: factorization: It has no layers [red]of weights[/]." in ran.err
    assert "Model adult@3 registered" in ran.err
    assert "aimass deploy adult" in ran.err
    assert f"aimass jobs plot {job.id}" in ran.err


def test_narrow_terminal_has_texts_and_figures_apart(run: Run, api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    job = model_jobs.succeed(api, model_jobs.submit(run, "compress"))
    monkeypatch.setenv("COLUMNS", "80")
    texts, figures = run("jobs", "table", job.id).out.split("# ", maxsplit=2)[1:]
    assert re.search(r"^ +2 +trees 20", texts, re.MULTILINE)
    assert "model_bytes 812,000 > 50,000 [bold]bytes[/]" in texts
    assert re.search(r"^ +2 +0\.9280 +0\.0020 +0\.0200 +0\.0300 +41\.0 kB +123\.0 kB +0 +yes", figures, re.MULTILINE)


def test_table_can_be_seen_again_and_taken_along(run: Run, api: Api, tmp_path: Path) -> None:
    job = model_jobs.succeed(api, model_jobs.submit(run, "compress"))
    shown = run("jobs", "get", job.id)
    assert re.search(r"what +adult@2", shown.out)
    assert re.search(r"parent +adult@2", shown.out)
    assert re.search(r"metric drop at most +0\.0050", shown.out)
    assert f"aimass jobs table {job.id}" in shown.err
    assert json.loads(run("jobs", "table", job.id, "-o", "json").out) == model_jobs.COMPRESSION.model_dump(mode="json")
    lines = run("jobs", "table", job.id, "-o", "csv").out.splitlines()
    assert len(lines) == 1 + len(model_jobs.COMPRESSION.candidates)
    assert lines[0].endswith("COLD MS,PARETO,CHOSEN,MISSED")
    assert lines[2].startswith("int8 dynamic,0.929,")
    saved = run("jobs", "plot", job.id, "--to", "page.html")
    assert (saved.code, (tmp_path / "page.html").read_bytes()) == (0, model_jobs.PAGE)


def test_what_does_not_fit_a_screen_is_counted(run: Run, api: Api) -> None:
    job = model_jobs.submit(run, "compress")
    original, *_ = model_jobs.COMPRESSION.candidates
    candidates = [
        original,
        *(
            model_jobs.candidate(
                f"way {number}", 0.92 - number / 1000, 90_000 - 1000 * number, 0.02, "trimming", is_pareto=True
            )
            for number in range(40)
        ),
    ]
    candidates[17] = candidates[17].model_copy(update={"is_chosen": True})
    unfit = [
        UnfitMethod(method=CompressionMethod.QUANTIZATION, reason=f"way {number}: {'it would answer otherwise, ' * 20}")
        for number in range(30)
    ]
    document = model_jobs.COMPRESSION.model_copy(update={"candidates": candidates, "unfit": unfit})
    files = {"output/compression.json": document.model_dump_json().encode()}
    study_jobs.succeed_with(api, study_jobs.start(api, job.id), files)
    shown = run("jobs", "table", job.id)
    _, *lines = rows(shown.out)
    assert len(lines) == 15
    assert lines[0][0] == "original"
    assert [" ".join(line[:2]) for line in lines if line[-1] == "yes"] == ["way 16"]
    assert {" ".join(lines[1][:2]), " ".join(lines[-1][:2])} == {"way 0", "way 39"}
    assert "... and 26 more: aimass jobs table" in shown.err
    (told,) = [line for line in shown.err.splitlines() if line.startswith("Not applied")]
    assert told.endswith("… (and 29 more)")
    assert len(told) < 180
    assert f"All 30 reasons: aimass jobs table {job.id} -o json" in shown.err
    assert len(json.loads(run("jobs", "table", job.id, "-o", "json").out)["unfit"]) == 30


def test_f5_compression_that_misses_its_limits_shows_what_came_nearest_and_fails(run: Run, api: Api) -> None:
    job = model_jobs.miss(api, model_jobs.submit(run, "compress"))
    ran = run("jobs", "watch", job.id)
    assert ran.code == 1
    assert "student" in ran.out
    assert "yes" not in ran.out, "nothing was chosen"
    assert "registered" not in ran.err
    told = "Nothing meets the limits: set max_model_bytes to 9,000 and max_metric_drop to 0.03."
    assert ran.err.count(told) == 1
    again = run("jobs", "table", job.id)
    assert (again.code, again.out, told in again.err) == (0, ran.out, True)


def test_job_that_fails_without_a_table_says_why_alone(run: Run, api: Api) -> None:
    job = model_jobs.submit(run, "compress")
    study_jobs.fail(api, study_jobs.start(api, job.id))
    ran = run("jobs", "watch", job.id)
    assert (ran.code, ran.out) == (1, "")
    assert f"Job {job.id} failed" in ran.err
    none = run("jobs", "table", job.id)
    assert (none.code, none.out) == (5, "")
    assert "has left no output/compression.json" in none.err


def test_fusion_shows_members_with_the_fusion_below_and_the_methods(run: Run, api: Api) -> None:
    job = model_jobs.succeed(api, model_jobs.submit(run, "fuse"))
    ran = run("jobs", "table", job.id)
    assert ran.code == 0, ran.err
    heading, *lines = rows(ran.out)
    assert " ".join(heading).startswith("MEMBER ALGORITHM ROC AUC WEIGHT CORRELATION P50 MS P95 MS SIZE")
    assert " ".join(lines[0]).startswith("adult@1 (best) xgboost 0.9300 0.6000 0.8100")
    assert " ".join(lines[1]).startswith("adult-net@2 mlp 0.9100 0.4000 -")
    assert " ".join(lines[2]).startswith("fusion (convex_weighting, one_graph) 0.9345 - -")
    assert lines[3] == ["METHOD", "ROC", "AUC", "CHOSEN", "WHY", "NOT"]
    assert lines[4] == ["convex_weighting", "0.9345", "yes"]
    assert " ".join(lines[5]) == "blending - It is of values, and this task is binary."
    assert "6,512 rows that no member was trained on, which judge it in turns." in ran.err
    listed = run("jobs", "list").out
    assert "adult@1, adult@2" in listed


def test_decomposition_shows_wholes_and_what_each_expert_is_for(run: Run, api: Api) -> None:
    job = model_jobs.succeed(api, model_jobs.submit(run, "decompose"))
    ran = run("jobs", "table", job.id)
    assert ran.code == 0, ran.err
    heading, *lines = rows(ran.out)
    assert " ".join(heading).startswith("WHOLE EXPERTS ACCURACY OPERATIONS P50 MS")
    assert " ".join(lines[0]).startswith("single 1 0.9580 180,000 0.0500")
    assert " ".join(lines[1]).startswith("hierarchy of 2 2 0.9600 70,000 0.0400")
    assert lines[1][-1] == "yes"
    assert " ".join(lines[2]) == "EXPERT FOR ALGORITHM SHARE TRAIN ROWS ACCURACY SINGLE THERE SIZE"
    assert " ".join(lines[3]) == "gate which expert linear 100% 16,000 - - 9.0 kB"
    assert " ".join(lines[4]) == "expert-1 letters I, J, L mlp 12% 1,900 0.9700 0.9400 240.0 kB"
    gains = "Chosen: 2.6x fewer operations, 1.4x smaller, 1.2x faster, accuracy from 0.9580 to 0.9600."
    assert gains in " ".join(ran.err.split())
    assert "Not tried: components: It is of forecasts." in ran.err


@pytest.mark.parametrize("kind", ["compress", "fuse", "decompose"])
def test_dry_run_says_what_it_would_take_and_submits_nothing(run: Run, api: Api, kind: str) -> None:
    before = api.get("/v1/jobs").json["items"]
    ran = run(*model_jobs.COMMANDS[kind], "--budget", "1h", "--dry-run")
    assert ran.code == 0, ran.err
    assert re.search(r"seconds +[\d,.]+ +\([\d,.]+ to [\d,.]+\)", ran.out)
    assert re.search(r"limit \(seconds\) +3,600", ran.out)
    assert ("takes the time that it is given" in ran.err) == (kind != "fuse")
    assert api.get("/v1/jobs").json["items"] == before


def test_what_an_autotrain_job_might_have_ended_in_is_a_table_too(run: Run, api: Api, tmp_path: Path) -> None:
    ran = run("autotrain", "adult", "--fuse", "--max-model-bytes", "50k", "-d", "-o", "json")
    (submitted,) = json.loads(ran.out)
    files = {
        f"output/{name}.json": document.model_dump_json().encode()
        for name, document in (model_jobs.DOCUMENTS[kind] for kind in ("compress", "fuse"))
    }
    files["output/study.html"] = study_jobs.PAGE
    study_jobs.succeed_with(api, study_jobs.start(api, submitted["id"]), files)
    shown = run("jobs", "table", submitted["id"])
    assert shown.code == 0, shown.err
    assert "CANDIDATE" in shown.out
    assert "fusion (convex_weighting, one_graph)" in shown.out
    plotted = run("jobs", "plot", submitted["id"], "--to", str(tmp_path / "page.html"))
    assert plotted.code == 0, plotted.err
    assert (tmp_path / "page.html").read_bytes() == study_jobs.PAGE


def test_a_training_has_no_table(run: Run, api: Api) -> None:
    job = api.post("/v1/jobs", {"spec": SPEC}).json
    ran = run("jobs", "table", job["id"])
    assert (ran.code, ran.out) == (5, "")
    assert "is of kind train" in ran.err
    plotted = run("jobs", "plot", job["id"])
    assert (plotted.code, "only compress and fuse and decompose and search" in plotted.err) == (5, True), plotted.err


def test_model_says_what_it_was_made_of_and_what_its_parts_are(run: Run, api: Api) -> None:
    model_jobs.succeed(api, model_jobs.submit(run, "fuse"))
    assert re.search(r"made of +adult@1, adult@2", run("models", "get", "adult").out)
    assert "made of" not in run("models", "get", "adult@1").out
    model_jobs.succeed(api, model_jobs.submit(run, "decompose"))
    shown = run("models", "get", "adult").out
    assert re.search(r"gate +adult-gate@1", shown), shown
    assert re.search(r"expert-1 +adult-expert-1@1", shown), shown


def test_compress_asks_for_what_its_options_say(run: Run, api: Api) -> None:
    ran = run(
        *("compress", "adult@1", "--max-model-bytes", "50k", "--max-latency-ms", "0.1", "--max-metric-drop", "0.005"),
        *("--device", "lambda-512mb", "--methods", "quantization,trimming", "--method", "distillation"),
        *("--dataset", "adult", "--target", "income", "--exclude", "city", "--metric", "f1", "--model", "tiny"),
        *("--seed", "7", "--budget", "5m", "--vcpus", "2", "-d"),
    )
    assert ran.code == 0, ran.err
    assert "adult@1 by quantization, trimming, distillation" in ran.out
    job = api.get("/v1/jobs").json["items"][0]
    spec = job["spec"]
    assert (spec["parent"], spec["max_model_bytes"], spec["max_latency_ms"]) == ("adult@1", 50_000, 0.1)
    assert (spec["max_metric_drop"], spec["device"], spec["metric"]) == (0.005, "lambda-512mb", "f1")
    assert spec["methods"] == ["quantization", "trimming", "distillation"]
    data = spec["data"]
    assert (data["dataset"], data["target"], data["exclude_columns"]) == ("adult@1", "income", ["city"])
    assert (spec["model"], spec["seed"], job["max_seconds"], job["compute"]["vcpus"]) == ("tiny", 7, 300, 2)


def test_fuse_and_decompose_ask_for_what_their_options_say(run: Run, api: Api) -> None:
    fused = run(
        *("fuse", "adult@1", "adult@2", "--method", "stacking_linear", "--placement", "apart", "--out-of-fold", "5"),
        *("--max-model-bytes", "2MB", "--model", "both", "-d"),
    )
    assert fused.code == 0, fused.err
    spec = api.get("/v1/jobs").json["items"][0]["spec"]
    assert (spec["members"], spec["method"]) == (["adult@1", "adult@2"], "stacking_linear")
    assert (spec["placement"], spec["out_of_fold"], spec["max_model_bytes"]) == ("apart", 5, 2_000_000)
    assert (spec["model"], spec["data"]["dataset"]) == ("both", "adult@1")
    split = run(
        *("decompose", "adult", "--method", "tree", "--experts", "4", "--active", "2", "--algorithm", "mlp"),
        *("-H", "epochs=3", "-H", "gate.max_depth=3", "--gate-algorithm", "xgboost", "--single", "adult@1"),
        *("--exclude", "city", "-d"),
    )
    assert split.code == 0, split.err
    assert "adult by tree" in split.out
    spec = api.get("/v1/jobs").json["items"][0]["spec"]
    assert (spec["method"], spec["num_experts"], spec["num_active"], spec["single"]) == ("tree", 4, 2, "adult@1")
    assert (spec["expert"]["algorithm"], spec["expert"]["hyperparameters"]) == ("mlp", {"epochs": 3})
    assert (spec["gate"]["algorithm"], spec["gate"]["hyperparameters"]) == ("xgboost", {"max_depth": 3})
    assert spec["exclude_columns"] == ["city"]


@pytest.mark.parametrize(
    ("args", "code", "words"),
    [
        (["compress", "nobody"], 5, "nobody"),
        (["compress", "adult@9"], 5, "9"),
        (["compress", "adult", "--max-model-bytes", "0"], 3, "max_model_bytes"),
        (["compress", "adult", "--max-model-bytes", "small"], 2, "such as 500KB or 2MB"),
        (["compress", "adult", "--methods", "zip"], 3, "'optimization'"),
        (["compress", "adult", "--target", "income"], 2, "name it too, with --dataset"),
        (["compress", "adult", "--metric", "acuracy"], 3, "Did you mean 'accuracy'?"),
        (["fuse", "adult"], 3, "members"),
        (["fuse", "adult@1", "adult@2", "--metric", "rmse"], 3, "is no metric of a task that is binary"),
        (["decompose", "adult", "-H", "epochs=3"], 2, "name that with --algorithm"),
        (["decompose", "adult", "--metric", "rmse"], 3, "binary or multiclass"),
    ],
)
def test_what_cannot_be_is_refused_with_the_reason(run: Run, api: Api, args: list[str], code: int, words: str) -> None:
    before = api.get("/v1/jobs").json["items"]
    ran = run(*args)
    assert (ran.code, ran.out, words in ran.err) == (code, "", True), ran.err
    assert api.get("/v1/jobs").json["items"] == before
