"""Scripts as real child processes: what they are told, how they fail, and what becomes of what they leave."""

import json
import os
import sys
import threading
import time
from pathlib import Path

import onnx
import pytest
from onnx import TensorProto, helper

from aimass_core.domain.models import ArtifactName
from aimass_core.domain.signatures import Card, Golden, Signature, Task
from aimass_core.errors import InvalidRequestError
from batch_jobs.runtime import failures, interruption
from batch_jobs.runtime.exit_codes import ExitCode
from batch_jobs.runtime.failures import UserCodeError
from batch_jobs.runtime.interruption import Interrupted
from batch_jobs.script.processes import Program
from tests.factories.served_models import LABELLED, TABLE, labels_model, table_model
from tests.unit.batch_jobs.script.scripts import OWN, Desk, build_wheel, new_desk


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return new_desk(tmp_path)


@pytest.fixture
def sigterm() -> None:
    """The process's handler of SIGTERM, as the container's."""
    interruption.listen()


def wait_for(path: Path, *, seconds: float = 30) -> str:
    """What a script has written there."""
    deadline = time.monotonic() + seconds
    while not path.exists() or not path.read_text():
        assert time.monotonic() < deadline, f"{path} was not written"
        time.sleep(0.02)
    return path.read_text()


def is_alive(pid: int) -> bool:
    """Not so when it is a zombie that somebody else will bury."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def until_dead(pid: int, *, seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while is_alive(pid):
        assert time.monotonic() < deadline, f"process {pid} goes on"
        time.sleep(0.02)


# --- what it is told -------------------------------------------------------------------------------------------------


def test_script_is_told_by_sagemakers_conventions_and_of_nothing_else(desk: Desk) -> None:
    tell = """
import json, os, sys
out = os.environ["SM_OUTPUT_DATA_DIR"]
json.dump({"argv": sys.argv, "env": dict(os.environ), "cwd": os.getcwd()}, open(out + "/told.json", "w"))
"""
    desk.run({"train.py": tell}, hyperparameters={"epochs": 3, "l": 0.5, "name": "a b; rm -rf /", "deep": True})
    told = json.loads((desk.folders.output / "told.json").read_text())
    assert told["argv"] == ["train.py", "--epochs", "3", "-l", "0.5", "--name", "a b; rm -rf /", "--deep", "True"]
    environment = told["env"]
    assert environment["SM_CHANNEL_TRAIN"] == str(desk.folders.data / "train")
    assert environment["SM_MODEL_DIR"] == str(desk.folders.model)
    assert json.loads(environment["SM_HPS"]) == {"epochs": 3, "l": 0.5, "name": "a b; rm -rf /", "deep": True}
    assert (environment["SM_HP_EPOCHS"], environment["SM_NUM_CPUS"], environment["SM_NUM_GPUS"]) == ("3", "2", "0")
    assert environment["PYTHONHASHSEED"] == "0", "the same script makes the same bytes"
    assert json.loads(environment["SM_HOSTS"]) == ["algo-1"]
    assert json.loads(environment["SM_TRAINING_ENV"])["channel_input_dirs"] == {
        "train": environment["SM_CHANNEL_TRAIN"]
    }
    assert json.loads(environment["SM_USER_ARGS"]) == told["argv"][1:]
    assert not environment.keys() & (OWN.keys() - {"PATH"}), "credentials and settings of the platform stay behind"


@pytest.mark.skipif(sys.platform != "linux" or os.geteuid() == 0, reason="root may read everybody's environment")
def test_script_cannot_read_the_environment_of_its_parents(desk: Desk) -> None:
    peek = """
import os, pathlib
pid, seen = os.getppid(), []
while pid > 1:
    stat = pathlib.Path(f"/proc/{pid}/stat").read_text()
    try: seen.append(pathlib.Path(f"/proc/{pid}/environ").read_text())
    except PermissionError: break
    pid = int(stat.rpartition(")")[2].split()[1])
assert not any("SECRET" in text for text in seen), seen
"""
    desk.run({"train.py": peek})


def test_output_is_the_jobs_log_without_secrets_and_metric_lines_become_points(
    desk: Desk, capfd: pytest.CaptureFixture[str]
) -> None:
    lines = """
