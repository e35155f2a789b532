"""The table of channel rules: how each operator leads channels on."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

from nnea_graph.channels import rules
from nnea_graph.channels.rule_context.op_context import OpContext
from nnea_graph.ops.registry import Registry, load_families

ChannelRule = Callable[[OpContext], None]
"""Writes the channels of the outputs; raises ``UnknownFactError`` with the reason where they cannot be followed."""

CHANNEL_RULES: Registry[ChannelRule] = Registry("channel")

channels = CHANNEL_RULES.register
"""``@channels("Transpose")``."""


@cache
def channel_rules() -> Registry[ChannelRule]:
    """The table, with every family of operators loaded."""
    load_families(rules)
    return CHANNEL_RULES
