"""Operators that work on each number by itself: index i stays index i, broadcast as numpy does."""

from __future__ import annotations

from nnea_graph.ops.registry import MICROSOFT
from nnea_graph.rewrite.coupling.op_context import COUPLING_RULES, CouplingContext

ELEMENTWISE = (
    "Abs Acos Acosh Add And Asin Asinh Atan Atanh BitShift BitwiseAnd BitwiseNot BitwiseOr BitwiseXor Cast CastLike "
    "Ceil Celu Clip Cos Cosh Div Dropout Elu Equal Erf Exp Floor Gelu Greater GreaterOrEqual HardSigmoid "
    "HardSwish Identity IsInf IsNaN LeakyRelu Less LessOrEqual Log Max Mean Min Mish Mod Mul Neg Not Or PRelu Pow "
    "Reciprocal Relu Round Selu Shrink Sigmoid Sign Sin Sinh Softplus Softsign Sqrt Sub Sum Swish Tan Tanh "
    "ThresholdedRelu Where Xor RandomNormalLike RandomUniformLike Bernoulli"
)
CONTRIB = "BiasGelu BiasAdd FastGelu Gelu QuickGelu QLinearLeakyRelu QLinearSigmoid"


def elementwise(site: CouplingContext) -> None:
    """Every input is broadcast to every output."""
    for output in site.node.outputs:
        for name in site.names():
            site.broadcast(name, output)


COUPLING_RULES.add(elementwise, *ELEMENTWISE.split())
COUPLING_RULES.add(elementwise, *CONTRIB.split(), domain=MICROSOFT)
