"""Rules of the audit, and what is said of any rule in the results."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from nnea_graph.report.findings.catalogue import every_rule


@dataclass(frozen=True, slots=True)
class RuleFacts:
    """A rule as results describe it; ``category`` is the first word of what it is about."""

    id: str
    name: str
    severity: str
    category: str
    summary: str
    rationale: str
    mitigation: str


def _policy(number: int, name: str, summary: str, mitigation: str, severity: str = "error") -> RuleFacts:
    return RuleFacts(
        f"NNEA{number}", name, severity, "policy", summary, "The policy asks for it.", mitigation
    )


_ALL = (
    _policy(
        901,
        "over-budget",
        "A metric is outside the limit that the policy sets.",
        "Make the model smaller (nnea-graph prune), or change the limit in [budget].",
    ),
    _policy(
        902,
        "regression",
        "A metric is worse than the baseline's by more than the policy allows.",
        "Find what changed (nnea-graph run on both), or renew the baseline.",
    ),
    _policy(
        903,
        "forbidden-operator",
        "The model has an operator that the policy does not allow.",
        "Export the model without it, or allow it in [operators].",
    ),
    _policy(
        904,
        "input-shape",
        "Dims of inputs or outputs are not as the policy wants them.",
        "Export the model with the dims that [shapes] names.",
    ),
    _policy(
        905,
        "metadata",
        "Metadata that the policy requires is missing or not accepted.",
        "Set the key in the model's metadata_props.",
    ),
    _policy(
        906,
        "weights",
        "Weights are of a kind that the policy does not accept.",
        "Export the weights as [weights] asks for.",
    ),
    _policy(907, "file-hash", "The model file has a hash that is not listed.", "List its sha256 in [files]."),
    _policy(
        910,
        "expired-ignore",
        "An ignore of the policy has expired.",
        "Mend the finding, or renew the ignore.",
    ),
)
POLICY_RULES: Mapping[str, RuleFacts] = MappingProxyType({each.id: each for each in _ALL})

_CATEGORIES = {"1": "correctness", "2": "efficiency"}


def rule_facts(rule_id: str) -> RuleFacts:
    """Facts that results state of a rule; one of a pass of others is described by its id."""
    if rule_id in POLICY_RULES:
        return POLICY_RULES[rule_id]
    if rule_id not in every_rule():
        return RuleFacts(rule_id, rule_id, "warning", "extension", f"Rule {rule_id} of a plug-in.", "", "")
    name, rule = every_rule()[rule_id]
    category = _CATEGORIES.get(rule_id.removeprefix("NNEA")[:1], "structure")
    summary = name.replace("-", " ").capitalize()
    return RuleFacts(rule_id, name, rule.severity, category, summary, rule.hazard, rule.mitigation)
