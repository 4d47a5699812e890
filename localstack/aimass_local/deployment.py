"""Deploys the checked-in CloudFormation templates with boto3 only: no Node, no CDK command.

Beside the templates lies `assets.json`, which says for each asset what goes into its archive. The archives are made
here, from the working tree, and named after their content, so that what did not change is neither uploaded nor
deployed again.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import io
import json
import marshal
import re
import time
import zipfile
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib.util import MAGIC_NUMBER
from pathlib import Path
from typing import Any, TypeVar

from botocore.exceptions import ClientError
from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError, model_validator

from aimass_local.clients import build_client
from aimass_local.environment import ACCOUNT_ID, REGION, endpoint_url

Content = TypeVar("Content")

ASSET_BUCKET = f"aimass-assets-{ACCOUNT_ID}-{REGION}"

_BUCKET_PLACEHOLDER = "asset-bucket"
_KEY_PLACEHOLDER = re.compile(r'"asset:([^"]*)"')
_POLL_SECONDS = 0.05
_STACK_SECONDS = 120.0
_LEFT_OUT = re.compile(r"__pycache__$|\.|node_modules$|.*\.pyc$")
_UNCHECKED_HASH = (1).to_bytes(4, "little")
# A heavy layer is left out locally: the Lambda workers run with this interpreter and everything installed for it.
_HEAVY_README = b"Left out of the local cloud: Lambda workers use the packages of the Python that runs it.\n"


class DeploymentError(Exception):
    """The templates cannot be deployed as they are."""


class Asset(BaseModel):
    """What goes into one archive, relative to the repository."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    # Folders or files that keep their path in the archive.
    files: tuple[str, ...] = ()
    # A folder whose content lies at the archive's top.
    root: str | None = None
    heavy: bool = False

    @model_validator(mode="after")
    def _has_content(self) -> Asset:
        if not (self.files or self.root or self.heavy):
            raise ValueError("an asset needs `files`, `root` or `heavy`")
        return self


@dataclass(frozen=True, slots=True, kw_only=True)
class Stack:
    """One template, as it is checked in."""

    name: str
    body: str


def deploy(template_dir: Path, *, repository: Path, port: int) -> dict[str, str]:
    """Creates or updates every stack, in the order of `stacks.json`.

    Returns:
        The outputs of all stacks, merged.

    Raises:
        DeploymentError: a template names an unknown asset, an asset's folder is missing, or a stack fails.
    """
    stacks = read_stacks(template_dir)
    archives = build_archives(read_assets(template_dir), repository=repository)
    clients = _Clients(port)
    _upload(clients.s3, archives.values())
    keys = {name: archive.key for name, archive in archives.items()}
    outputs: dict[str, str] = {}
    for stack in stacks:
        outputs |= _deploy_stack(clients, stack.name, substitute_assets(stack, keys))
    return outputs


# --- templates ---------------------------------------------------------------------------------------------------


def read_stacks(template_dir: Path) -> list[Stack]:
    """The stacks in the order of deployment.

    Raises:
        DeploymentError: a file is missing or not as expected.
    """
    names = _read_json(template_dir / "stacks.json", TypeAdapter(list[str]))
    try:
        return [Stack(name=name, body=(template_dir / f"{name}.template.json").read_text()) for name in names]
    except FileNotFoundError as error:
        raise DeploymentError(f"{error.filename} is missing: check out the repository completely") from error


def read_assets(template_dir: Path) -> dict[str, Asset]:
    """What each archive is made of.

    Raises:
        DeploymentError: `assets.json` is missing or not as expected.
    """
    return _read_json(template_dir / "assets.json", TypeAdapter(dict[str, Asset]))


def substitute_assets(stack: Stack, keys: Mapping[str, str]) -> str:
    """The template's text with the asset placeholders replaced by bucket and keys.

    Raises:
        DeploymentError: a placeholder names an asset that `assets.json` does not have.
    """

    def key_of(match: re.Match[str]) -> str:
        if match[1] not in keys:
            raise DeploymentError(
                f"stack {stack.name} names the asset {match[1]!r}, but assets.json has only {sorted(keys)}"
            )
        return json.dumps(keys[match[1]])

    return _KEY_PLACEHOLDER.sub(key_of, stack.body).replace(json.dumps(_BUCKET_PLACEHOLDER), json.dumps(ASSET_BUCKET))


def _read_json(path: Path, adapter: TypeAdapter[Content]) -> Content:
    try:
        return adapter.validate_json(path.read_bytes())
    except FileNotFoundError as error:
        raise DeploymentError(f"{path} is missing: check out the repository completely") from error
    except ValidationError as error:
        raise DeploymentError(f"{path} is not as expected: {error}") from error


# --- archives ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Archive:
    """A zip file, named after what it is made of; it is made where it is wanted."""

    key: str
    members: Mapping[str, bytes]

    @property
    def content(self) -> bytes:
        """With the bytecode of its modules."""
        return _zip({**self.members, **_compile(self.members)})


def build_archives(assets: Mapping[str, Asset], *, repository: Path) -> dict[str, Archive]:
    """One archive per asset; the same files always give the same bytes."""
    return {name: _build_archive(name, asset, repository) for name, asset in assets.items()}


def _build_archive(name: str, asset: Asset, repository: Path) -> Archive:
    members: dict[str, bytes] = {}
    if asset.heavy:
        members["python/README"] = _HEAVY_README
    else:
        for folder in asset.files:
            members |= _read_members(name, repository / folder, base=repository)
        if asset.root:
            members |= _read_members(name, repository / asset.root, base=repository / asset.root)
    return Archive(key=f"{_digest(members)}.zip", members=members)


