#!/usr/bin/env node
// Reads a compiler input (standard JSON) on stdin, compiles it with the npm package `solc` and writes its output.
// Nothing is fetched: imports are read from the folders given as arguments, else from this checkout and node_modules.
"use strict";
const fs = require("fs");
const path = require("path");

const root = path.resolve(__dirname, "..");
const modules = process.env.ALTHING_NODE_MODULES || path.join(root, "node_modules");
const solc = require(path.join(modules, "solc"));

function findImport(name) {
  for (const folder of [...process.argv.slice(2), root, modules]) {
    const file = path.resolve(folder, name);
    if (fs.existsSync(file)) return { contents: fs.readFileSync(file, "utf8") };
  }
  return { error: `File not found: ${name}` };
}

const input = fs.readFileSync(0, "utf8");
process.stdout.write(solc.compile(input, { import: findImport }));
