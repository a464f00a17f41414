// Bundles frontend/src into frontend/dist, which Django serves as static files.
//
//   node build.mjs            minified bundles
//   node build.mjs --watch    rebuilds as files change
//   node build.mjs --tests    the unit tests, for node's own runner, into node_modules/.tests/
//
// Output names are fixed for entries (Django's manifest adds the hash) and hashed for chunks,
// whose names are written into the entries and so must not change afterwards.
import { build, context } from "esbuild";
import { cp, mkdir, readdir, rm, stat } from "node:fs/promises";
import { gzipSync } from "node:zlib";
import { readFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";

const here = path.dirname(fileURLToPath(import.meta.url));
const at = (...parts) => path.join(here, ...parts);
// Bytes after gzip: the budgets of the design page. A build over budget fails.
const BUDGETS = { "althing/app.css": 20_000, "althing/app.js": 45_000, wallet: 85_000 };

const common = {
  bundle: true,
  target: ["es2022", "safari16.4"],
  charset: "utf8",
  logLevel: "warning",
  absWorkingDir: here,
};

const pages = {
  ...common,
  entryPoints: {
    "althing/app": "src/app.ts",
    "althing/demo-wallet": "src/demo-wallet.ts",
    "althing/app-css": "src/css/app.css",
  },
  outdir: "dist",
  format: "esm",
  splitting: true,
  chunkNames: "althing/chunks/[name]-[hash]",
  minify: !process.argv.includes("--watch"),
  legalComments: "linked",
  metafile: true,
};
// One name for the style sheet, whatever its entry is called.
pages.entryPoints = Object.entries(pages.entryPoints).map(([out, file]) => ({
  in: file,
  out: out === "althing/app-css" ? "althing/app" : out,
}));

async function tests() {
  await rm(at("node_modules/.tests"), { recursive: true, force: true });
  const files = (await readdir(at("tests"))).filter((name) => name.endsWith(".test.ts"));
  await build({
    ...common,
    entryPoints: files.map((name) => `tests/${name}`),
    outdir: "node_modules/.tests",
    outExtension: { ".js": ".mjs" },
    platform: "node",
    target: "node20",
    format: "esm",
  });
}

// An entry with all it imports statically; what it imports lazily is counted on its own.
function weigh(outputs, name) {
  const seen = new Set();
  const walk = (file) => {
    if (seen.has(file)) return;
    seen.add(file);
    for (const { path: next, kind } of outputs[file].imports ?? []) {
      if (kind === "import-statement") walk(next);
    }
  };
  walk(name);
  return [...seen].reduce((sum, file) => sum + gzipSync(readFileSync(at(file))).length, 0);
}

function checkBudgets({ outputs }) {
  const rows = Object.keys(outputs).filter((file) => /\.(js|css)$/.test(file));
  const over = [];
  for (const file of rows) {
    const size = weigh(outputs, file);
    const name = file.replace("dist/", "");
    const limit = BUDGETS[name] ?? (outputs[file].entryPoint?.includes("wallet/") ? BUDGETS.wallet : 0);
    if (outputs[file].entryPoint) console.log(`${name.padEnd(52)} ${size} B gz${limit ? ` of ${limit}` : ""}`);
    if (limit && size > limit) over.push(`${name}: ${size} B gz, budget ${limit}`);
  }
  if (over.length) throw new Error(`Over budget: ${over.join("; ")}`);
}

async function pagesBuild() {
  await rm(at("dist"), { recursive: true, force: true });
  await mkdir(at("dist", "althing"), { recursive: true });
  await cp(at("src", "static"), at("dist", "althing"), { recursive: true });
  if (process.argv.includes("--watch")) {
    await (await context(pages)).watch();
    return;
  }
  const { metafile } = await build(pages);
  checkBudgets(metafile);
  await stat(at("dist", "althing", "app.css"));
}

await (process.argv.includes("--tests") ? tests() : pagesBuild());
