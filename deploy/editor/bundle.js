// Bundles editor.js into the folder of the first argument, and writes the licenses of the packages in the bundle.
// Fails if a package has another license than the known ones.

import { build } from "esbuild";
import { readFileSync, readdirSync, writeFileSync } from "node:fs";

const known = ["MIT"];
const folder = process.argv[2];
const result = await build({
  entryPoints: ["editor.js"],
  bundle: true,
  format: "esm",
  target: "es2022",
  minify: true,
  metafile: true,
  write: false,
  logLevel: "warning",
});

const packages = Object.keys(result.metafile.inputs)
  .map((input) => input.match(/^(node_modules\/(?:@[^/]+\/)?[^/]+)\//)?.[1])
  .filter(Boolean);
const licenses = [...new Set(packages)].sort().map((path) => {
  const { name, version, license } = JSON.parse(readFileSync(`${path}/package.json`, "utf8"));
  if (!known.includes(license)) throw new Error(`${name} ${version} has the license ${license}`);
  const file = readdirSync(path).find((file) => /^licen[cs]e/i.test(file));
  if (!file) throw new Error(`${name} ${version} comes without the text of its license`);
  return `${name} ${version}\n\n${readFileSync(`${path}/${file}`, "utf8").trim()}\n`;
});
const text = `The editor consists of these packages.\n\n${licenses.join(`\n${"-".repeat(80)}\n\n`)}`;
if (text.includes("*/")) throw new Error("the text of a license ends a comment");

writeFileSync(`${folder}/LICENSES`, text);
// Browsers get a copy, so the copy has the licenses too.
writeFileSync(`${folder}/editor.js`, `${result.outputFiles[0].text}/*\n${text}*/\n`);
