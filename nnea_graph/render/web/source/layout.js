// A layered layout of one opened module: longest path for the rows, barycenter sweeps for the order in a row.
const GAP_X = 18;
const GAP_Y = 30;
const SWEEPS = 4;

// items: [{id, width, height}] in execution order; edges: [[from, to]] by place. Sets x and y; returns the size.
export function layered(items, edges) {
  const forward = edges.filter(([from, to]) => from < to);
  const row = new Array(items.length).fill(0);
  const before = items.map(() => []);
  const after = items.map(() => []);
  for (const [from, to] of forward) {
    before[to].push(from);
    after[from].push(to);
  }
  for (let place = 0; place < items.length; place += 1)
    for (const from of before[place]) row[place] = Math.max(row[place], row[from] + 1);
  const rows = [];
  row.forEach((number, place) => (rows[number] ??= []).push(place));
  order(rows, before, after);
  return place_rows(items, rows);
}

function order(rows, before, after) {
  const position = [];
  const number = () => rows.forEach((row) => row.forEach((place, index) => (position[place] = index / row.length)));
  const center = (links, own) => (links.length ? links.reduce((sum, each) => sum + position[each], 0) / links.length : own);
  number();
  for (let sweep = 0; sweep < SWEEPS; sweep += 1) {
    const links = sweep % 2 ? after : before;
    for (const row of sweep % 2 ? [...rows].reverse() : rows) {
      const keys = new Map(row.map((place) => [place, center(links[place], position[place])]));
      row.sort((one, other) => keys.get(one) - keys.get(other) || one - other);
      row.forEach((place, index) => (position[place] = index / row.length));
    }
    number();
  }
}

function place_rows(items, rows) {
  const widths = rows.map((row) => row.reduce((sum, place) => sum + items[place].width + GAP_X, -GAP_X));
  const width = Math.max(0, ...widths);
  let y = 0;
  rows.forEach((row, number) => {
    let x = (width - widths[number]) / 2;
    const height = Math.max(...row.map((place) => items[place].height));
    for (const place of row) {
      items[place].x = x;
      items[place].y = y + (height - items[place].height) / 2;
      x += items[place].width + GAP_X;
    }
    y += height + GAP_Y;
  });
  return { width, height: Math.max(0, y - GAP_Y) };
}
