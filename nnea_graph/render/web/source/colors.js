// One scale for all facts: from the color of an empty box to the accent. Unknown is hatched, never the color of 0.
export const UNKNOWN = "url(#unknown)";

export function scale(values, most) {
  const known = values.filter((value) => typeof value === "number");
  const top = most ?? Math.max(...known, 0);
  const low = most === undefined ? 0 : Math.min(...known, most);
  return (value) => {
    if (typeof value !== "number") return UNKNOWN;
    const part = top > low ? (value - low) / (top - low) : 0;
    return `color-mix(in srgb, var(--heat) ${Math.round(100 * part)}%, var(--box))`;
  };
}

const KINDS = [
  [/Conv/, 205],
  [/Gemm|MatMul|Linear/, 150],
  [/Attention|Softmax|Rotary/, 280],
  [/LSTM|GRU|RNN/, 325],
  [/Norm/, 45],
  [/Pool|Reduce/, 95],
  [/Relu|Sigmoid|Tanh|Gelu|Silu|Swish|Clip|Elu|Mish|Erf/i, 20],
  [/Quant/, 350],
];

export function kindColor(opType) {
  const found = KINDS.find(([pattern]) => pattern.test(opType));
  return found ? `hsl(${found[1]} 55% var(--tint))` : "var(--box)";
}
