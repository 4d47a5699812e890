"""Reading templates, ordering stacks and making archives."""

from __future__ import annotations

import importlib.util
import io
import json
import zipfile
from pathlib import Path

import pytest

from aimass_local import deployment
from aimass_local.deployment import Asset, DeploymentError, Stack


def _names(content: bytes) -> list[str]:
    """Of what was written; what is compiled of it lies beside it."""
    return [name for name in zipfile.ZipFile(io.BytesIO(content)).namelist() if "__pycache__" not in name]


def _write(folder: Path, files: dict[str, str]) -> None:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)


def test_stacks_come_in_their_listed_order(tmp_path: Path) -> None:
    _write(tmp_path, {"stacks.json": '["Data", "Api"]', "Api.template.json": "{}", "Data.template.json": '{"a": 1}'})
    stacks = deployment.read_stacks(tmp_path)
    assert stacks == [Stack(name="Data", body='{"a": 1}'), Stack(name="Api", body="{}")]


def test_missing_template_is_named(tmp_path: Path) -> None:
    _write(tmp_path, {"stacks.json": '["Data"]'})
    with pytest.raises(DeploymentError, match=r"Data\.template\.json is missing"):
        deployment.read_stacks(tmp_path)


def test_placeholders_become_bucket_and_key() -> None:
    stack = Stack(
        name="Api",
        body='{"S3Bucket": "asset-bucket", "S3Key": "asset:functions/api"}',
    )
    body = deployment.substitute_assets(stack, {"functions/api": "abc.zip"})
    assert json.loads(body) == {"S3Bucket": "aimass-assets-000000000000-us-east-1", "S3Key": "abc.zip"}


def test_unknown_placeholder_is_named() -> None:
    stack = Stack(name="Api", body='{"S3Key": "asset:nope"}')
    with pytest.raises(DeploymentError, match=r"Api names the asset 'nope'.*'functions/api'"):
        deployment.substitute_assets(stack, {"functions/api": "abc.zip"})


def test_files_keep_their_paths_and_roots_do_not(tmp_path: Path) -> None:
    _write(
        tmp_path, {"functions/api/app.py": "1", "functions/api/routes/jobs.py": "2", "layers/core/python/core.py": "3"}
    )
    assets = {"api": Asset(files=("functions/api",)), "core": Asset(root="layers/core")}
    archives = deployment.build_archives(assets, repository=tmp_path)
    assert _names(archives["api"].content) == ["functions/api/app.py", "functions/api/routes/jobs.py"]
    assert _names(archives["core"].content) == ["python/core.py"]


def test_heavy_layers_are_left_out(tmp_path: Path) -> None:
    _write(tmp_path, {"layers/deps/python/large.py": "1"})
    archives = deployment.build_archives({"deps": Asset(root="layers/deps", heavy=True)}, repository=tmp_path)
    assert _names(archives["deps"].content) == ["python/README"]


def test_workers_find_modules_compiled_and_tell_of_those_that_cannot_be(tmp_path: Path) -> None:
    _write(tmp_path, {"functions/api/app.py": "VALUE = 'compiled'", "functions/api/broken.py": "def"})
    archive = deployment.build_archives({"api": Asset(files=("functions/api",))}, repository=tmp_path)["api"]
    zipfile.ZipFile(io.BytesIO(archive.content)).extractall(tmp_path / "worker")
    folder = tmp_path / "worker" / "functions" / "api"
    assert [path.name.partition(".")[0] for path in (folder / "__pycache__").iterdir()] == ["app"]
    (folder / "app.py").write_text("VALUE = 'read'")
    spec = importlib.util.spec_from_file_location("app", folder / "app.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert module.VALUE == "compiled"


def test_archives_depend_on_content_alone(tmp_path: Path) -> None:
    assets = {"api": Asset(files=("a", "b"))}
    first, second = tmp_path / "first", tmp_path / "second"
    _write(first, {"a/x.py": "1", "b/y.py": "2"})
    _write(second, {"b/y.py": "2", "a/x.py": "1", "a/__pycache__/x.pyc": "junk", "a/.hidden": "junk"})
    (first / "a" / "x.py").touch()
    archive = deployment.build_archives(assets, repository=first)["api"]
    assert archive == deployment.build_archives(assets, repository=second)["api"]
    _write(second, {"a/x.py": "changed"})
    assert archive.key != deployment.build_archives(assets, repository=second)["api"].key


def test_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(DeploymentError, match=r"'api' needs .*functions/api"):
        deployment.build_archives({"api": Asset(files=("functions/api",))}, repository=tmp_path)


@pytest.mark.parametrize("content", ["[]", '{"api": {}}', '{"api": {"file": "x"}}', "{"])
def test_bad_asset_list_is_refused(tmp_path: Path, content: str) -> None:
    _write(tmp_path, {"assets.json": content})
    with pytest.raises(DeploymentError, match=r"assets\.json is not as expected"):
        deployment.read_assets(tmp_path)


def test_missing_asset_list_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(DeploymentError, match="check out the repository"):
        deployment.read_assets(tmp_path)
