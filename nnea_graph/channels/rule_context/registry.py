"""The table of channel rules: how each operator leads channels on."""

from __future__ import annotations

from collections.abc import Callable

from nnea_graph.channels.rule_context.op_context import OpContext
from nnea_graph.ops.registry import Registry

ChannelRule = Callable[[OpContext], None]
"""Writes the channels of the outputs; raises ``UnknownFactError`` with the reason where they cannot be followed."""

CHANNEL_RULES: Registry[ChannelRule] = Registry("channel", families="nnea_graph.channels.rules")

channels = CHANNEL_RULES.register
"""``@channels("Transpose")``."""