import sys
print("token ghp-something-secret")
print("[aimass] loss=0.5 step=10")
print("[aimass] loss=oops step=11")
print("to stderr", file=sys.stderr)
"""
    desk.run({"train.py": lines})
    printed = capfd.readouterr().out
    assert "token [redacted]" in printed
    assert "to stderr" in printed
    assert "ghp-something" not in printed
    assert desk.told.points == [(10, {"loss": 0.5})]


# --- how it fails ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("raise ValueError('the data is odd')", "exit code 1: ValueError: the data is odd"),
        ("import sys; sys.exit(3)", "exit code 3: it printed nothing"),
        ("def f(:", "SyntaxError"),
        ("import a_module_that_is_not_there", "ModuleNotFoundError"),
        ("import os; os.kill(os.getpid(), 9)", "SIGKILL"),
        ("import os; os.abort()", "SIGABRT"),
        ("open(__import__('os').environ['SM_OUTPUT_DIR'] + '/failure', 'w').write('no rows left'); exit(1)", "no rows"),
    ],
)
def test_failed_script_is_the_users_error_with_its_cause_first(desk: Desk, body: str, words: str) -> None:
    with pytest.raises(UserCodeError, match=words) as caught:
        desk.run({"train.py": body})
    ending = failures.explain(caught.value, OWN)
    assert (ending.exit_code, ending.failure.code) == (ExitCode.USER_ERROR, "script_failed")


def test_failure_carries_the_end_of_the_traceback(desk: Desk) -> None:
    with pytest.raises(UserCodeError) as caught:
        desk.run({"train.py": "def inner():\n    return 1 / 0\ninner()"})
    traceback = failures.explain(caught.value, OWN).failure.traceback
    assert traceback is not None
    assert "in inner" in traceback
    assert traceback.strip().endswith("ZeroDivisionError: division by zero")


def test_missing_entry_point_names_what_there_is(desk: Desk) -> None:
    with pytest.raises(InvalidRequestError, match=r"no entry point 'train.py'.*src/main.py"):
        desk.run({"src/main.py": ""})


def test_requirements_that_do_not_install_are_named_and_nothing_runs(desk: Desk) -> None:
    files = {"train.py": "open('ran', 'w')", "requirements.txt": "a-package-that-nobody-made==99\n"}
    with pytest.raises(UserCodeError, match="requirements could not be installed") as caught:
        desk.run(files, own={**OWN, "PIP_NO_INDEX": "1"})
    assert caught.value.code == "requirements_failed"
    assert "a-package-that-nobody-made" in caught.value.cause
    assert not (desk.folders.root / "code" / "ran").exists()


def test_requirement_is_installed_for_the_script_alone(desk: Desk) -> None:
    files = {
        "train.py": "import sample_own; assert 'packages' in sample_own.__file__",
        "requirements.txt": "# ours\nnumpy>=1\n-r more.txt\n",
        "more.txt": "./sample_own-1-py3-none-any.whl\n",
        "sample_own-1-py3-none-any.whl": build_wheel(),
    }
    desk.run(files, own={**OWN, "PIP_NO_INDEX": "1"})
    assert (desk.folders.root / "packages" / "sample_own").is_dir()
    assert not (desk.folders.root / "packages" / "numpy").exists(), "what is there already is not installed again"


def test_processes_that_a_script_leaves_behind_end_with_it(desk: Desk) -> None:
    fork = """
import os, subprocess, sys
out = os.environ["SM_OUTPUT_DATA_DIR"]
for number, options in enumerate(({}, {"start_new_session": True})):
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(1000)"], **options)
    open(f"{out}/{number}", "w").write(str(child.pid))
"""
    desk.run({"train.py": fork})
    for number in range(2):
        until_dead(int((desk.folders.output / str(number)).read_text()))


def test_sigterm_is_handed_on_and_the_attempt_is_interrupted(desk: Desk, sigterm: None) -> None:
    save = """
import os, signal, sys, time
out = os.environ["SM_CHECKPOINT_DIR"]
def leave(*_):
    open(out + "/saved", "w").write("step 7")
    sys.exit(0)