def _digest(members: Mapping[str, bytes]) -> str:
    """Of what was written: what is compiled of it may differ by the process."""
    found = hashlib.sha256(MAGIC_NUMBER)
    for name in sorted(members):
        found.update(f"{name}\0{hashlib.sha256(members[name]).hexdigest()}\0".encode())
    return found.hexdigest()


def _compile(members: Mapping[str, bytes]) -> dict[str, bytes]:
    """The bytecode of each module, so that no worker compiles it anew (PEP 552, without a look at the source)."""
    found = {}
    for name, source in members.items():
        if name.endswith(".py"):
            with contextlib.suppress(SyntaxError):  # of which its function tells
                code = marshal.dumps(compile(source, name, "exec", dont_inherit=True))
                header = MAGIC_NUMBER + _UNCHECKED_HASH + importlib.util.source_hash(source)
                found[importlib.util.cache_from_source(name)] = header + code
    return found


def _read_members(name: str, path: Path, *, base: Path) -> dict[str, bytes]:
    if not path.exists():
        raise DeploymentError(f"asset {name!r} needs {path}, which does not exist")
    files = [path] if path.is_file() else (file for file in path.rglob("*") if file.is_file())
    return {
        file.relative_to(base).as_posix(): file.read_bytes()
        for file in files
        if not any(_LEFT_OUT.match(part) for part in file.relative_to(base).parts)
    }


def _zip(members: Mapping[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name in sorted(members):
            entry = zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, members[name])
    return buffer.getvalue()


# --- the deployment itself ---------------------------------------------------------------------------------------


class _Clients:
    """The two AWS clients that a deployment needs, on the local cloud."""

    def __init__(self, port: int) -> None:
        self.endpoint_url = endpoint_url(port)
        self.s3 = build_client("s3", port=port)
        self.cloudformation = build_client("cloudformation", port=port)


def _upload(s3: Any, archives: Iterable[Archive]) -> None:
    s3.create_bucket(Bucket=ASSET_BUCKET)
    present = {
        item["Key"]
        for page in s3.get_paginator("list_objects_v2").paginate(Bucket=ASSET_BUCKET)
        for item in page.get("Contents", ())
    }
    missing = {archive.key: archive for archive in archives if archive.key not in present}
    with ThreadPoolExecutor(max_workers=4, thread_name_prefix="upload") as pool:
        list(
            pool.map(
                lambda archive: s3.put_object(Bucket=ASSET_BUCKET, Key=archive.key, Body=archive.content),
                missing.values(),
            )
        )


def _deploy_stack(clients: _Clients, name: str, body: str) -> dict[str, str]:
    current = _describe(clients, name)
    if current and current["StackStatus"] in {"CREATE_FAILED", "ROLLBACK_COMPLETE", "ROLLBACK_FAILED"}:
        # A stack that never came to be can only be deleted.
        clients.cloudformation.delete_stack(StackName=name)
        _wait(clients, name)
        current = None
    key = f"templates/{hashlib.sha256(body.encode()).hexdigest()}.json"
    clients.s3.put_object(Bucket=ASSET_BUCKET, Key=key, Body=body.encode())
    request = {
        "StackName": name,
        "TemplateURL": f"{clients.endpoint_url}/{ASSET_BUCKET}/{key}",
        "Capabilities": ["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"],
    }
    try:
        if current is None:
            clients.cloudformation.create_stack(**request)
        else:
            clients.cloudformation.update_stack(**request)
    except ClientError as error:
        if "No updates are to be performed" not in str(error):
            raise DeploymentError(f"stack {name}: {error}") from error
    finished = _wait(clients, name)
    if finished is None or finished["StackStatus"] not in {"CREATE_COMPLETE", "UPDATE_COMPLETE"}:
        raise DeploymentError(f"stack {name} failed: {_first_failure(clients, name)}")
    return {output["OutputKey"]: output["OutputValue"] for output in finished.get("Outputs", ())}


def _wait(clients: _Clients, name: str) -> dict[str, Any] | None:
    deadline = time.monotonic() + _STACK_SECONDS
    while time.monotonic() < deadline:
        stack = _describe(clients, name)
        if stack is None or not stack["StackStatus"].endswith("IN_PROGRESS"):
            return stack
        time.sleep(_POLL_SECONDS)
    raise DeploymentError(f"stack {name} did not finish within {_STACK_SECONDS:.0f} s: see `aimass local logs`")


def _describe(clients: _Clients, name: str) -> dict[str, Any] | None:
    try:
        stacks: list[dict[str, Any]] = clients.cloudformation.describe_stacks(StackName=name)["Stacks"]
    except ClientError as error:
        if "does not exist" in str(error):
            return None
        raise DeploymentError(f"stack {name}: {error}") from error
    return stacks[0] if stacks[0]["StackStatus"] != "DELETE_COMPLETE" else None


def _first_failure(clients: _Clients, name: str) -> str:
    events = clients.cloudformation.describe_stack_events(StackName=name)["StackEvents"]
    for event in reversed(events):
        if event["ResourceStatus"].endswith("FAILED") and event.get("ResourceStatusReason"):
            return f"{event['LogicalResourceId']} ({event['ResourceType']}): {event['ResourceStatusReason']}"
    return "no event says why: see `aimass local logs`"
