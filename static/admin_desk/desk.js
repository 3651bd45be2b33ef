// htmx writes a <style> into every page unless told not to, which the policy refuses.
htmx.config.includeIndicatorStyles = false;

// What Unfold's pages lack for a screen reader: where the page itself begins, and what scrolls.
// Before simplebar.js starts, which names all that scrolls alike.
document.addEventListener("DOMContentLoaded", () => {
  document.getElementById("main")?.setAttribute("role", "main");
  const sections = document.getElementById("nav-sidebar-apps");
  if (sections) sections.dataset.simplebarAriaLabel = "Sections";
});
