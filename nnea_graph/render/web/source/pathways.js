// The best pathways: as a Sankey of layers and channels, and as a list that marks one of them in the graph.
import { sankey, sankeyLinkHorizontal } from "d3-sankey";
import { clear, el, fit, pressable, svg } from "./dom.js";
import { percent } from "./numbers.js";

// The last two parts of a long name.
const brief = (label) => (label.length > 24 ? label.split(/[/.]/).slice(-2).join("/") : label);

export function pathways(box, page, onMark) {
  const { paths, flow_covered: covered } = page.pathways;
  const drawing = el("div", { class: "drawing" });
  const list = el("ol", { class: "paths" }, paths.map((path, number) =>
    el("li", null, el("button", { type: "button", title: path.units.map((unit) => unit.label).join(" → "), on: { click: () => mark(number) } }, `${path.units.map((unit) => brief(unit.label)).join(" → ")}`), el("span", { class: "number" }, percent(path.share)))));
  clear(box).append(el("p", null, `The ${paths.length} best pathways carry ${percent(covered)} of the flow.`), drawing, list);
  draw(null);
  addEventListener("resize", () => draw(null));

  function mark(number) {
    draw(number);
    [...list.children].forEach((each, place) => each.classList.toggle("selected", place === number));
    onMark(paths[number].units.map((unit) => unit.op).filter((op) => op !== null));
  }

  function draw(chosen) {
    const width = Math.max(480, drawing.clientWidth || 900);
    const names = [];
    const place = new Map();
    const links = new Map();
    paths.forEach((path, number) => path.units.forEach((unit, step) => {
      const key = `${unit.layer}\u0000${unit.channel}`;
      if (!place.has(key)) place.set(key, names.push({ name: unit.label }) - 1);
      if (!step) return;
      const from = path.units[step - 1];
      const pair = `${place.get(`${from.layer}\u0000${from.channel}`)}-${place.get(key)}`;
      const link = links.get(pair) ?? { source: Number(pair.split("-")[0]), target: place.get(key), value: 0, paths: [] };
      link.value += path.share || 1e-12;
      link.paths.push(number);
      links.set(pair, link);
    }));
    const height = Math.min(640, Math.max(180, names.length * 14));
    const laid = sankey().nodeWidth(10).nodePadding(8).extent([[2, 6], [width - 90, height - 6]])({ nodes: names, links: [...links.values()].filter((each) => each.source !== each.target) });
    const picture = svg("svg", { width, height, role: "img", "aria-label": `Flow of the ${paths.length} best pathways, from the input at the left to the output at the right` });
    const shape = sankeyLinkHorizontal();
    for (const link of laid.links)
      picture.append(svg("path", { class: `flow${chosen !== null && link.paths.includes(chosen) ? " marked" : ""}`, d: shape(link), "stroke-width": Math.max(1, link.width), on: pressable(() => mark(link.paths[0])) }, svg("title", null, `${link.source.name} → ${link.target.name}: ${percent(link.value)}`)));
    for (const node of laid.nodes)
      picture.append(svg("rect", { class: "unit", x: node.x0, y: node.y0, width: node.x1 - node.x0, height: Math.max(2, node.y1 - node.y0) }), svg("text", { x: node.x1 + 4, y: (node.y0 + node.y1) / 2 + 4 }, fit(brief(node.name), 120)));
    clear(drawing).append(picture);
  }
}
