"""Element-wise functions: one table of formulas; an operator costs the words of its formula an element."""

from __future__ import annotations

from nnea_graph.ops.attribute_checks import need, number, word
from nnea_graph.ops.call import OpCall, UnknownFactError
from nnea_graph.ops.cost_rules import OperatorCost, elementwise, free, work
from nnea_graph.ops.registry import MICROSOFT


def steps(formula: str) -> int:
    """Operations of a formula that is written as its words."""
    return len(formula.split())


FORMULAS = {
    # arithmetic
    "Abs": "abs",
    "Add": "add",
    "Ceil": "ceil",
    "Div": "divide",
    "Floor": "floor",
    "Mod": "mod",
    "Mul": "multiply",
    "Neg": "negate",
    "Pow": "pow",
    "Reciprocal": "divide",
    "Round": "round",
    "Sign": "compare compare subtract",
    "Sqrt": "sqrt",
    "Sub": "subtract",
    # elementary functions
    "Acos": "acos",
    "Acosh": "acosh",
    "Asin": "asin",
    "Asinh": "asinh",
    "Atan": "atan",
    "Atanh": "atanh",
    "Cos": "cos",
    "Cosh": "cosh",
    "Erf": "erf",
    "Exp": "exp",
    "Log": "log",
    "Sin": "sin",
    "Sinh": "sinh",
    "Tan": "tan",
    "Tanh": "tanh",
    # logic and bits
    "And": "and",
    "BitShift": "shift",
    "BitwiseAnd": "and",
    "BitwiseNot": "not",
    "BitwiseOr": "or",
    "BitwiseXor": "xor",
    "Equal": "compare",
    "Greater": "compare",
    "GreaterOrEqual": "compare",
    "IsInf": "compare",
    "IsNaN": "compare",
    "Less": "compare",
    "LessOrEqual": "compare",
    "Not": "not",
    "Or": "or",
    "Xor": "xor",
    # activations
    "Celu": "max divide exp subtract multiply min add",
    "Elu": "compare exp subtract multiply",
    "HardSigmoid": "multiply add max min",
    "HardSwish": "multiply add max min multiply",
    "LeakyRelu": "compare multiply",
    "Mish": "exp add log tanh multiply",
    "PRelu": "compare multiply",
    "Relu": "max",
    "Selu": "compare exp multiply subtract multiply",
    "Shrink": "compare compare add",
    "Sigmoid": "negate exp add divide",
    "Softplus": "exp add log",
    "Softsign": "abs add divide",
    "ThresholdedRelu": "compare",
    # of onnxruntime and of the first opsets, in the same domain
    "Affine": "multiply add",
    "ImageScaler": "multiply add",
    "ParametricSoftplus": "multiply exp add log multiply",
    "Scale": "multiply",
    "ScaledTanh": "multiply tanh multiply",
}
"""Formula of each operator that always does the same to every element."""

GELU = steps("divide erf add multiply multiply")
"""x · (1 + erf(x / √2)) · 0.5"""

TANH_GELU = steps("square multiply multiply add multiply tanh add multiply multiply")
"""0.5 · x · (1 + tanh(√(2/π) · (x + 0.044715 · x³)))"""

SILU = steps("negate exp add divide multiply")
"""x · sigmoid(x)"""

FUNCTIONS = {name: steps(formula) for name, formula in FORMULAS.items()} | {
    "Clip": 2,
    "Gelu": GELU,
    "FastGelu": TANH_GELU,
    "Identity": 0,
    "QuickGelu": SILU + 1,
    "Relu2": 2,
    "Relu_Squared": 2,
    "Silu": SILU,
    "Swish": SILU,
}
"""Operations an element of every function that another operator may name as its activation."""

for _name, _formula in FORMULAS.items():
    elementwise(steps(_formula), _name)

elementwise(GELU, "Gelu", domain=MICROSOFT)
elementwise(1 + GELU, "BiasGelu", domain=MICROSOFT)
elementwise(2, "BiasAdd", domain=MICROSOFT)
elementwise(steps("add add") + GELU + 1, "BiasSplitGelu", domain=MICROSOFT)
elementwise(steps("multiply multiply add"), "ComplexMul", "ComplexMulConj", domain=MICROSOFT)
elementwise(1 + SILU, "ScaledSiLU", domain=MICROSOFT)
elementwise(2 * steps("multiply add") - 1, "GemmaRotaryEmbedding", domain=MICROSOFT)
free("echoes its input", "SampleOp", domain=MICROSOFT)
free("chooses elements, computes none", "Where")


