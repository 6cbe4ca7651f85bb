// All probes in turn. What one of them meets is its own: the others go on.

import { backpressure, contents, heads, presence, requests, uploads } from "./abilities.js";
import { channels } from "./channels.js";
import { limits, reconnects } from "./limits.js";
import { isShort } from "./site.js";

const short = { heads, contents, requests, uploads, presence, limits };
const all = { ...short, backpressure, reconnects, channels };
const only = new URLSearchParams(location.search).get("only");

for (const [name, run] of Object.entries(isShort ? short : all)) {
  if (only && !only.split(",").includes(name)) continue;
  document.querySelector("#what").textContent = name;
  try {
    await run();
  } catch (error) {
    console.error(name, error);
    await fetch(`/trouble?${new URLSearchParams({ tag: `trouble ${name}: ${error}` })}`);
  }
}
await fetch("/done", { method: "POST" });
document.querySelector("#what").textContent = "done";
