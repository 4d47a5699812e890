"""Folders of models: what is found, and what is refused."""

import hashlib
from pathlib import Path

import numpy as np
import pytest

from aimass_core.adapters.memory import MemoryPorts
from aimass_core.domain import keys
from aimass_core.domain.common import new_id
from aimass_core.domain.models import ArtifactName
from aimass_core.domain.signatures import Golden, Task
from aimass_core.errors import UnavailableError
from batch_jobs.serve.models.folders import find_models, load_version
from tests.factories.served_models import (
    TABLE,
    add_external_data,
    add_fusion,
    add_model_version,
    table_model,
    table_probability,
)
from tests.unit.batch_jobs.serve.bench import put_model


def golden(probability: float) -> Golden:
    return Golden(
        inputs={"age": [[39.0]], "city": [["Oslo"]]},
        outputs={"label": ["yes"], "probabilities": [[1 - probability, probability]]},
    )


def test_one_model_models_and_versions_are_found(tmp_path: Path) -> None:
    put_model(tmp_path, "adult", 2)
    put_model(tmp_path, "adult", 11)
    put_model(tmp_path, "letter", None)
    (tmp_path / "models" / ".hidden").mkdir()
    (tmp_path / "models" / "empty").mkdir()
    found = find_models(tmp_path / "models", name="models")
    assert {name: sorted(versions) for name, versions in found.items()} == {"adult": [2, 11], "letter": [1]}
    assert find_models(tmp_path / "models" / "letter", name="mine").keys() == {"mine"}
    assert sorted(find_models(tmp_path / "models" / "adult", name="mine")["mine"]) == [2, 11]


def test_model_that_gives_its_golden_answer_is_loaded(tmp_path: Path) -> None:
    path = put_model(tmp_path, golden=golden(table_probability(39, "Oslo")))
    model, digest, num_bytes = load_version(path, num_threads=1)
    assert model.signature == TABLE
    assert digest == hashlib.sha256(table_model()).hexdigest()
    assert num_bytes == len(table_model())


def test_fusion_is_served_with_the_members_beside_it_and_with_no_others(tmp_path: Path) -> None:
    ports, workspace_id = MemoryPorts(), new_id("ws")
    members = [
        add_model_version(ports, workspace_id, model=table_model(scale=scale), signature=TABLE, number=number)
        for number, scale in enumerate((100, 50), start=1)
    ]
    fused = add_fusion(ports, workspace_id, members, weights=[1.0, 3.0])
    folder = tmp_path / "fused"
    for version, path in ((fused, folder), *((each, folder / "members" / f"adult@{each.number}") for each in members)):
        path.mkdir(parents=True)
        for artifact in version.artifacts:
            key = keys.model_object(workspace_id, version.model_id, version.number, ArtifactName(artifact.name))
            (path / artifact.name).write_bytes(ports.lake.get(key))
    model, _, num_bytes = load_version(folder, num_threads=1)
    assert num_bytes == sum(path.stat().st_size for path in folder.rglob("model.onnx"))
    inputs = {"age": np.array([[39]], np.float32), "city": np.array([["Oslo"]], object)}
    loaded = [load_version(folder / "members" / f"adult@{number}", num_threads=1)[0] for number in (1, 2)]
    alone = [each.run(inputs, outputs=["probabilities"], seconds=9) for each in loaded]
    together = model.run(inputs, outputs=["probabilities"], seconds=9)["probabilities"]
    wanted = (alone[0]["probabilities"] + 3 * alone[1]["probabilities"]) / 4
    np.testing.assert_allclose(together, wanted, atol=1e-6)
    (folder / "members" / "adult@1" / "model.onnx").write_bytes(table_model(scale=7))
    with pytest.raises(UnavailableError, match="made of another adult@1"):
        load_version(folder, num_threads=1)


def test_model_without_a_signature_says_itself_what_it_takes(tmp_path: Path) -> None:
    model, _, _ = load_version(put_model(tmp_path, signature=None), num_threads=1)
    assert model.signature.task is Task.CUSTOM
    assert [spec.name for spec in model.signature.inputs] == ["age", "city"]


@pytest.mark.parametrize("damage", ["flipped", "cut", "empty"])
def test_g4_damaged_model_is_refused_by_its_digest(tmp_path: Path, damage: str) -> None:
    path = put_model(tmp_path)
    model = table_model()
    (path / "SHA256SUMS").write_text(f"{hashlib.sha256(model).hexdigest()}  model.onnx\n")
    load_version(path, num_threads=1)
    damaged = {"flipped": model[:50] + bytes([model[50] ^ 1]) + model[51:], "cut": model[:-9], "empty": b""}
    (path / "model.onnx").write_bytes(damaged[damage])
    with pytest.raises(UnavailableError, match="not the one that SHA256SUMS names"):
        load_version(path, num_threads=1)


def test_what_may_not_be_served_is_refused_with_the_reason(tmp_path: Path) -> None:
    wrong = put_model(tmp_path, "wrong", golden=golden(0.123))
    with pytest.raises(UnavailableError, match="another answer than in training: probabilities"):
        load_version(wrong, num_threads=1)
    outside = put_model(tmp_path, "outside", model=add_external_data(table_model(), "/etc/passwd"))
    with pytest.raises(UnavailableError, match="outside of the file"):
        load_version(outside, num_threads=1)
    pickled = put_model(tmp_path, "pickled", model=b"\x80\x04\x95pickle.")
    with pytest.raises(UnavailableError, match="not an ONNX file"):
        load_version(pickled, num_threads=1)
    unsigned = put_model(tmp_path, "unsigned")
    (unsigned / "signature.json").write_text("{}")
    with pytest.raises(UnavailableError, match="description is not valid"):
        load_version(unsigned, num_threads=1)