def activation_flops(name: str) -> int:
    """Operations an element of an activation that an attribute names, whatever its case; none for ""."""
    if name.lower() in {"", "none", "identity"}:
        return 0
    found = _LOWER.get(name.lower())
    if found is None:
        raise UnknownFactError(f"the cost of the activation {name!r:.60} is not known")
    return found


_LOWER = {name.lower(): flops for name, flops in FUNCTIONS.items()}


@work("Clip")
def clip(call: OpCall) -> OperatorCost:
    """One compare an element for each bound that is there."""
    bounds = sum(call.has(index) for index in (1, 2)) + sum(
        name in call.attributes for name in ("min", "max")
    )
    return OperatorCost(other_flops=bounds * call.out_size())


@work("Gelu")
def gelu(call: OpCall) -> OperatorCost:
    """Computes erf, or tanh where it is approximated."""
    by_tanh = word(call, "approximate", "none") == "tanh"
    return OperatorCost(other_flops=(TANH_GELU if by_tanh else GELU) * call.out_size())


@work("FastGelu", domain=MICROSOFT)
def fast_gelu(call: OpCall) -> OperatorCost:
    """The approximation by tanh, after the bias if there is one."""
    return OperatorCost(other_flops=(TANH_GELU + call.has(1)) * call.out_size())


@work("Swish")
def swish(call: OpCall) -> OperatorCost:
    """Counts x · sigmoid(alpha · x)."""
    return _scaled_silu(call, "alpha", 1.0)


@work("QuickGelu", domain=MICROSOFT)
def quick_gelu(call: OpCall) -> OperatorCost:
    """Counts x · sigmoid(alpha · x), alpha 1.702 where it is left out."""
    return _scaled_silu(call, "alpha", 1.702)


@work("SwiGLU")
def swiglu(call: OpCall) -> OperatorCost:
    """Swish of the gate times the value."""
    return _scaled_silu(call, "alpha", 1.0) + OperatorCost(other_flops=call.out_size())


@work("SwiGLU", domain=MICROSOFT)
def clamped_swiglu(call: OpCall) -> OperatorCost:
    """Same as ``SwiGLU`` with a limit (three compares) and a term added to the value."""
    extra = 1 + 3 * (number(call, "limit", 0.0) > 0) + (number(call, "activation_beta", 0.0) != 0)
    return _scaled_silu(call, "activation_alpha", 1.0) + OperatorCost(other_flops=extra * call.out_size())


def _scaled_silu(call: OpCall, name: str, default: float) -> OperatorCost:
    return OperatorCost(other_flops=(SILU + (number(call, name, default) != 1)) * call.out_size())


@work("Sum", "Max", "Min")
def variadic(call: OpCall) -> OperatorCost:
    """One operation an element for each operand after the first."""
    need(call.inputs, "it has no operands")
    return OperatorCost(other_flops=(len(call.inputs) - 1) * call.out_size())


@work("Mean")
def mean(call: OpCall) -> OperatorCost:
    """The sum, and a divide."""
    need(call.inputs, "it has no operands")
    return OperatorCost(other_flops=len(call.inputs) * call.out_size())


@work("BitmaskDropout", "BiasDropout", "BitmaskBiasDropout", domain=MICROSOFT)
@work("Dropout")
def dropout(call: OpCall) -> OperatorCost:
    """Adding bias and residual; drawing, comparing and scaling only where it trains."""
    adds = call.has(1) + call.has(2) if "Bias" in call.op_type else 0
    return OperatorCost(
        other_flops=(adds + 3 * _trains(call)) * call.size(0), free="" if adds else _idle(call)
    )


def _idle(call: OpCall) -> str:
    return "" if _trains(call) else "does nothing in inference"


def _trains(call: OpCall) -> bool:
    switch = 4 if "Bias" in call.op_type else 2
    return bool(call.value(switch).any()) if call.has(switch) else False
