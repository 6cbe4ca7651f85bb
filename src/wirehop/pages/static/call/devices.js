// The choice of camera, microphone and speaker, in the lobby and during the call.

import { element } from "../ui.js";
import { CAN_CHOOSE_SPEAKER, GENERATED } from "./sources.js";

const KINDS = [
  { kind: "camera", list: "cameras", label: "Camera", any: "The browser’s choice", generated: "Test picture (a moving clock)" },
  { kind: "microphone", list: "microphones", label: "Microphone", any: "The browser’s choice", generated: "Test tone" },
  { kind: "speaker", list: "speakers", label: "Speaker", any: "The system’s choice" },
];

/** Selects in this element, kept up to date. `chosen(kind, choice)` is told what was chosen. */
export function mountDevices(host, sources, chosen) {
  const selects = KINDS.filter(({ kind }) => kind !== "speaker" || CAN_CHOOSE_SPEAKER).map((each) => {
    const select = element("select", { className: "field", dataset: { testid: `${host.id}-${each.kind}` } });
    select.addEventListener("change", () => chosen(each.kind, select.value));
    host.append(element("label", { className: "lobby-field" }, element("span", {}, each.label), select));
    return { ...each, select };
  });
  const show = async () => {
    const found = await sources.local.devices();
    for (const { kind, list, any, generated, select } of selects) {
      const named = found[list].filter(({ deviceId, label }) => deviceId && label && deviceId !== "default");
      const options = [["", any], ...named.map(({ deviceId, label }) => [deviceId, label]), ...(generated ? [[GENERATED, generated]] : [])];
      select.replaceChildren(...options.map(([value, text]) => element("option", { value }, text)));
      const choice = sources.chosen[kind];
      select.value = options.some(([value]) => value === choice) ? choice : "";
    }
  };
  for (const event of ["devices", "change"]) sources.addEventListener(event, show);
  show();
}
