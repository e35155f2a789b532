// Bundles the page's script with the libraries that it uses: npm ci && node build.mjs [OUTPUT FOLDER]
import { build } from "esbuild";
import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";

const folder = process.argv[2] ?? "../assets";
mkdirSync(folder, { recursive: true });
const made = await build({
  entryPoints: ["main.js"],
  bundle: true,
  minify: true,
  format: "iife",
  target: "es2020",
  legalComments: "none",
  metafile: true,
  outfile: `${folder}/page.js`,
});

const packages = new Set();
for (const path of Object.keys(made.metafile.inputs)) {
  const found = /node_modules\/([^/]+)\//.exec(path);
  if (found) packages.add(found[1]);
}
const sha256 = (text) => createHash("sha256").update(text).digest("hex");
const listed = [...packages].sort().map((name) => {
  const about = JSON.parse(readFileSync(`node_modules/${name}/package.json`));
  const license = readFileSync(`node_modules/${name}/LICENSE`, "utf8");
  return { name, version: about.version, license: about.license, text: license.trim() };
});
writeFileSync(
  `${folder}/LICENSES.txt`,
  listed.map((each) => `${each.name} ${each.version} (${each.license})\n\n${each.text}\n`).join("\n\n"),
);
const script = readFileSync(`${folder}/page.js`);
writeFileSync(
  `${folder}/bundle.json`,
  JSON.stringify({ sha256: sha256(script), packages: listed.map(({ text, ...rest }) => rest) }, null, 1) + "\n",
);
