"""A bucket on S3. Everything that is written carries its SHA-256, and what a stranger may write is signed exactly."""

import base64
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

from boto3.s3.transfer import TransferConfig

from aimass_core.adapters.aws_errors import AWS_ERRORS, code_of, to_error
from aimass_core.errors import UnavailableError
from aimass_core.ports import BlobInfo, BlobNotFoundError, SignedUrl, StoredPart

_WHAT = "the blob store"
_ABSENT = frozenset({"NoSuchKey", "NoSuchUpload", "404", "NotFound"})
_TRANSFER = TransferConfig(multipart_threshold=64 * 1024**2, multipart_chunksize=16 * 1024**2, max_concurrency=4)
_COPY_LIMIT_BYTES = 5 * 1024**3


class S3BlobStore:
    """Satisfies `BlobStore`."""

    def __init__(self, client: Any, *, bucket: str) -> None:
        self._client, self._bucket = client, bucket

    @property
    def bucket(self) -> str:
        """See BlobStore."""
        return self._bucket

    @property
    def endpoint_url(self) -> str | None:
        """See BlobStore."""
        return str(self._client.meta.endpoint_url)

    def get(self, key: str) -> bytes:
        """See BlobStore. A body that ends too early is an error of botocore's, never a short answer."""
        with _translated(key):
            body: bytes = self._client.get_object(Bucket=self._bucket, Key=key, ChecksumMode="ENABLED")["Body"].read()
        return body

    def read(self, key: str) -> tuple[BlobInfo, bytes]:
        """See BlobStore."""
        with _translated(key):
            found = self._client.get_object(Bucket=self._bucket, Key=key, ChecksumMode="ENABLED")
            body: bytes = found["Body"].read()
        return _to_info(key, found), body

    def put(self, key: str, body: bytes, *, content_type: str = "application/octet-stream") -> BlobInfo:
        """See BlobStore."""
        digest = hashlib.sha256(body)
        with _translated(key):
            answer = self._client.put_object(
                Bucket=self._bucket,
                Key=key,
                Body=body,
                ContentType=content_type,
                ChecksumSHA256=base64.b64encode(digest.digest()).decode(),
            )
        return BlobInfo(
            key=key,
            num_bytes=len(body),
            etag=_unquoted(answer["ETag"]),
            modified_at=parsedate_to_datetime(answer["ResponseMetadata"]["HTTPHeaders"]["date"]),
            sha256=digest.hexdigest(),
        )

    def head(self, key: str) -> BlobInfo | None:
        """See BlobStore."""
        try:
            with _translated(key):
                found = self._client.head_object(Bucket=self._bucket, Key=key, ChecksumMode="ENABLED")
        except BlobNotFoundError:
            return None
        return _to_info(key, found)

    def list(self, prefix: str) -> Iterator[BlobInfo]:
        """See BlobStore."""
        pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=prefix)
        with _translated(prefix):
            for page in pages:
                for found in page.get("Contents", []):
                    yield BlobInfo(
                        key=found["Key"],
                        num_bytes=int(found["Size"]),
                        etag=_unquoted(found["ETag"]),
                        modified_at=found["LastModified"],
                    )

    def delete(self, key: str) -> None:
        """See BlobStore."""
        with _translated(key):
            self._client.delete_object(Bucket=self._bucket, Key=key)

    def delete_all(self, prefix: str) -> int:
        """See BlobStore. A page of a listing is one request, of at most 1,000."""
        num_deleted = 0
        pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=prefix)
        with _translated(prefix):
            for page in pages:
                found = [{"Key": each["Key"]} for each in page.get("Contents", [])]
                if not found:
                    continue
                answer = self._client.delete_objects(Bucket=self._bucket, Delete={"Objects": found, "Quiet": True})
                if faults := answer.get("Errors", []):
                    raise UnavailableError(
                        f"{len(faults)} objects could not be deleted ({faults[0]['Code']}). Try again."
                    )
                num_deleted += len(found)
        return num_deleted

    def copy(self, source_key: str, key: str) -> None:
        """See BlobStore. Above S3's 5 GB for one request, the transfer manager copies in parts."""
        source = {"Bucket": self._bucket, "Key": source_key}
        info = self._require(source_key)
        with _translated(source_key):
            if info.num_bytes > _COPY_LIMIT_BYTES:
                self._client.copy(CopySource=source, Bucket=self._bucket, Key=key, Config=_TRANSFER)
            else:
                self._client.copy_object(CopySource=source, Bucket=self._bucket, Key=key, ChecksumAlgorithm="SHA256")

    def download(self, key: str, path: Path) -> None:
        """See BlobStore."""
        with _translated(key):
            self._client.download_file(self._bucket, key, str(path), Config=_TRANSFER)

    def upload(self, path: Path, key: str, *, content_type: str = "application/octet-stream") -> BlobInfo:
        """See BlobStore."""
        extra = {"ContentType": content_type, "ChecksumAlgorithm": "SHA256"}
        with _translated(key):
            self._client.upload_file(str(path), self._bucket, key, ExtraArgs=extra, Config=_TRANSFER)
        return self._require(key)

    def sign_get(self, key: str, *, expires_seconds: int, download_name: str | None = None) -> str:
        """See BlobStore. Bytes of a user are never shown inside a page: always an attachment."""
        name = download_name or key.rpartition("/")[2]
        disposition = f"attachment; filename*=UTF-8''{quote(name, safe='')}"
        return self._sign(
            "get_object",
            {"Key": key, "ResponseContentDisposition": disposition},
            expires_seconds=expires_seconds,
        )

    def sign_put(self, key: str, *, num_bytes: int, sha256: str, expires_seconds: int) -> SignedUrl:
        """See BlobStore."""
        checksum = base64.b64encode(bytes.fromhex(sha256)).decode()
        url = self._sign(
            "put_object",
            {"Key": key, "ContentLength": num_bytes, "ChecksumSHA256": checksum, "IfNoneMatch": "*"},
            expires_seconds=expires_seconds,
        )
        headers = {"content-length": str(num_bytes), "if-none-match": "*", "x-amz-checksum-sha256": checksum}
        return SignedUrl(method="PUT", url=url, headers=headers)

    def create_multipart(self, key: str) -> str:
        """See BlobStore."""
        with _translated(key):
            answer = self._client.create_multipart_upload(Bucket=self._bucket, Key=key)
        return str(answer["UploadId"])

    def sign_part(self, key: str, multipart_id: str, number: int, *, num_bytes: int, expires_seconds: int) -> SignedUrl:
        """See BlobStore."""
        url = self._sign(
            "upload_part",
            {"Key": key, "UploadId": multipart_id, "PartNumber": number, "ContentLength": num_bytes},
            expires_seconds=expires_seconds,
        )
        return SignedUrl(method="PUT", url=url, headers={"content-length": str(num_bytes)})

    def list_parts(self, key: str, multipart_id: str) -> Sequence[StoredPart]:
        """See BlobStore."""
        pages = self._client.get_paginator("list_parts").paginate(Bucket=self._bucket, Key=key, UploadId=multipart_id)
        with _translated(key):
            return [
                StoredPart(number=int(part["PartNumber"]), num_bytes=int(part["Size"]), etag=_unquoted(part["ETag"]))
                for page in pages
                for part in page.get("Parts", [])
            ]

    def complete_multipart(self, key: str, multipart_id: str, parts: Sequence[StoredPart]) -> BlobInfo:
        """See BlobStore."""
        listed = [{"PartNumber": part.number, "ETag": f'"{part.etag}"'} for part in parts]
        try:
            with _translated(key):
                self._client.complete_multipart_upload(
                    Bucket=self._bucket, Key=key, UploadId=multipart_id, MultipartUpload={"Parts": listed}
                )
        except BlobNotFoundError:
            # The upload is gone: it was completed before, or aborted. The object's presence tells which.
            return self._require(key)
        return self._require(key)

    def abort_multipart(self, key: str, multipart_id: str) -> None:
        """See BlobStore."""
        try:
            with _translated(key):
                self._client.abort_multipart_upload(Bucket=self._bucket, Key=key, UploadId=multipart_id)
        except BlobNotFoundError:
            return

    def _require(self, key: str) -> BlobInfo:
        info = self.head(key)
        if info is None:
            raise BlobNotFoundError(key)
        return info

    def _sign(self, operation: str, parameters: dict[str, Any], *, expires_seconds: int) -> str:
        url: str = self._client.generate_presigned_url(
            operation, Params={"Bucket": self._bucket, **parameters}, ExpiresIn=expires_seconds
        )
        return url


@contextmanager
def _translated(key: str) -> Iterator[None]:
    """Turns botocore's errors into ours."""
    try:
        yield
    except AWS_ERRORS as error:
        if code_of(error) in _ABSENT:
            raise BlobNotFoundError(key) from error
        raise to_error(error, what=_WHAT) from error


def _to_info(key: str, found: Mapping[str, Any]) -> BlobInfo:
    return BlobInfo(
        key=key,
        num_bytes=int(found["ContentLength"]),
        etag=_unquoted(found["ETag"]),
        modified_at=found["LastModified"],
        sha256=_hex_sha256(found.get("ChecksumSHA256")),
    )


def _unquoted(etag: str) -> str:
    return etag.strip('"')


def _hex_sha256(checksum: str | None) -> str | None:
    """None where S3 knows none of the whole object: a multipart upload has one of its parts' ("...-3")."""
    if checksum is None or "-" in checksum:
        return None
    return base64.b64decode(checksum).hex()
