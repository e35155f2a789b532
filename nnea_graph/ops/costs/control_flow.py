"""Control flow, sequences and optionals: no work of their own."""

from __future__ import annotations

from nnea_graph.ops.cost_rules import free

free("runs its bodies, which are counted", "If", "Loop", "Scan", "SequenceMap")
free("keeps tensors in a sequence", "SequenceConstruct", "SequenceEmpty", "SequenceErase", "SequenceInsert")
free("reads a sequence", "SequenceAt", "SequenceLength")
free("moves elements", "ConcatFromSequence", "SplitToSequence")
free("wraps or unwraps a value", "Optional", "OptionalGetElement", "OptionalHasElement")
