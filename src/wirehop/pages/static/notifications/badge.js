// How many are new: at the bell, in the title, and on the icon of the tab.

const TITLE = "Notifications · wirehop";

export class Badge {
  count = -1;

  constructor({ bell, badge, icon }) {
    Object.assign(this, { bell, badge, icon, plain: icon.href });
  }

  show(count) {
    if (count === this.count) return;
    const isMore = count > this.count && this.count >= 0;
    this.count = count;
    this.badge.hidden = !count;
    this.badge.textContent = count > 99 ? "99+" : String(count);
    this.bell.setAttribute("aria-label", count ? `Inbox, ${count} new` : "Inbox");
    document.title = count ? `(${count}) ${TITLE}` : TITLE;
    this.icon.href = count ? dotted() : this.plain;
    if (isMore) this.bell.animate?.([{ rotate: "0deg" }, { rotate: "14deg" }, { rotate: "-11deg" }, { rotate: "0deg" }], matchMedia("(prefers-reduced-motion: reduce)").matches ? 0 : 380);
  }
}

/** The bell with a dot, as an icon. */
function dotted() {
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><rect width="32" height="32" rx="8" fill="#4f4bd1"/><path d="M22 13a6 6 0 0 0-12 0c0 6-2.5 7.5-2.5 7.500h17S22 19 22 13M13.5 24a2.6 2.6 0 0 0 5 0" fill="none" stroke="#fff" stroke-width="2.2" stroke-linecap="round" stroke-linejoin="round"/><circle cx="24" cy="8" r="6.5" fill="#e5484d" stroke="#fff" stroke-width="1.5"/></svg>`;
  return `data:image/svg+xml,${encodeURIComponent(svg)}`;
}
