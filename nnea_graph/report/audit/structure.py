"""Checks of what a model is: its operators, shapes, metadata, weights and file."""

from __future__ import annotations

from collections.abc import Iterator
from fnmatch import fnmatchcase

from nnea_graph.report.audit.check import FAIL, PASS, Check
from nnea_graph.report.audit.policy import Policy
from nnea_graph.report.schema.analysis import Report

OPERATOR, SHAPE, METADATA, WEIGHTS, FILE = (f"NNEA90{digit}" for digit in range(3, 8))


def structure(report: Report, policy: Policy) -> Iterator[Check]:
    """All of them that the policy asks for."""
    yield from _operators(report, policy)
    yield from _shapes(report, policy)
    yield from _metadata(report, policy)
    yield from _weights(report, policy)


def _operators(report: Report, policy: Policy) -> Iterator[Check]:
    allow, forbid = policy.get("operators.allow", ()), policy.get("operators.forbid", ())
    if not allow and not forbid:
        return
    because = policy.get("operators.reason", "")
    broken = False
    for node in report.nodes:
        name = f"{node.domain}:{node.op_type}"
        banned = next((glob for glob in forbid if fnmatchcase(name, glob)), None)
        if banned is None and (not allow or any(fnmatchcase(name, glob) for glob in allow)):
            continue
        broken = True
        why = f"forbid has '{banned}'" if banned else "allow does not have it"
        key = "operators.forbid" if banned else "operators.allow"
        message = f"operator {name} is not allowed: {why}{f'; {because}' if because else ''}"
        yield Check(OPERATOR, key, FAIL, "error", message, node.id, source=policy.settings[key].source)
    if not broken:
        yield Check(OPERATOR, "operators", PASS, "error", "all operators are allowed")


def _shapes(report: Report, policy: Policy) -> Iterator[Check]:
    symbols = {
        str(dim): tensor.name
        for tensor in report.model.inputs
        for dim in tensor.declared or ()
        if isinstance(dim, str)
    }
    allowed, needed = policy.get("shapes.dynamic"), policy.get("shapes.must_stay_dynamic", ())
    if allowed is not None:
        odd = [name for name in symbols if not any(fnmatchcase(name, glob) for glob in allowed)]
        message = (
            f"dim '{odd[0]}' of input '{symbols[odd[0]]}' is dynamic" if odd else "no other dim is dynamic"
        )
        yield _stated("shapes.dynamic", message, policy, holds=not odd)
    for name in needed:
        message = f"dim '{name}' is {'dynamic' if name in symbols else 'not dynamic in any input'}"
        yield _stated("shapes.must_stay_dynamic", message, policy, holds=name in symbols)
    limit = policy.get("shapes.rank")
    if limit is not None:
        ranks = [
            (len(each.declared), each.name)
            for each in (*report.model.inputs, *report.model.outputs)
            if each.declared is not None
        ]
        rank, name = max(ranks, default=(0, ""))
        message = f"'{name}' has rank {rank}; the limit is {limit.text}"
        yield _stated("shapes.rank", message, policy, holds=limit.holds(rank))


def _metadata(report: Report, policy: Policy) -> Iterator[Check]:
    known = dict(report.model.metadata)
    if report.model.producer:
        known["producer"] = report.model.producer
    for name in policy.get("metadata.required", ()):
        holds = bool(known.get(name, "").strip())
        message = f"metadata '{name}' is {'there' if holds else 'missing: set it in metadata_props'}"
        yield _stated("metadata.required", message, policy, holds=holds, node=name)
    licenses = policy.get("metadata.license")
    if licenses is not None:
        license_id = known.get("license", "")
        message = f"license '{license_id or 'none'}' is {'' if license_id in licenses else 'not '}accepted"
        yield _stated("metadata.license", message, policy, holds=license_id in licenses)


def _weights(report: Report, policy: Policy) -> Iterator[Check]:
    if policy.get("weights.finite"):
        bad = [
            each.id
            for each in report.layers
            if each.weight_metrics and (each.weight_metrics.nan or each.weight_metrics.inf)
        ]
        message = (
            f"layer '{bad[0]}' has weights that are not finite" if bad else "all analyzed weights are finite"
        )
        yield _stated("weights.finite", message, policy, holds=not bad)
    types = policy.get("weights.dtypes")
    if types is not None:
        odd = [each for each in report.layers if each.weight_dtype not in types]
        message = (
            f"layer '{odd[0].id}' has {odd[0].weight_dtype} weights"
            if odd
            else "all weights are of these types"
        )
        yield _stated("weights.dtypes", message, policy, holds=not odd)
    place = policy.get("weights.external_data")
    if place == "none":
        found = report.model.external_data
        message = f"weights lie in '{found[0]}'" if found else "all weights are in the file"
        yield _stated("weights.external_data", message, policy, holds=not found)
    hashes = policy.get("files.sha256")
    if hashes is not None:
        holds = report.model.sha256 in hashes
        message = f"sha256 {report.model.sha256} is {'' if holds else 'not '}listed"
        yield _stated("files.sha256", message, policy, holds=holds)


def _stated(key: str, message: str, policy: Policy, *, holds: bool, node: str = "") -> Check:
    rule = _RULES[key.partition(".")[0]]
    return Check(
        rule, key, PASS if holds else FAIL, "error", message, node, source=policy.settings[key].source
    )


_RULES = {"shapes": SHAPE, "metadata": METADATA, "weights": WEIGHTS, "files": FILE}
