// The model's shape: modules as an icicle, the width by a chosen amount, the color by a chosen fact.
import { hierarchy, partition } from "d3-hierarchy";
import { clear, el, fit, pressable, svg } from "./dom.js";
import { FORMATS, percent } from "./numbers.js";
import { scale } from "./colors.js";

const ROW = 26;
const LEVELS = 8;

export function icicle(box, page, onSelect) {
  const { tree, nodes, sizes, shades } = page;
  let size = sizes[0];
  let shade = shades[0];
  let root = null;
  const crumbs = el("p", { class: "crumbs", role: "status" });
  const drawing = el("div", { class: "drawing" });
  clear(box).append(
    el("div", { class: "controls" }, choose("width", sizes, (each) => build((size = each))), choose("color", shades, (each) => draw((shade = each)))),
    crumbs,
    drawing,
  );

  function build() {
    const value = (each) => (each.op === undefined || !nodes.counted[each.op] ? 0 : Math.max(0, nodes[size.column][each.op] ?? 0));
    root = hierarchy(tree, (each) => [...(each.modules ?? []), ...(each.ops ?? []).map((op) => ({ op }))]).sum(value);
    draw(undefined, root);
  }

  function draw(_, focus = draw.focus) {
    draw.focus = focus;
    const width = Math.max(320, drawing.clientWidth || 900);
    const total = root.value;
    const laid = partition().size([width, (focus.height + 1) * ROW])(focus.copy());
    const cells = laid.descendants().filter((each) => each.depth < LEVELS && each.x1 - each.x0 >= 1);
    const color = scale(nodes[shade.column], shade.format === "share" ? 1 : undefined);
    const picture = svg("svg", { width, height: Math.min(LEVELS, laid.height + 1) * ROW, role: "group", "aria-label": `${size.title} by module` }, hatch());
    for (const cell of cells) picture.append(draw_cell(cell, color, total));
    clear(drawing).append(picture);
    const path = focus.ancestors().reverse().map((each) => name(each.data, page));
    crumbs.textContent = `${path.join(" › ")} — ${FORMATS[size.format](focus.value)} ${size.title}, ${percent(total ? focus.value / total : null)} of the model`;
  }

  function draw_cell(cell, color, total) {
    const label = name(cell.data, page);
    const words = `${label}: ${FORMATS[size.format](cell.value)} ${size.title} (${percent(total ? cell.value / total : null)})${told(cell)}`;
    const act = () => {
      if (cell.data.op !== undefined) return onSelect(cell.data.op);
      const found = root.find((each) => each.data === cell.data);
      return draw(undefined, cell.depth === 0 && found.parent ? found.parent : found);
    };
    return svg(
      "g",
      { class: "cell", tabindex: 0, role: "button", "aria-label": words, on: pressable(act) },
      svg("title", null, words),
      svg("rect", { x: cell.x0, y: cell.y0, width: Math.max(0.5, cell.x1 - cell.x0 - 1), height: ROW - 1, rx: 2, fill: cell.data.op === undefined ? "var(--box)" : color(nodes[shade.column][cell.data.op]) }),
      cell.x1 - cell.x0 > 26 ? svg("text", { x: cell.x0 + 4, y: cell.y0 + 17 }, fit(label, cell.x1 - cell.x0 - 8)) : null,
    );
  }

  function told(cell) {
    return cell.data.op === undefined ? "" : `; ${shade.title} ${FORMATS[shade.format](nodes[shade.column][cell.data.op])}`;
  }

  build();
  addEventListener("resize", () => draw());
}

const name = (data, page) => (data.op === undefined ? data.name || page.model.path : page.nodes.name[data.op]);

export function hatch() {
  return svg("defs", null, svg("pattern", { id: "unknown", width: 6, height: 6, patternUnits: "userSpaceOnUse" }, svg("rect", { width: 6, height: 6, fill: "var(--box)" }), svg("path", { d: "M0 6L6 0", stroke: "var(--faint)" })));
}

export function choose(label, options, call) {
  const select = el("select", { on: { change: () => call(options[select.selectedIndex]) } }, options.map((each) => el("option", null, each.title)));
  return el("label", null, `${label} `, select);
}
