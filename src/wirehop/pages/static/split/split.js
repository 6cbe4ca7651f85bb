// One page of this server, twice beside each other: what one window does is seen in the other.

import { SERVER } from "../ui.js";

const wanted = new URLSearchParams(location.search).get("page") ?? "chat/";
const address = new URL(wanted, SERVER);
if (!address.href.startsWith(SERVER)) throw new Error("a page of this server only"); // nobody else's in our frame
for (const frame of document.querySelectorAll("iframe")) frame.src = address.href;
document.getElementById("back").href = address.href;
