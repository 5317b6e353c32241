"""Writes an order's evidence to a zip, with a manifest: each file's size and SHA-256."""

import hashlib
import json
import os
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

EVIDENCE = "evidence"  # `list_name` of its exports
ZIP = "zip"
MANIFEST = "manifest.json"
CHUNK = 1024 * 1024


def evidence_query(number: str) -> str:
    """Returns the `query` of the export of an order's evidence."""
    return f"order={number}"


def number_in(query: str) -> str:
    return query.removeprefix("order=")


@dataclass(frozen=True)
class Entry:
    """A file of the archive. It has bytes, or a file descriptor that is closed after reading."""

    name: str
    content: bytes | int


def write_zip(path: Path, header: Sequence[str], entries: Iterable[Entry], **more: object) -> None:
    """Writes the archive. `header` holds one JSON text: the manifest without its `files`. Raises OSError."""
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
