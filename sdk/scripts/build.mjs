/**
 * Builds what is shipped: wirehop.js (minified ESM), wirehop.shared.js (what it loads where tabs share a connection),
 * wirehop.d.ts (their types, one file), wirehop.rtc.js and wirehop.rtc.d.ts (audio, video and data between participants),
 * wirehop.old.js (ES5).
 *
 *     node scripts/build.mjs            into the Python package, where they are committed
 *     node scripts/build.mjs DIRECTORY  somewhere else (what the test compares with)
 *     node scripts/build.mjs --pack     into dist/, for `npm pack`
 *
 * The same sources and the same lock file give the same bytes.
 */

import { copyFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import * as esbuild from "esbuild";
import ts from "typescript";
import { bundleTypes } from "./types.mjs";

const sdk = dirname(dirname(fileURLToPath(import.meta.url)));
const version = JSON.parse(readFileSync(join(sdk, "package.json"), "utf8")).version;
const banner = `/*! wirehop ${version} | Apache-2.0 */`;

async function bundle(options) {
  const result = await esbuild.build({
    absWorkingDir: sdk,
    bundle: true,
    write: false,
    charset: "utf8",
    legalComments: "none",
    define: { __VERSION__: JSON.stringify(version) },
    logLevel: "warning",
    ...options,
  });
  return result.outputFiles[0].text;
}

/** What is loaded only where it is used lies beside wirehop.js. */
const apart = {
  name: "apart",
  setup(build) {
    build.onResolve({ filter: /\/shared\/shared\.js$/ }, () => ({ path: "./wirehop.shared.js", external: true }));
  },
};

async function modern(entry) {
  return bundle({
    entryPoints: [entry],
    plugins: [apart],
    format: "esm",
    target: "es2020",
    minify: true,
    mangleProps: /^_/,
    banner: { js: banner },
  });
}

/** esbuild joins, TypeScript goes down to ES5 (esbuild does not), esbuild makes it small. */
async function old() {
  const joined = await bundle({ entryPoints: [oldEntry], format: "iife", target: "es2020" });
  const { outputText } = ts.transpileModule(joined, {
    compilerOptions: { target: ts.ScriptTarget.ES5, module: ts.ModuleKind.None, removeComments: true },
  });
  const { code } = await esbuild.transform(outputText.replace(/^"use strict";\n/, ""), {
    target: "es5",
    minify: true,
    charset: "ascii",
    mangleProps: /^_/,
    banner,
  });
  return code;
}

const oldEntry = ["src/old/index.ts", "src/old/index.js"].find((name) => existsSync(join(sdk, name)));
const argument = process.argv[2];
const target =
  argument === "--pack"
    ? join(sdk, "dist")
    : argument
      ? resolve(argument)
      : join(sdk, "..", "src", "wirehop", "sdk");
mkdirSync(target, { recursive: true });
const files = {
  "wirehop.js": await modern("src/index.ts"),
  "wirehop.shared.js": await modern("src/shared/shared.ts"),
  "wirehop.d.ts": bundleTypes(sdk, "src/index.ts", banner),
  "wirehop.rtc.js": await modern("src/rtc/index.ts"),
  "wirehop.rtc.d.ts": bundleTypes(sdk, "src/rtc/index.ts", banner, {
    elsewhere: ["src/client.d.ts", "src/channel.d.ts", "src/messages.d.ts"],
    from: "./wirehop.js",
  }),
};
if (oldEntry) files["wirehop.old.js"] = await old();
for (const [name, text] of Object.entries(files)) {
  writeFileSync(join(target, name), text);
  console.error(`${name}: ${Buffer.byteLength(text)} bytes, gzip ${gzipSync(text, { level: 9 }).length}`);
}
if (argument === "--pack") copyFileSync(join(sdk, "..", "LICENSE"), join(sdk, "LICENSE"));
