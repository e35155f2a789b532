"""The script in the package is what the build makes of the sources beside it."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
from pathlib import Path

import pytest

WEB = Path(__file__).parents[3] / "nnea_graph" / "render" / "web"


def test_the_script_is_the_one_that_was_listed() -> None:
    listed = json.loads((WEB / "assets" / "bundle.json").read_text(encoding="utf-8"))
    assert listed["sha256"] == hashlib.sha256((WEB / "assets" / "page.js").read_bytes()).hexdigest()


def test_every_library_is_there_with_its_license() -> None:
    listed = json.loads((WEB / "assets" / "bundle.json").read_text(encoding="utf-8"))
    texts = (WEB / "assets" / "LICENSES.txt").read_text(encoding="utf-8")
    for each in listed["packages"]:
        assert f"{each['name']} {each['version']} ({each['license']})" in texts
        assert each["license"] in {"ISC", "BSD-3-Clause", "MIT"}


def test_the_lock_file_names_no_place_to_fetch_from() -> None:
    assert "resolved" not in (WEB / "source" / "package-lock.json").read_text(encoding="utf-8")


@pytest.mark.slow
def test_building_again_gives_the_same_bytes(tmp_path: Path) -> None:
    if not shutil.which("npm"):
        pytest.skip("npm is not installed")
    source = tmp_path / "source"
    shutil.copytree(WEB / "source", source, ignore=shutil.ignore_patterns("node_modules"))
    installed = subprocess.run(
        ["npm", "ci", "--no-audit", "--no-fund"], cwd=source, capture_output=True, text=True, check=False
    )
    if installed.returncode:
        pytest.skip(f"npm cannot install: {installed.stderr[-200:]}")
    subprocess.run(["node", "build.mjs", str(tmp_path / "made")], cwd=source, check=True, capture_output=True)
    for name in ("page.js", "LICENSES.txt", "bundle.json"):
        assert (tmp_path / "made" / name).read_bytes() == (WEB / "assets" / name).read_bytes()
