"""Plan: what was removed of a model, as something that can be done to its source as well."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

from nnea_graph.rewrite.surgery.removal import Removal

Source = TypeVar("Source", bound=Any)
"""A torch module or a Keras model."""


class Plan(Removal):
    """A removal that can be applied to the live model that the original was exported from."""

    __slots__ = ()

    def apply_to(self, module: Source) -> Source:
        """Make the live model that the original was exported from as small as the pruned model.

        It gets the pruned model's weights, and gives what that gives: it is run to see. A torch module becomes
        smaller in place, with parameters that are new objects: make the optimizer afterwards. Of a Keras model
        (Sequential or Functional) a smaller one is made, not compiled yet, and the old one stays.

        Raises:
            ModelError: it is not that model, or cannot be made smaller in this way; it is left as it was.
        """
        from nnea_graph.frontends.keras.frontend import FRONTEND  # noqa: PLC0415 - as below

        shrink: Callable[[Removal, Any], Any]
        if FRONTEND.takes(module):
            from nnea_graph.rewrite.source.keras import shrink  # noqa: PLC0415 - as below
        else:
            from nnea_graph.rewrite.source.torch import shrink  # noqa: PLC0415 - torch is imported where it is used
        return cast("Source", shrink(self, module))
