// Roofline, activation memory, measured curves: small SVG pictures, each with words for what it shows.
import { clear, el, pressable, svg } from "./dom.js";
import { bytes, percent, short } from "./numbers.js";
import { kindColor } from "./colors.js";

const M = { left: 66, right: 14, top: 12, bottom: 38 };
const HEIGHT = 280;

function frame(box, label, height = HEIGHT) {
  const width = Math.max(240, box.clientWidth || 640);
  const picture = svg("svg", { width, height, role: "img", "aria-label": label });
  clear(box).append(picture);
  return { picture, width: width - M.left - M.right, height: height - M.top - M.bottom };
}

function axis(picture, area, { ticks, at, words, title, vertical }) {
  for (const tick of ticks) {
    const place = at(tick);
    picture.append(
      vertical
        ? svg("path", { class: "grid", d: `M${M.left} ${M.top + place}h${area.width}` })
        : svg("path", { class: "grid", d: `M${M.left + place} ${M.top}v${area.height}` }),
      vertical
        ? svg("text", { x: M.left - 6, y: M.top + place + 4, "text-anchor": "end" }, words(tick))
        : svg("text", { x: M.left + place, y: M.top + area.height + 16, "text-anchor": "middle" }, words(tick)),
    );
  }
  picture.append(svg("text", { class: "axis", x: vertical ? 4 : M.left + area.width, y: vertical ? 10 : M.top + area.height + 33, "text-anchor": vertical ? "start" : "end" }, title));
}

const decades = (low, high) => {
  const found = [];
  for (let power = Math.floor(Math.log10(low)); power <= Math.ceil(Math.log10(high)); power += 1) found.push(10 ** power);
  return found.filter((_, place) => found.length <= 8 || place % 2 === 0);
};

export function roofline(box, page, onSelect) {
  const { nodes } = page;
  const points = nodes.name.map((_, op) => op).filter((op) => nodes.macs[op] > 0 && nodes.bytes[op] > 0);
  if (!points.length) return clear(box).append(el("p", null, "No operator has both MACs and known bytes."));
  const area = frame(box, "Roofline: MACs against bytes of each operator");
  const xs = decades(Math.min(...points.map((op) => nodes.bytes[op])), Math.max(...points.map((op) => nodes.bytes[op])));
  const ys = decades(Math.min(...points.map((op) => nodes.macs[op])), Math.max(...points.map((op) => nodes.macs[op])));
  const span = (ticks, pixels) => {
    const low = Math.log10(ticks[0]);
    const high = Math.max(low + 1, Math.log10(ticks[ticks.length - 1]));
    return (value) => ((Math.log10(value) - low) / (high - low)) * pixels;
  };
  const x = span(xs, area.width);
  const up = span(ys, area.height);
  const y = (value) => area.height - up(value);
  axis(area.picture, area, { ticks: xs, at: x, words: (value) => `${short(value)}B`, title: "bytes read and written" });
  axis(area.picture, area, { ticks: ys, at: y, words: short, title: "MACs", vertical: true });
  for (const intensity of [1, 10, 100]) {
    const ends = [xs[0], xs[xs.length - 1]].map((each) => [M.left + x(each), M.top + y(each * intensity)]);
    area.picture.append(svg("clipPath", { id: `area-${intensity}` }, svg("rect", { x: M.left, y: M.top, width: area.width, height: area.height })));
    area.picture.append(svg("g", { "clip-path": `url(#area-${intensity})` }, svg("path", { class: "guide", d: `M${ends[0]}L${ends[1]}` })));
    const at = y(xs[xs.length - 1] * intensity);
    if (at > 8 && at < area.height) area.picture.append(svg("text", { class: "axis", x: M.left + area.width - 4, y: M.top + at - 5, "text-anchor": "end" }, `${intensity} MAC/B`));
  }
  for (const op of points) {
    const words = `${nodes.name[op]} (${nodes.op[op]}): ${short(nodes.macs[op])} MACs, ${bytes(nodes.bytes[op])}, ${Number((nodes.macs[op] / nodes.bytes[op]).toPrecision(3))} MACs a byte`;
    area.picture.append(svg("circle", { cx: M.left + x(nodes.bytes[op]), cy: M.top + y(nodes.macs[op]), r: 5, fill: kindColor(nodes.op[op]), class: "dot", on: pressable(() => onSelect(op)) }, svg("title", null, words)));
  }
  return undefined;
}

export function memory(box, page, onSelect) {
  const { nodes, totals } = page;
  const live = nodes.live;
  const known = live.filter((each) => each !== null);
  if (!known.length) return clear(box).append(el("p", null, "Activation memory was not computed."));
  const area = frame(box, `Activation memory over the execution order; the peak is ${bytes(totals.peak_activation_bytes)} at ${page.peak}`);
  const top = Math.max(...known, 1);
  const x = (op) => (op / live.length) * area.width;
  const y = (value) => area.height - (value / top) * (area.height - 14);
  axis(area.picture, area, { ticks: [0, top / 4, top / 2, (3 * top) / 4, top], at: y, words: bytes, title: "live activations", vertical: true });
  let d = `M${M.left} ${M.top + area.height}`;
  live.forEach((value, op) => (d += `L${(M.left + x(op)).toFixed(1)} ${(M.top + y(value ?? 0)).toFixed(1)}H${(M.left + x(op + 1)).toFixed(1)}`));
  area.picture.append(svg("path", { class: "area", d: `${d}V${M.top + area.height}Z` }));
  const peak = live.indexOf(top);
  const right = x(peak) > area.width / 2;
  area.picture.append(
    svg("circle", { class: "peak", cx: M.left + x(peak + 0.5), cy: M.top + y(top), r: 5, on: pressable(() => onSelect(peak)) }),
    svg("text", { x: M.left + x(peak + 0.5) + (right ? -9 : 9), y: M.top + y(top) + 4, "text-anchor": right ? "end" : "start" }, `peak ${bytes(top)} at ${nodes.name[peak]}`),
    svg("text", { class: "axis", x: M.left + area.width, y: M.top + area.height + 33, "text-anchor": "end" }, `execution order, ${live.length.toLocaleString("en-US")} operators`),
  );
  return undefined;
}

// series: [{name, points: [[share removed, value]]}]
export function curves(box, { series, title, words }) {
  const area = frame(box, title, 240);
  const values = series.flatMap((each) => each.points.map((point) => point[1]));
  const top = Math.max(...values, 1e-9);
  const x = (share) => share * area.width;
  const y = (value) => area.height - (value / top) * area.height;
  axis(area.picture, area, { ticks: [0, 0.25, 0.5, 0.75, 1], at: x, words: percent, title: "share removed" });
  axis(area.picture, area, { ticks: [0, top / 2, top], at: y, words: (value) => String(Number(value.toPrecision(2))), title: words, vertical: true });
  series.forEach((each, place) => {
    const d = each.points.map(([share, value], index) => `${index ? "L" : "M"}${(M.left + x(share)).toFixed(1)} ${(M.top + y(value)).toFixed(1)}`).join("");
    area.picture.append(svg("path", { class: "curve", d, stroke: `hsl(${(place * 67) % 360} 60% var(--line))` }, svg("title", null, each.name)));
  });
}
