"""The list of parts in a bundle. A checkout with uncommitted changes makes no bundle. `tests.bundle.run` tests a whole
bundle.
"""

import json
import subprocess
import zipfile
from pathlib import Path

import pytest

from deploy import bundle
from deploy.sbom import write_sbom
from project import __version__
from tests.bundle.run import commands
from tests.first_start.lines import way_back_lines

REQUIRES = "Requires-Dist: other>=2; python_version > '3'"
BSD = "License :: OSI Approved :: BSD License"
METADATA = {
    "Some_Library-1.2-py3-none-any.whl": ["Name: Some_Library", "Version: 1.2", "License-Expression: MIT", REQUIRES],
    "other-2.0-py3-none-any.whl": ["Name: other", "Version: 2.0", f"Classifier: {BSD}", "Requires-Dist: absent"],
    "plain-3-py3-none-any.whl": ["Name: plain", "Version: 3", "License: Apache 2.0", "  and the whole text"],
}


@pytest.fixture
def content(tmp_path) -> Path:
    """An unpacked bundle of three made-up libraries."""
    (tmp_path / "wheels").mkdir()
    (tmp_path / "requirements.in").write_text("# ours\nsome.library>=1  # why\nplain\n")
    for name, metadata in METADATA.items():
        with zipfile.ZipFile(tmp_path / "wheels" / name, "w") as wheel:
            wheel.writestr(
                f"{name.split('-')[0]}-1.dist-info/METADATA", "\n".join(["Metadata-Version: 2.4", *metadata, ""])
            )
    return tmp_path


def test_each_part_has_its_name_version_address_hash_and_licence(content):
    write_sbom(content, version="1.0.0", moment=1_764_115_200)
    document = json.loads((content / "sbom.cdx.json").read_text())
    assert (document["bomFormat"], document["specVersion"]) == ("CycloneDX", "1.6")
    assert document["metadata"]["timestamp"] == "2025-11-26T00:00:00Z"
    assert document["metadata"]["component"]["purl"] == "pkg:generic/ibs-order-desk@1.0.0"
    told = {row["purl"]: (row["name"], row["version"], row["licenses"]) for row in document["components"]}
    assert told == {
        "pkg:pypi/some-library@1.2": ("Some_Library", "1.2", [{"expression": "MIT"}]),
        "pkg:pypi/other@2.0": ("other", "2.0", [{"license": {"name": "BSD License"}}]),
        "pkg:pypi/plain@3": ("plain", "3", [{"license": {"name": "Apache 2.0"}}]),
    }
    assert all(len(row["hashes"][0]["content"]) == 64 for row in document["components"])
    assert {row["ref"]: row["dependsOn"] for row in document["dependencies"]} == {
        "pkg:generic/ibs-order-desk@1.0.0": ["pkg:pypi/plain@3", "pkg:pypi/some-library@1.2"],
        "pkg:pypi/some-library@1.2": ["pkg:pypi/other@2.0"],
        "pkg:pypi/other@2.0": [],
        "pkg:pypi/plain@3": [],
    }


def test_the_same_parts_give_the_same_list(content):
    write_sbom(content, version="1.0.0", moment=1_764_115_200)
    first = (content / "sbom.cdx.json").read_bytes()
    write_sbom(content, version="1.0.0", moment=1_764_115_200)
    assert (content / "sbom.cdx.json").read_bytes() == first


def test_what_is_not_committed_stops_it(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(bundle, "_run", lambda *command, **more: " M manage.py\n")
    assert bundle.main(["--output", str(tmp_path)]) == 1
    assert capsys.readouterr().err == ("bundle: there are changes that are not committed; a bundle holds what is\n")
    assert list(tmp_path.iterdir()) == []


def test_it_is_unpacked_where_the_lines_of_an_upgrade_look_for_a_version(tmp_path):
    content = tmp_path / bundle.NAME
    content.mkdir()
    (content / "manage.py").touch()
    bundle._pack(content, tmp_path / f"{bundle.NAME}-cp311-linux_x86_64.tar.gz", 1_764_115_200)
    line = f"{commands(tmp_path)[0]} && pwd && ls"
    ended = subprocess.run(["bash", "-c", line], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert ended.stdout.split() == [f"{tmp_path}/releases/{__version__}", "manage.py"]
    assert any(f"-sfn releases/{__version__} " in line for line in way_back_lines())
