// Draws the launcher and fetches the rest when somebody means to use it. Served as /widget.js.
(([look, ...paths]) => {
  const page = document;
  const tag = page.currentScript || page.querySelector('script[data-site][src*="/widget.js"]');
  const once = Symbol.for("sales-chat");
  if (!tag || window[once]) return;
  window[once] = true;

  const { site, open, mode } = tag.dataset;
  const server = new URL(tag.src).origin;
  const files = paths.map((path) => new URL(path, server).href);
  const kept = (storage, name) => {
    try {
      return JSON.parse(window[storage][`sales-chat:${site}:${name}`]);
    } catch {
      return ""; // nothing there, or blocked
    }
  };
  const make = (node, attributes) => {
    for (const name in attributes) node.setAttribute(name, attributes[name]);
    return node;
  };
  const element = make(page.createElement("sales-chat"), {
    site,
    server,
    styles: files.filter((file) => file.endsWith("css")).join(" "),
    mode: mode || "panel",
  });
  const root = element.attachShadow({ mode: "open" });

  let loading;
  let intent = () => {
    intent = () => {};
    for (const href of files) {
      const [rel, as] = href.endsWith("css") ? ["preload", "fetch"] : ["modulepreload", "script"];
      page.head.append(make(page.createElement("link"), { rel, as, crossorigin: "", href }));
    }
  };
  const load = () => {
    intent();
    return (loading ??= import(files[0]).catch(() => {
      element.remove();
      window[once] = false;
      console.error(`Sales chat: could not be loaded from ${server}.`);
    }));
  };
  const show = (on) => load().then(() => element.toggleAttribute("open", on));

  if (mode !== "page") {
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(kept("localStorage", "look") + look);
    root.adoptedStyleSheets = [sheet];
    const button = make(page.createElement("button"), {
      class: "launcher",
      part: "launcher",
      "aria-label": "Chat",
      "aria-expanded": false,
    });
    for (const [name, d] of [
      ["talk", "M20 11.5a7.5 7.5 0 0 1-11 6.6L4 20l1.5-4.4A7.5 7.5 0 1 1 20 11.5z"],
      ["shut", "M6 9.5l6 6 6-6"],
    ]) {
      const draw = (kind, attributes) =>
        make(page.createElementNS("http://www.w3.org/2000/svg", kind), attributes);
      const svg = draw("svg", { viewBox: "0 0 24 24", class: name });
      svg.append(draw("path", { d }));
      button.append(svg);
    }
    button.onpointerenter = button.onfocus = () => intent();
    button.onclick = () => show(!element.hasAttribute("open"));
    root.append(button);
  }
  // Any element of the host page may open the chat: <button data-sales-chat="open">.
  page.addEventListener("click", ({ target }) => {
    if (target.closest?.('[data-sales-chat="open"]')) show(true);
  });

  const place = () => {
    page.body.append(element);
    const roomy = matchMedia("(width >= 30em)").matches;
    if (mode === "page") load();
    else if (open !== undefined || (roomy && kept("sessionStorage", "open"))) show(true);
  };
  if (page.body) place();
  else page.addEventListener("DOMContentLoaded", place);
})("WIDGET_FILES");
