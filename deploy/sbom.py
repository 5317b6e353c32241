"""The software bill of materials of a bundle, as a CycloneDX 1.6 document. Security offices require it.

The document has the name, version, package URL, wheel's SHA-256, licence and requirements of each library.
"""

import datetime
import email
import hashlib
import json
import re
import uuid
import zipfile
from email.message import Message
from pathlib import Path

NAME = "ibs-order-desk"
LICENCE = "License :: "


def write_sbom(content: Path, *, version: str, moment: int) -> None:
    """Writes `sbom.cdx.json` into the folder of an unpacked bundle.

    `moment` is the time of the commit, in seconds since 1970.
    """
    document = sbom(content, version=version, moment=moment)
    (content / "sbom.cdx.json").write_text(json.dumps(document, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


def sbom(content: Path, *, version: str, moment: int) -> dict:
    """Returns the document. It is the same for the same wheels."""
    wheels = {wheel: _metadata(wheel) for wheel in sorted((content / "wheels").glob("*.whl"))}
    components = [_component(wheel, metadata) for wheel, metadata in wheels.items()]
    urls = {_normalized_name(component["name"]): component["purl"] for component in components}
    own = {"type": "application", "name": NAME, "version": version, "purl": f"pkg:generic/{NAME}@{version}"}
    direct = _names((content / "requirements.in").read_text(encoding="utf-8").splitlines())
    edges = {own["purl"]: direct} | {
        urls[_normalized_name(metadata["Name"])]: _names(metadata.get_all("Requires-Dist", []))
        for metadata in wheels.values()
    }
    parts = json.dumps([own, components], sort_keys=True)
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, hashlib.sha256(parts.encode()).hexdigest())}",
        "version": 1,
        "metadata": {
            "timestamp": f"{datetime.datetime.fromtimestamp(moment, datetime.UTC):%Y-%m-%dT%H:%M:%SZ}",
            "component": {"bom-ref": own["purl"], **own},
        },
        "components": components,
        "dependencies": [
            {"ref": url, "dependsOn": sorted(urls[name] for name in names & set(urls))} for url, names in edges.items()
        ],
    }


def _metadata(wheel: Path) -> Message:
    with zipfile.ZipFile(wheel) as archive:
        [name] = [name for name in archive.namelist() if re.fullmatch(r"[^/]+\.dist-info/METADATA", name)]
        return email.message_from_bytes(archive.read(name))


def _component(wheel: Path, metadata: Message) -> dict:
    name, version = metadata["Name"], metadata["Version"]
    purl = f"pkg:pypi/{_normalized_name(name)}@{version}"
    found = {
        "type": "library",
        "bom-ref": purl,
        "name": name,
        "version": version,
        "purl": purl,
        "hashes": [{"alg": "SHA-256", "content": hashlib.sha256(wheel.read_bytes()).hexdigest()}],
    }
    return found | ({"licenses": licences} if (licences := _licences(metadata)) else {})


def _licences(metadata: Message) -> list[dict]:
    """Returns the licence according to the wheel's metadata. It is an SPDX expression, the names of classifiers, or the
    first line of a free text."""
    if expression := metadata["License-Expression"]:
        return [{"expression": expression}]
    classifiers = metadata.get_all("Classifier", [])
    names = [text.rsplit(" :: ", 1)[-1] for text in classifiers if text.startswith(LICENCE)]
    names = names or (metadata["License"] or "").strip().splitlines()[:1]
    return [{"license": {"name": name}} for name in names]


def _names(requirements: list[str]) -> set[str]:
    """Returns the normalized names in lines such as `Django>=5.2 ; marker`. Lines without a name are left out."""
    found = (re.match(r"[A-Za-z0-9][A-Za-z0-9._-]*", text) for text in requirements)
    return {_normalized_name(match.group()) for match in found if match}


def _normalized_name(name: str) -> str:
    """Returns the name in the form in which package indexes compare names."""
    return re.sub(r"[-_.]+", "-", name).lower()
