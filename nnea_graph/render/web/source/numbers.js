// Numbers as the report prints them.
const UNITS = ["", " K", " M", " G", " T", " P"];
const BINARY = ["B", "KiB", "MiB", "GiB", "TiB"];

export function short(value) {
  if (value === null || value === undefined) return "unknown";
  let place = 0;
  let size = value;
  while (Math.abs(size) >= 999.5 && place < UNITS.length - 1) {
    size /= 1000;
    place += 1;
  }
  return `${Number(size.toPrecision(3))}${UNITS[place]}`;
}

export function bytes(value) {
  if (value === null || value === undefined) return "unknown";
  let place = 0;
  let size = value;
  while (size >= 1023.5 && place < BINARY.length - 1) {
    size /= 1024;
    place += 1;
  }
  return `${Number(size.toPrecision(3))} ${BINARY[place]}`;
}

export const percent = (share) =>
  share === null || share === undefined ? "unknown" : `${Number((100 * share).toPrecision(3))} %`;

export const plain = (value) =>
  value === null || value === undefined ? "unknown" : typeof value === "number" ? Number(value.toPrecision(5)).toLocaleString("en-US") : String(value);

export const FORMATS = { count: short, bytes, share: percent, number: plain, text: (value) => value ?? "" };
