// Code in colours: comments, strings, numbers and words of the language. As nodes; it parses nothing.

import { element } from "../ui.js";

const WORDS = {
  python: "and as assert async await break class continue def del elif else except False finally for from global if import in is lambda match None not or pass raise return True try while with yield",
  js: "async await break case catch class const continue default delete do else export extends false finally for from function if import in instanceof let new null of return static super switch this throw true try typeof undefined var void while yield",
  sh: "case do done elif else esac export fi for function if in local return set then until while",
  sql: "and as by create delete from group having in insert into join left limit not null on or order select set table update values where",
};
const ALIASES = { py: "python", javascript: "js", ts: "js", typescript: "js", jsx: "js", tsx: "js", json: "js", bash: "sh", shell: "sh", zsh: "sh", go: "js", rust: "js", java: "js", c: "js", cpp: "js" };
const STRING = `"(?:\\\\.|[^"\\\\\\n])*"?|'(?:\\\\.|[^'\\\\\\n])*'?`;
const NUMBER = "\\b\\d[\\w.]*";
const NAME = "[A-Za-z_$][\\w$]*";
const HASH = "#[^\\n]*";
const SLASHES = "//[^\\n]*|/\\*[\\s\\S]*?(?:\\*/|$)";

const languages = new Map();

function languageOf(name) {
  const known = ALIASES[name] ?? name;
  if (!(known in WORDS)) return undefined;
  if (!languages.has(known)) {
    const isHash = known === "python" || known === "sh";
    const strings = known === "js" ? `${STRING}|\`(?:\\\\.|[^\`\\\\])*\`?` : known === "python" ? `"""[\\s\\S]*?(?:"""|$)|${STRING}` : STRING;
    const pattern = new RegExp(`(?<note>${isHash ? HASH : SLASHES})|(?<string>${strings})|(?<number>${NUMBER})|(?<name>${NAME})`, "g");
    languages.set(known, { pattern, words: new Set(WORDS[known].split(" ")), ignoresCase: known === "sql" });
  }
  return languages.get(known);
}

export function highlighted(name, text) {
  const language = languageOf(name.toLowerCase());
  if (!language) return [document.createTextNode(text)];
  const nodes = [];
  let plain = 0;
  for (const match of text.matchAll(language.pattern)) {
    const kind = kindOf(match, text, language);
    if (!kind) continue;
    if (match.index > plain) nodes.push(document.createTextNode(text.slice(plain, match.index)));
    nodes.push(element("span", { className: `code-${kind}` }, match[0]));
    plain = match.index + match[0].length;
  }
  nodes.push(document.createTextNode(text.slice(plain)));
  return nodes;
}

function kindOf({ groups, index, 0: whole }, text, { words, ignoresCase }) {
  if (groups.note) return "note";
  if (groups.string) return "string";
  if (groups.number) return "number";
  if (words.has(ignoresCase ? whole.toLowerCase() : whole)) return "word";
  return text[index + whole.length] === "(" ? "call" : "";
}
