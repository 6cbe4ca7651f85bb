/**
 * All public types in one file: the declarations of the modules that the entry's types reach, joined.
 *
 * Names are unique over the SDK's modules where they reach the public types; two of the same name are an error here. What
 * the modules in `elsewhere` declare is imported from `from`: a class is the same class for both files then.
 */

import { dirname, join, relative } from "node:path";
import ts from "typescript";

export function bundleTypes(root, entry, banner, { elsewhere = [], from = "" } = {}) {
  const imported = new Set();
  const declared = emit(root, entry);
  const order = [];
  const publicNames = new Set();
  visit(join(root, entry.replace(/\.ts$/, ".d.ts")), true);
  const seen = new Map();
  const bodies = order.map(([name, text]) => {
    for (const declaredName of text.matchAll(/^(?:declare )?(?:abstract )?(?:class|interface|type|function|const|enum) (\w+)/gm)) {
      const other = seen.get(declaredName[1]);
      if (other !== undefined && other !== name) throw new Error(`${declaredName[1]} is in ${other} and in ${name}`);
      seen.set(declaredName[1], name);
    }
    return text.trim();
  });
  const missing = [...publicNames].filter((name) => !seen.has(name));
  if (missing.length) throw new Error(`not declared: ${missing}`);
  const names = [...publicNames].sort();
  const head = imported.size ? `import type { ${[...imported].sort().join(", ")} } from "${from}";\n\n` : "";
  return `${banner}\n\n${head}${bodies.filter(Boolean).join("\n\n")}\n\nexport { ${names.join(", ")} };\n`;

  function visit(path, isEntry = false) {
    const name = relative(root, path);
    if (order.some(([known]) => known === name) || !declared.has(path)) return;
    const slot = [name, ""];
    order.push(slot);
    const source = ts.createSourceFile(path, declared.get(path), ts.ScriptTarget.ES2021, true);
    const kept = [];
    const reached = [];
    for (const statement of source.statements) {
      if (ts.isImportDeclaration(statement) || ts.isExportDeclaration(statement)) {
        const specifier = statement.moduleSpecifier?.text;
        const there = specifier && join(dirname(path), specifier.replace(/\.js$/, ".d.ts"));
        if (there && elsewhere.includes(relative(root, there))) {
          for (const element of statement.importClause?.namedBindings?.elements ?? []) imported.add(element.name.text);
        } else if (there) {
          reached.push(there);
        }
        if (isEntry && ts.isExportDeclaration(statement) && statement.exportClause) {
          for (const element of statement.exportClause.elements) publicNames.add(element.name.text);
        }
        continue;
      }
      if (isEntry && statement.name && statement.modifiers?.some((each) => each.kind === ts.SyntaxKind.ExportKeyword)) {
        publicNames.add(statement.name.text);
      }
      kept.push(statement.getFullText().trim().replace(/^export (declare )?/gm, "$1"));
    }
    slot[1] = kept.join("\n");
    reached.forEach((next) => visit(next));
  }
}

/** The declarations of every module, by path. */
function emit(root, entry) {
  const config = ts.readConfigFile(join(root, "tsconfig.json"), ts.sys.readFile).config;
  const { options } = ts.convertCompilerOptionsFromJson(config.compilerOptions, root);
  const declared = new Map();
  const program = ts.createProgram([join(root, entry), join(root, "src/globals.d.ts")], {
    ...options,
    noEmit: false,
    emitDeclarationOnly: true,
    stripInternal: true,
  });
  const result = program.emit(undefined, (path, text) => declared.set(path, text));
  const problems = [...ts.getPreEmitDiagnostics(program), ...result.diagnostics];
  if (problems.length) {
    throw new Error(ts.formatDiagnostics(problems, {
      getCanonicalFileName: (name) => name,
      getCurrentDirectory: () => root,
      getNewLine: () => "\n",
    }));
  }
  return declared;
}
