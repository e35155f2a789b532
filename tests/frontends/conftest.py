"""A model's folder with external data."""

from __future__ import annotations

from pathlib import Path

import pytest
from model_zoo.external import VALUES


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A model's folder with good data in it and beside it."""
    made = tmp_path / "model"
    (made / "sub").mkdir(parents=True)
    for place in (made / "w.bin", made / "sub" / "w.bin", tmp_path / "outside.bin"):
        place.write_bytes(VALUES.tobytes())
    return made
