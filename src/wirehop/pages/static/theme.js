// Sets the theme before the first paint, which is why this is a classic script in the head and not a module.
// Without a stored choice the system's setting applies.
{
  const root = document.documentElement;
  const system = matchMedia("(prefers-color-scheme: dark)");
  const read = () => {
    try {
      return localStorage.getItem("wirehop.theme");
    } catch {
      return null; // storage is blocked: the choice lasts as long as the page
    }
  };
  const isDark = () => (root.dataset.theme ? root.dataset.theme === "dark" : system.matches);
  const stored = read();
  if (stored === "light" || stored === "dark") root.dataset.theme = stored;

  addEventListener("DOMContentLoaded", () => {
    const button = document.querySelector('[data-testid="theme-toggle"]');
    if (!button) return; // a page around others
    const label = () => {
      button.setAttribute("aria-label", isDark() ? "Switch to the light theme" : "Switch to the dark theme");
      button.title = button.getAttribute("aria-label");
      dispatchEvent(new Event("themechange")); // canvases draw with colours they have read
    };
    button.addEventListener("click", () => {
      root.dataset.theme = isDark() ? "light" : "dark";
      try {
        localStorage.setItem("wirehop.theme", root.dataset.theme);
      } catch {
        // as above
      }
      label();
    });
    system.addEventListener("change", label);
    label();
  });
}