signal.signal(signal.SIGTERM, leave)
open(out + "/started", "w").write("yes")
time.sleep(1000)
"""

    def interrupt() -> None:
        wait_for(desk.folders.checkpoints / "started")
        interruption.leave()

    thread = threading.Thread(target=interrupt)
    thread.start()
    with pytest.raises(Interrupted):
        desk.run({"train.py": save})
    thread.join()
    assert (desk.folders.checkpoints / "saved").read_text() == "step 7"


def test_script_that_ignores_sigterm_is_killed_with_its_children(desk: Desk, tmp_path: Path, sigterm: None) -> None:
    script = tmp_path / "deaf.py"
    script.write_text(
        "import os, signal, subprocess, sys, time\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(1000)'])\n"
        "open('started', 'w').write(f'{os.getpid()} {child.pid}')\n"
        "time.sleep(1000)\n"
    )
    program = Program(
        command=[sys.executable, str(script)],
        cwd=tmp_path,
        variables={},
        watched=tmp_path,
        redacted={},
        grace_seconds=0.3,
    )

    def interrupt() -> None:
        wait_for(tmp_path / "started")
        interruption.leave()

    thread = threading.Thread(target=interrupt)
    thread.start()
    with pytest.raises(Interrupted):
        program.run()
    thread.join()
    for pid in (tmp_path / "started").read_text().split():
        until_dead(int(pid))


def test_script_that_fills_the_disk_is_stopped(tmp_path: Path) -> None:
    program = Program(
        command=[sys.executable, "-c", "import time; time.sleep(1000)"],
        cwd=tmp_path,
        variables={},
        watched=tmp_path,
        redacted={},
        min_free_bytes=2**62,
    )
    with pytest.raises(UserCodeError, match="disk") as caught:
        program.run()
    assert caught.value.code == "disk_full"


def test_flood_of_output_is_cut_and_its_end_still_known(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    program = Program(
        command=[
            sys.executable,
            "-c",
            "for i in range(200_000): print('x' * 50)\nprint('the end')\nraise SystemExit(2)",
        ],
        cwd=tmp_path,
        variables={},
        watched=tmp_path,
        redacted={},
        max_log_bytes=10_000,
    )
    ended = program.run()
    assert (ended.exit_code, ended.last_line) == (2, "the end")
    printed = capfd.readouterr().out
    assert len(printed) < 20_000
    assert "log truncated" in printed


# --- what it leaves --------------------------------------------------------------------------------------------------


def linear_model(*, name: str = "x", domain: str = "", width: int | None = None) -> bytes:
    """value = 2 x, of columns or of a matrix."""
    shape = ["n", 1] if width is None else ["n", width]
    nodes = [helper.make_node("Add", [name, name], ["doubled"], domain=domain)]
    output = helper.make_tensor_value_info("doubled", TensorProto.FLOAT, shape)
    if width is None:
        axes = helper.make_tensor("axes", TensorProto.INT64, [1], [1])
        nodes.append(helper.make_node("Squeeze", ["doubled", "axes"], ["value"]))
        output = helper.make_tensor_value_info("value", TensorProto.FLOAT, ["n"])
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)],
        [output],
        initializer=[axes] if width is None else [],
    )
    opsets = [helper.make_opsetid("", 18)] + ([helper.make_opsetid(domain, 1)] if domain else [])
    model: bytes = helper.make_model(graph, opset_imports=opsets, ir_version=10).SerializeToString()
    return model


def leave(desk: Desk, tmp_path: Path, files: dict[str, bytes], *, model: str | None = None) -> dict[str, float]:
    """A script that leaves these files in its model folder."""
    store = tmp_path / "store"
    store.mkdir()
    for name, body in files.items():
        (store / name).write_bytes(body)
    copy = f"import os, shutil\nshutil.copytree({str(store)!r}, os.environ['SM_MODEL_DIR'], dirs_exist_ok=True)\n"
    return desk.run({"train.py": copy}, model=model)


def test_onnx_model_of_columns_becomes_a_regression_that_rows_can_ask(desk: Desk, tmp_path: Path) -> None:
    leave(desk, tmp_path, {"clf.onnx": linear_model()}, model="mine")
    folder = desk.folders.model
    assert {path.name for path in folder.iterdir()} == set(ArtifactName) - {
        ArtifactName.REPORT_DATA,
        ArtifactName.FUSION,
        ArtifactName.EXPERTS,
    }
    signature = Signature.model_validate_json((folder / "signature.json").read_bytes())
    assert (signature.task, signature.inputs[0].column) == (Task.REGRESSION, "x")
    golden = Golden.model_validate_json((folder / "golden.json").read_bytes())
    asked = [row[0] for row in golden.inputs["x"]]
    assert golden.outputs["value"] == pytest.approx([2 * value for value in asked])
    card = Card.model_validate_json((folder / "card.json").read_bytes())
    assert (card.algorithm, card.framework, card.export_check) == ("script", "train.py", None)


def test_onnx_model_of_a_matrix_is_one_of_tensors(desk: Desk, tmp_path: Path) -> None:
    leave(desk, tmp_path, {"m.onnx": linear_model(width=4)})
    signature = Signature.model_validate_json((desk.folders.model / "signature.json").read_bytes())
    assert (signature.task, signature.inputs[0].shape, signature.inputs[0].column) == (Task.CUSTOM, [-1, 4], None)


def test_own_signature_is_kept_where_it_is_true(desk: Desk, tmp_path: Path) -> None:
    own = Signature.model_validate(
        {
            "kind": "table",
            "task": "regression",
            "target": "price",
            "inputs": [{"name": "x", "datatype": "FP32", "shape": [-1, 1], "column": "size", "column_type": "number"}],
            "outputs": [{"name": "value", "datatype": "FP32", "shape": [-1]}],
        }
    )
    leave(desk, tmp_path, {"m.onnx": linear_model(), "signature.json": own.model_dump_json().encode()}, model="mine")
    kept = Signature.model_validate_json((desk.folders.model / "signature.json").read_bytes())
    assert kept == own


def test_own_multi_label_model_says_by_truth_values_which_labels_apply(desk: Desk, tmp_path: Path) -> None:
    leave(desk, tmp_path, {"m.onnx": labels_model(), "signature.json": LABELLED.model_dump_json().encode()})
    kept = Signature.model_validate_json((desk.folders.model / "signature.json").read_bytes())
    assert kept == LABELLED
    golden = Golden.model_validate_json((desk.folders.model / "golden.json").read_bytes())
    assert {type(flag) for row in golden.outputs["label"] for flag in row} == {bool}


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({"m.onnx": table_model(), "signature.json": TABLE.model_copy(update={"task": Task.MULTILABEL})
          .model_dump_json().encode()}, "as a multilabel model it needs the output 'label' as BOOL"),
        ({"m.onnx": b"not protobuf at all"}, "may not be served"),
        ({"m.onnx": b""}, "may not be served"),
        ({"a.onnx": linear_model(), "b.onnx": linear_model()}, "2 .onnx files"),
        ({"m.pkl": b"\x80\x04."}, "0 .onnx files"),
        ({"m.onnx": linear_model(domain="com.example")}, "com.example"),
        ({"m.onnx": linear_model(), "signature.json": b"{}"}, "signature.json is not valid"),
        ({"m.onnx": linear_model(), "signature.json": b'{"kind":"table","task":"regression","target":"y","inputs":'
          b'[{"name":"z","datatype":"FP32","shape":[-1,1]}],"outputs":[]}'}, "'z' is missing"),
        ({"model.onnx": b"forged", "card.json": b"{}", "golden.json": b"{}", "signature.json": b"{}"}, "may not be"),
    ],
)  # fmt: skip
def test_what_cannot_be_served_is_kept_and_never_registered(
    desk: Desk, tmp_path: Path, files: dict[str, bytes], words: str
) -> None:
    leave(desk, tmp_path, files)
    assert list(desk.folders.model.iterdir()) == []
    assert {path.name for path in (desk.folders.output / "model").iterdir()} == set(files)
    assert any(words in message for message in desk.told.messages), desk.told.messages


def test_model_with_data_outside_of_its_file_is_not_registered(desk: Desk, tmp_path: Path) -> None:
    model = onnx.load_model_from_string(linear_model())
    tensor = model.graph.initializer[0]
    tensor.ClearField("int64_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="/etc/passwd")
    leave(desk, tmp_path, {"m.onnx": model.SerializeToString()})
    assert any("outside of the file" in message for message in desk.told.messages)


def test_model_that_was_asked_for_and_is_not_there_fails_the_job(desk: Desk) -> None:
    with pytest.raises(InvalidRequestError, match=r"0 \.onnx files"):
        desk.run({"train.py": ""}, model="mine")


def test_script_that_leaves_nothing_says_so(desk: Desk) -> None:
    assert desk.run({"train.py": ""}) == {}
    assert desk.told.messages == ["The script ended well and left nothing: no model, no files, no metrics."]


@pytest.mark.parametrize(
    ("text", "metrics"),
    [
        ('{"auc": 0.9, "n": 3}', {"auc": 0.9, "n": 3.0}),
        ('{"auc": NaN, "deep": {"x": 1}, "ok": 1}', {"ok": 1.0}),
        ("[1]", {}),
        ("{", {}),
    ],
)
def test_metrics_file_becomes_the_jobs_metrics(desk: Desk, text: str, metrics: dict[str, float]) -> None:
    write = f"import os; open(os.environ['SM_OUTPUT_DATA_DIR'] + '/metrics.json', 'w').write({text!r})"
    assert desk.run({"train.py": write}) == metrics


def test_link_in_the_place_of_a_folder_is_not_followed(desk: Desk, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.mkdir()
    (secret / "m.onnx").write_bytes(linear_model())
    swap = f"import os; d = os.environ['SM_MODEL_DIR']; os.rmdir(d); os.symlink({str(secret)!r}, d)"
    desk.run({"train.py": swap})
    assert not desk.folders.model.is_symlink()
    assert list(desk.folders.model.iterdir()) == []
