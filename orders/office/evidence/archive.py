"""Writes an order's evidence to a zip, with a manifest: each file's size and SHA-256."""

import hashlib
import json
import os
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

EVIDENCE = "evidence"  # the name of its exports, beside those of lists
ZIP = "zip"
MANIFEST = "manifest.json"
CHUNK = 1024 * 1024


def evidence_query(number: str) -> str:
    """Returns the filter that the export of an order's evidence keeps."""
    return f"order={number}"


def number_in(query: str) -> str:
    return query.removeprefix("order=")


@dataclass(frozen=True)
class Entry:
    """A file of the archive: its bytes, or a descriptor of a file, which is closed when it was read."""

    name: str
    content: bytes | int


def write_zip(path: Path, header: Sequence[str], entries: Iterable[Entry], **more: object) -> None:
    """`header` is one text: what the manifest says beside the files, as JSON. Raises OSError."""
    found = {}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for entry in entries:
            digest, size = hashlib.sha256(), 0
            with archive.open(entry.name, "w") as target:
                for chunk in _chunks(entry.content):
                    target.write(chunk)
                    digest.update(chunk)
                    size += len(chunk)
            found[entry.name] = {"size": size, "sha256": digest.hexdigest()}
        manifest = json.loads(header[0]) | {"files": found}
        archive.writestr(MANIFEST, json.dumps(manifest, ensure_ascii=False, indent=1))


def _chunks(content: bytes | int) -> Iterator[bytes]:
    if isinstance(content, bytes):
        yield content
        return
    with os.fdopen(content, "rb") as file:
        while chunk := file.read(CHUNK):
            yield chunk
