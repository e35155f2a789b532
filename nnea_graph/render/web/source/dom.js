// Elements without markup strings: text from a model is only ever set as text.
const SVG = "http://www.w3.org/2000/svg";

export const byId = (id) => document.getElementById(id);

function fill(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name === "on") for (const [event, call] of Object.entries(value)) node.addEventListener(event, call);
    else node.setAttribute(name, value === true ? "" : value);
  }
  for (const child of children.flat(2)) if (child !== null && child !== undefined) node.append(child);
  return node;
}

export const el = (tag, attributes, ...children) => fill(document.createElement(tag), attributes, children);
export const svg = (tag, attributes, ...children) => fill(document.createElementNS(SVG, tag), attributes, children);

export function clear(node) {
  node.replaceChildren();
  return node;
}

// Cuts a text to what fits in so many pixels of the page's small font.
export function fit(text, pixels) {
  const most = Math.max(1, Math.floor(pixels / 6.6));
  return text.length <= most ? text : `${text.slice(0, Math.max(1, most - 1))}…`;
}

// What Enter and the space bar do on a button that is a drawing.
export function pressable(call) {
  return {
    click: call,
    keydown: (event) => {
      if (event.key !== "Enter" && event.key !== " ") return;
      event.preventDefault();
      call(event);
    },
  };
}
