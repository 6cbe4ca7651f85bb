// The site's side: addresses, what the site has seen of a request, and results on their way to it.

const parameters = new URLSearchParams(location.search);
export const other = `http://127.0.0.1:${parameters.get("other")}`;
export const isShort = parameters.get("short") === "1";

let number = 0;

/** A name under which the site writes down what is sent. */
export const tag = (name) => `${name}-${++number}`;

/** An address of this site, or of the other origin. */
export function at(path, values = {}, origin = "") {
  const query = new URLSearchParams(values);
  return `${origin}${path}?${query}`;
}

export const socketAt = (path, values = {}, origin = location.origin) => at(path, values, origin).replace("http", "ws");

export const wait = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

/** `promise`, or an error after so many milliseconds. */
export function within(milliseconds, promise) {
  const late = new Promise((_, reject) => setTimeout(() => reject(new Error(`nothing within ${milliseconds} ms`)), milliseconds));
  return Promise.race([promise, late]);
}

/** The requests of that name. */
export async function seen(name) {
  return (await fetch(at("/seen", { tag: name }))).json();
}

/** Post figures: [name, value, {unit, samples, method}]. */
export async function found(...figures) {
  const body = JSON.stringify(
    figures.map(([name, value, rest = {}]) => ({ name, value: Number(value), ...rest })),
  );
  await fetch("/results", { method: "POST", headers: { "Content-Type": "application/json" }, body });
}

/** The first event of that name, or an error. */
export function first(target, event, bad = "error") {
  return new Promise((resolve, reject) => {
    target.addEventListener(event, resolve, { once: true });
    if (bad) target.addEventListener(bad, () => reject(new Error(`${bad} instead of ${event}`)), { once: true });
  });
}

/** Whether it ends well. */
export async function works(action, milliseconds = 5000) {
  try {
    return (await within(milliseconds, action())) !== false;
  } catch {
    return false;
  }
}
