// A table of any length: sorted and filtered, only the rows in sight are in the page.
import { clear, el, svg } from "./dom.js";
import { FORMATS } from "./numbers.js";

const ROW = 30;
const SIGHT = 16;
const PRINTED = 500;

export function dataTable(box, { columns, rows, name }, onRow) {
  let shown = columns.filter((each) => each.shown);
  let order = rows.map((_, place) => place);
  let sorted = { column: null, down: true };
  const filter = el("input", { type: "search", placeholder: "filter", "aria-label": `filter ${name}`, on: { input: () => refresh() } });
  const count = el("span", { role: "status" });
  const head = el("tr");
  const body = el("tbody");
  const table = el("table", { "aria-rowcount": rows.length }, el("thead", null, head), body);
  const view = el("div", { class: "rows", role: "region", "aria-label": name, tabindex: 0, on: { scroll: () => draw() } }, table);
  const chooser = el("details", { class: "chooser" }, el("summary", null, "columns"), el("div", null, columns.map(toggle)));
  clear(box).append(el("div", { class: "controls" }, filter, chooser, action("copy", copy), action("CSV", download), count), view);

  function toggle(column) {
    const input = el("input", { type: "checkbox", checked: column.shown, on: { change: () => { column.shown = input.checked; shown = columns.filter((each) => each.shown); heads(); draw(true); } } });
    return el("label", { title: column.about }, input, ` ${column.title}`);
  }

  function heads() {
    clear(head).append(
      ...shown.map((column) =>
        el("th", { scope: "col", "aria-sort": sorted.column === column ? (sorted.down ? "descending" : "ascending") : null, class: column.format === "text" ? "" : "number" },
          el("button", { type: "button", title: column.about, on: { click: () => sort(column) } }, column.title, sorted.column === column ? (sorted.down ? " ▾" : " ▴") : "")),
      ),
    );
  }

  function sort(column) {
    sorted = { column, down: sorted.column === column ? !sorted.down : column.format !== "text" };
    heads();
    refresh();
  }

  function refresh() {
    const word = filter.value.toLowerCase();
    const texts = columns.filter((each) => each.format === "text");
    order = rows.map((_, place) => place).filter((place) => !word || texts.some((each) => String(each.values[place] ?? "").toLowerCase().includes(word)));
    if (sorted.column) {
      const { values } = sorted.column;
      const sign = sorted.down ? -1 : 1;
      order.sort((one, other) => {
        const [a, b] = [values[one], values[other]];
        if (a === null || a === undefined || b === null || b === undefined) return (a === null || a === undefined) - (b === null || b === undefined) || one - other;
        return sign * (a < b ? -1 : a > b ? 1 : 0) || one - other;
      });
    }
    count.textContent = `${order.length.toLocaleString("en-US")} of ${rows.length.toLocaleString("en-US")}`;
    view.scrollTop = 0;
    draw(true);
  }

  function draw(all = false, most = SIGHT + 12) {
    const from = Math.max(0, Math.floor(view.scrollTop / ROW) - 6);
    if (!all && draw.from === from) return;
    draw.from = from;
    const part = order.slice(from, from + most);
    clear(body).append(space(from), ...part.map((place, index) => line(place, from + index)), space(order.length - from - part.length));
  }

  function line(place, index) {
    return el("tr", { "aria-rowindex": index + 1, on: onRow ? { click: () => onRow(place) } : null }, shown.map((column) => cell(column, place)));
  }

  function cell(column, place) {
    const value = column.values[place];
    if (column.format === "lorenz") return el("td", null, value ? lorenz(value) : "");
    const missing = value === null || value === undefined;
    return el("td", { class: `${column.format === "text" ? "" : "number"}${missing ? " missing" : ""}`, title: column.format === "text" ? value : null }, missing ? "–" : FORMATS[column.format](value));
  }

  function text(separator, guard) {
    const quote = (value) => {
      if (value === null || value === undefined) return "";
      const raw = String(value);
      const safe = typeof value === "string" && guard && /^[=+\-@\t\r]/.test(raw) ? `'${raw}` : raw;
      return /[",\n\r\t]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
    };
    const used = columns.filter((each) => each.format !== "lorenz");
    return [used.map((each) => each.key), ...order.map((place) => used.map((each) => each.values[place]))].map((cells) => cells.map(quote).join(separator)).join("\n");
  }

  async function copy() {
    try {
      await navigator.clipboard.writeText(text("\t", true));
      count.textContent = `${order.length.toLocaleString("en-US")} rows copied`;
    } catch {
      count.textContent = "the browser does not allow copying from a file: use CSV";
    }
  }

  function download() {
    const link = el("a", { href: URL.createObjectURL(new Blob([`${text(",", true)}\n`], { type: "text/csv" })), download: `${name}.csv` });
    document.body.append(link);
    link.click();
    link.remove();
  }

  addEventListener("beforeprint", () => draw(true, PRINTED));
  addEventListener("afterprint", () => draw(true));
  heads();
  refresh();
}

const space = (rows) => el("tr", { class: "space", "aria-hidden": "true" }, tall(rows * ROW));
function tall(pixels) {
  const cell = el("td", { colspan: 100 });
  cell.style.height = `${Math.max(0, pixels)}px`;
  return cell;
}
const action = (words, call) => el("button", { type: "button", on: { click: call } }, words);

function lorenz(points) {
  const step = 40 / (points.length - 1);
  const d = points.map((share, place) => `${place ? "L" : "M"}${(place * step).toFixed(1)} ${(22 - 20 * share).toFixed(1)}`).join("");
  return svg("svg", { width: 42, height: 24, class: "spark", role: "img", "aria-label": "Lorenz curve" }, svg("path", { d: "M0 22L40 2", class: "even" }), svg("path", { d }));
}
