// Joins the parts of the page; all numbers come from the data block, nothing is computed but shares and orders.
import { byId, clear, el } from "./dom.js";
import { FORMATS } from "./numbers.js";
import { icicle } from "./icicle.js";
import { graphView } from "./graph.js";
import { dataTable } from "./table.js";
import { curves, memory, roofline } from "./charts.js";
import { pathways } from "./pathways.js";

const page = JSON.parse(byId("data").textContent);
page.shades = page.facts.filter((each) => each.shade);
page.sizes = page.facts.filter((each) => each.size);

theme();
terms();
const graph = part("graph", (box) => graphView(box, page, facts_of));
const show = (op) => {
  byId("graph").scrollIntoView({ block: "start" });
  graph.show(op);
};
part("shape", (box) => icicle(box, page, show));
part("roofline", (box) => roofline(box, page, show));
part("memory", (box) => memory(box, page, show));
part("layers-table", (box) => dataTable(box, { columns: page.layers, rows: page.layer_ops, name: "layers" }, (place) => show(page.layer_ops[place])));
if (page.pathways) part("pathways-box", (box) => pathways(box, page, (ops) => graph.mark(ops)));
for (const [id, chart] of Object.entries(page.curves)) part(id, (box) => curves(box, chart));
document.querySelectorAll("[data-op]").forEach((each) => each.addEventListener("click", () => show(Number(each.dataset.op))));
if (location.hash.startsWith("#op=")) {
  const op = page.nodes.name.indexOf(decodeURIComponent(location.hash.slice(4)));
  if (op >= 0) show(op);
}
document.documentElement.dataset.ready = "yes";

function part(id, make) {
  const box = byId(id);
  return box ? make(box) : null;
}

function facts_of(op) {
  const { nodes } = page;
  const rows = page.facts.map((each) => [each.title, nodes[each.column][op] === null ? "unknown" : FORMATS[each.format](nodes[each.column][op])]);
  const after = nodes.before.map((found, to) => (found.includes(op) ? to : -1)).filter((to) => to >= 0);
  const links = (ops) => ops.slice(0, 20).map((each) => el("button", { type: "button", on: { click: () => graph.show(each) } }, `${nodes.op[each]} ${nodes.name[each]}`));
  clear(byId("facts")).append(
    el("h3", null, nodes.name[op]),
    el("dl", null,
      pair("operator", nodes.op[op]), pair("module", nodes.scope[op] || "none known"), pair("output", `${nodes.dtype[op] ?? "unknown type"} ${nodes.shape[op] ?? "unknown shape"}`),
      rows.map(([title, value]) => pair(title, value)), nodes.reason[op] ? pair("note", nodes.reason[op]) : null),
    el("p", null, "reads from: ", links(nodes.before[op])),
    el("p", null, "read by: ", links(after)),
  );
  history.replaceState?.(null, "", `#op=${encodeURIComponent(nodes.name[op])}`);
}

function pair(name, value) {
  return [el("dt", null, name), el("dd", null, value)];
}

function theme() {
  const button = byId("theme");
  const stored = kept();
  if (stored) document.documentElement.dataset.theme = stored;
  button?.addEventListener("click", () => {
    const dark = document.documentElement.dataset.theme ? document.documentElement.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
    document.documentElement.dataset.theme = dark ? "light" : "dark";
    try {
      localStorage.setItem("nnea-theme", document.documentElement.dataset.theme);
    } catch {
      // a page from a file may have no storage: the choice holds until it is closed
    }
  });
}

function kept() {
  try {
    return localStorage.getItem("nnea-theme");
  } catch {
    return null;
  }
}

// Every marked term shows its definition on hover and on focus.
function terms() {
  const box = el("div", { id: "term", role: "tooltip", hidden: true });
  document.body.append(box);
  const open = (event) => {
    const found = event.target.closest?.("[data-term]");
    if (!found || !page.terms[found.dataset.term]) return;
    box.textContent = page.terms[found.dataset.term];
    box.hidden = false;
    const at = found.getBoundingClientRect();
    box.style.left = `${Math.max(8, Math.min(at.left, innerWidth - box.offsetWidth - 8))}px`;
    box.style.top = `${at.bottom + 6 + box.offsetHeight > innerHeight ? at.top - box.offsetHeight - 6 : at.bottom + 6}px`;
    found.setAttribute("aria-describedby", "term");
  };
  const close = () => (box.hidden = true);
  for (const event of ["mouseover", "focusin"]) document.addEventListener(event, open);
  for (const event of ["mouseout", "focusout", "scroll"]) document.addEventListener(event, close, { passive: true });
  document.addEventListener("keydown", (event) => event.key === "Escape" && close());
}

addEventListener("beforeprint", () => document.querySelectorAll("details").forEach((each) => (each.open = !each.classList.contains("chooser"))));
