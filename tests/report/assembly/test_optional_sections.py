"""Parts of the report are found by facts that some pass gives."""

from __future__ import annotations

from nnea_graph.passes import catalogue
from nnea_graph.report.assembly.optional_sections import PARTS


def test_every_part_goes_by_a_fact_that_a_pass_provides() -> None:
    provided = {key.name for load in catalogue().values() for key in load().provides}
    assert set(PARTS) <= provided
