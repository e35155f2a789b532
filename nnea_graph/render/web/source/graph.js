// The operators, folded into modules that open in place.
import { select } from "d3-selection";
import { zoom, zoomIdentity } from "d3-zoom";
import { clear, el, fit, pressable, svg } from "./dom.js";
import { FORMATS } from "./numbers.js";
import { kindColor, scale } from "./colors.js";
import { layered } from "./layout.js";
import { choose, hatch } from "./icicle.js";

const HEAD = 24;
const PAD = 14;
const BOX = 40;
const MOST_OPEN = 3000;
const FIRST_SIGHT = 40;
const READABLE = 0.55;

export function graphView(box, page, onSelect) {
  const { nodes, shades } = page;
  const modules = flatten(page.tree);
  const chain = new Array(nodes.name.length).fill(null);
  modules.forEach((each) => (each.ops ?? []).forEach((op) => (chain[op] = each)));
  const edges = [];
  nodes.before.forEach((found, to) => found.forEach((from) => edges.push([from, to])));
  const colors = [{ title: "kind of operator", column: null }, ...shades];
  let color = colors[0];
  let marked = new Set();
  let selected = null;
  const open = new Set([page.tree]);
  const layer = svg("g");
  const picture = svg("svg", { class: "graph", role: "group", "aria-label": "Graph of the operators; modules open and close" }, hatch(), arrow(), layer);
  const status = el("span", { role: "status" });
  const zooming = zoom().scaleExtent([0.02, 4]).on("zoom", (event) => layer.setAttribute("transform", event.transform));
  clear(box).append(
    el("div", { class: "controls" }, finder(), choose("color", colors, (each) => draw((color = each))), button("open all", open_all), button("close all", () => { open.clear(); open.add(page.tree); draw(); whole(); }), button("fit", () => whole()), status),
    picture,
  );
  select(picture).call(zooming).on("dblclick.zoom", null);

  function draw() {
    const shade = color.column ? scale(nodes[color.column], color.format === "share" ? 1 : undefined) : null;
    const placed = new Map();
    const inner = edges_by_container();
    const size = arrange(page.tree, inner, placed);
    clear(layer);
    const visible = [...placed.values()];
    for (const each of visible.filter((item) => item.module && open.has(item.module) && item.module !== page.tree)) layer.append(frame(each));
    for (const pair of visible_edges()) layer.append(line(placed.get(pair[0]), placed.get(pair[1])));
    let count = 0;
    for (const each of visible) if (!each.module || !open.has(each.module)) (count += 1), layer.append(item(each, shade));
    status.textContent = `${count.toLocaleString("en-US")} boxes of ${nodes.name.length.toLocaleString("en-US")} operators`;
    draw.size = size;
    draw.placed = placed;
  }

  // The box that stands for an operator: the outermost closed module around it, or the operator itself.
  function shown(op) {
    let found = op;
    for (let each = chain[op]; each; each = each.parent) if (!open.has(each)) found = each;
    return found;
  }

  function edges_by_container() {
    const found = new Map();
    for (const [from, to] of edges) {
      const one = lineage(from);
      const other = lineage(to);
      let depth = 0;
      while (depth < one.length && depth < other.length && one[depth] === other[depth]) depth += 1;
      if (depth === 0 || depth >= one.length || depth >= other.length) continue;
      const container = one[depth - 1];
      if (!found.has(container)) found.set(container, new Map());
      const links = found.get(container);
      if (!links.has(one[depth])) links.set(one[depth], new Set());
      links.get(one[depth]).add(other[depth]);
    }
    return found;
  }

  // From the model down to the box that stands for an operator.
  function lineage(op) {
    const found = [];
    for (let each = chain[op]; each; each = each.parent) found.unshift(each);
    const closed = found.findIndex((each) => !open.has(each));
    return closed >= 0 ? found.slice(0, closed + 1) : [...found, op];
  }

  function visible_edges() {
    const seen = new Map();
    for (const [from, to] of edges) {
      const one = shown(from);
      const other = shown(to);
      if (one === other) continue;
      if (!seen.has(one)) seen.set(one, new Set());
      seen.get(one).add(other);
    }
    return [...seen].flatMap(([one, others]) => [...others].map((other) => [one, other]));
  }

  function arrange(module, inner, placed) {
    const children = [...(module.modules ?? []), ...(module.ops ?? [])].sort((one, other) => first(one) - first(other));
    const items = children.map((each) => {
      if (typeof each === "number") return { id: each, op: each, width: wide(nodes.name[each], nodes.op[each]), height: BOX };
      if (!open.has(each)) return { id: each, module: each, width: wide(each.name, count_text(each)), height: BOX };
      const size = arrange(each, inner, placed);
      return { id: each, module: each, width: Math.max(size.width, wide(each.name, "")) + 2 * PAD, height: size.height + HEAD + 2 * PAD };
    });
    const place = new Map(children.map((each, index) => [each, index]));
    const links = [];
    for (const [one, others] of inner.get(module) ?? []) for (const other of others) if (place.has(one) && place.has(other)) links.push([place.get(one), place.get(other)]);
    const size = layered(items, links);
    for (const each of items) {
      placed.set(each.id, each);
      if (each.module && open.has(each.module)) shift(each.module, each.x + PAD, each.y + HEAD + PAD, placed);
    }
    return size;
  }

  function shift(module, x, y, placed) {
    for (const child of [...(module.modules ?? []), ...(module.ops ?? [])]) {
      const each = placed.get(child);
      each.x += x;
      each.y += y;
      if (each.module && open.has(each.module)) shift(each.module, x, y, placed);
    }
  }

  function item(each, shade) {
    const op = each.op;
    const closed = op === undefined;
    const [top, bottom] = closed ? [each.module.name, count_text(each.module)] : [nodes.op[op], nodes.name[op]];
    const fill = closed ? "var(--module)" : shade ? shade(nodes[color.column][op]) : kindColor(nodes.op[op]);
    const on = closed ? each.module.all.some((one) => marked.has(one)) : marked.has(op);
    const words = closed ? `module ${top}, ${bottom}: open` : `${top} ${bottom}${color.column ? `, ${color.title} ${FORMATS[color.format](nodes[color.column][op])}` : ""}`;
    return svg(
      "g",
      { class: `box${on ? " marked" : ""}${op !== undefined && op === selected ? " selected" : ""}${closed ? " closed" : ""}`, transform: `translate(${each.x} ${each.y})`, tabindex: 0, role: "button", "aria-label": words, on: pressable(() => (closed ? toggle(each.module) : pick(op))) },
      svg("title", null, words),
      svg("rect", { width: each.width, height: each.height, rx: closed ? 8 : 4, fill }),
      svg("text", { x: 9, y: 17, class: "top" }, fit(top, each.width - 14)),
      svg("text", { x: 9, y: 32, class: "bottom" }, fit(bottom, each.width - 14)),
    );
  }

  function frame(each) {
    return svg(
      "g",
      { class: "frame", transform: `translate(${each.x} ${each.y})`, tabindex: 0, role: "button", "aria-label": `module ${each.module.name}: close`, on: pressable(() => toggle(each.module)) },
      svg("rect", { width: each.width, height: each.height, rx: 10 }),
      svg("text", { x: 10, y: 17 }, fit(`▾ ${each.module.name}`, each.width - 16)),
    );
  }

  function line(from, to) {
    const x1 = from.x + from.width / 2;
    const y1 = from.y + from.height;
    const x2 = to.x + to.width / 2;
    const bend = Math.max(12, Math.abs(to.y - y1) / 2);
    const on = [from, to].every((each) => (each.op === undefined ? each.module.all.some((op) => marked.has(op)) : marked.has(each.op)));
    return svg("path", { class: `edge${on && marked.size ? " marked" : ""}`, d: `M${x1} ${y1}C${x1} ${y1 + bend} ${x2} ${to.y - bend} ${x2} ${to.y}`, "marker-end": "url(#arrow)" });
  }

  function toggle(module) {
    const before = draw.placed.get(module);
    if (open.has(module)) modules.filter((each) => each === module || within(each, module)).forEach((each) => open.delete(each));
    else open.add(module);
    draw();
    const now = draw.placed.get(module);
    if (before && now) select(picture).call(zooming.translateBy, before.x - now.x, before.y - now.y);
    layer.querySelector(".frame, .box")?.focus?.({ preventScroll: true });
  }

  function pick(op) {
    selected = op;
    draw();
    onSelect(op);
  }

  // Opens modules from the outside in, as long as all boxes can be taken in at a glance.
  function open_first() {
    const children = (module) => (module.modules?.length ?? 0) + (module.ops?.length ?? 0);
    let count = children(page.tree);
    const waiting = [...(page.tree.modules ?? [])];
    for (let each = waiting.shift(); each; each = waiting.shift()) {
      if (count + children(each) - 1 > FIRST_SIGHT) continue;
      count += children(each) - 1;
      open.add(each);
      waiting.push(...(each.modules ?? []));
    }
  }

  function open_all() {
    if (nodes.name.length > MOST_OPEN) {
      status.textContent = `more than ${MOST_OPEN.toLocaleString("en-US")} operators: open modules one by one, or search`;
      return;
    }
    modules.forEach((each) => open.add(each));
    draw();
    whole();
  }

  // All of the graph in sight; at least `least` of its size, then its top.
  function whole(least = 0) {
    const { width, height } = picture.getBoundingClientRect();
    if (!width || !draw.size?.width) return;
    const scaled = Math.max(least, Math.min(1.2, (width - 24) / draw.size.width, (height - 24) / draw.size.height));
    const x = (width - draw.size.width * scaled) / 2;
    select(picture).call(zooming.transform, zoomIdentity.translate(x, 12).scale(scaled));
  }

  function show(op) {
    for (let each = chain[op]; each; each = each.parent) open.add(each);
    selected = op;
    draw();
    const each = draw.placed.get(op);
    const { width, height } = picture.getBoundingClientRect();
    select(picture).call(zooming.transform, zoomIdentity.translate(width / 2 - each.x - each.width / 2, height / 2 - each.y - each.height / 2));
  }

  function finder() {
    const list = el("datalist", { id: "operators" });
    const names = nodes.name.map((name, op) => `${name} (${nodes.op[op]})`);
    const input = el("input", {
      type: "search", list: "operators", placeholder: "name or operator", "aria-label": "find an operator", id: "find",
      on: {
        input: () => {
          const word = input.value.toLowerCase();
          const exact = names.indexOf(input.value);
          if (exact >= 0) return go(exact);
          const found = [];
          for (let op = 0; op < names.length && found.length < 40; op += 1) if (names[op].toLowerCase().includes(word)) found.push(op);
          clear(list).append(...found.map((op) => el("option", { value: names[op] })));
          status.textContent = word ? `${found.length === 40 ? "40 or more" : found.length} found` : "";
          return undefined;
        },
        keydown: (event) => {
          if (event.key !== "Enter") return;
          const word = input.value.toLowerCase();
          const op = names.findIndex((each) => each.toLowerCase().includes(word));
          if (word && op >= 0) go(op);
        },
      },
    });
    const go = (op) => (show(op), onSelect(op));
    return el("span", null, input, list);
  }

  open_first();
  draw();
  requestAnimationFrame(() => whole(READABLE));
  return {
    show: (op) => (show(op), onSelect(op)),
    mark: (ops) => {
      marked = new Set(ops);
      ops.forEach((op) => chain[op] && open.add(page.tree));
      draw();
    },
  };
}

function flatten(module, parent = null) {
  module.parent = parent;
  const inner = (module.modules ?? []).flatMap((each) => flatten(each, module));
  module.all = [...(module.ops ?? []), ...(module.modules ?? []).flatMap((each) => each.all)];
  return [module, ...inner];
}

const within = (module, outer) => {
  for (let each = module.parent; each; each = each.parent) if (each === outer) return true;
  return false;
};
const first = (child) => (typeof child === "number" ? child : child.first ?? (child.first = child.all.reduce((low, op) => Math.min(low, op), Infinity)));
const wide = (top, bottom) => Math.min(230, Math.max(84, 20 + 6.8 * Math.max(top.length, bottom.length)));
const count_text = (module) => `${module.all.length.toLocaleString("en-US")} operator${module.all.length === 1 ? "" : "s"}`;
const button = (words, call) => el("button", { type: "button", on: { click: call } }, words);

function arrow() {
  return svg("defs", null, svg("marker", { id: "arrow", viewBox: "0 0 8 8", refX: 7, refY: 4, markerWidth: 7, markerHeight: 7, orient: "auto" }, svg("path", { d: "M0 0L8 4L0 8z", class: "head" })));
}
