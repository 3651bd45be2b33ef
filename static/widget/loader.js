// Draws the launcher and fetches the rest when somebody means to use it. Served as /widget.js.
(([look, sites, ...files]) => {
  const host = /** @type {any} */ (window);
  const page = document;
  const name = "sales-chat";
  const once = `${name}:`;
  if (host[once]) return host[once](); // the tag twice, or a page drawn anew with its tags
  /** @type {any} */
  const tag = page.currentScript || page.querySelector('script[data-site][src*="/widget.js"]');
  const { site, open, mode } = tag?.dataset || {};
  if (!site) return;

  const server = new URL(tag.src).origin;
  const kept = (/** @type {string} */ area, /** @type {string} */ what) => {
    try {
      return JSON.parse(host[`${area}Storage`][`${once}${site}:${what}`]);
    } catch {
      return ""; // nothing there, or blocked
    }
  };
  // The server lists its sites by FNV-1a of the key, not by name.
  const step = (/** @type {number} */ hash, /** @type {string} */ letter) => Math.imul(hash ^ letter.charCodeAt(0), 16777619);
  const hash = [...site].reduce(step, 0x811c9dc5) >>> 0;
  const [accent, side, greets] = /** @type {any} */ (sites)[hash.toString(36)] || [];

  /** @type {Promise<any> | undefined} */
  let loading;
  const load = () => {
    if (loading) return;
    const [entry, ...styles] = files.map((path) => server + path);
    element.styles = Promise.all(styles.map((style) => fetch(style)));
    loading = Promise.all([import(entry), element.styles])
      .then(() => element.ready)
      .catch(() => {
        watch.disconnect();
        element.remove();
        host[once] = 0;
        console.error(`Sales chat: could not be loaded from ${server}.`);
      });
  };

  // What the host page asks for waits in a line until the rest is there to do it.
  /** @type {any[]} */
  const calls = [];
  const call = (/** @type {any} */ wish) => {
    const what = wish?.[0];
    if (/hide|show/.test(what)) return element.toggleAttribute("quiet", what === "hide");
    calls.push(wish);
    if (/open|toggle|ask|prefill/.test(what)) load();
  };

  /** @type {(kind: string, properties: object) => any} */
  const make = (kind, properties) => Object.assign(page.createElement(kind), properties);
  const element = make(name, { site, server, mode, calls, greets });
  // At the end of the page's lines, or of lines from the right.
  const corner = make("div", { className: "corner", popover: "manual", dir: side ? "rtl" : "" });
  const root = element.attachShadow({ mode: "open" });
  const sheet = new CSSStyleSheet();
  if (accent) look += `:host{--sales-chat-accent:${accent}}`;
  sheet.replaceSync(look + kept("local", "look"));
  root.adoptedStyleSheets = [sheet];
  root.append(corner);

  const launcher = {
    className: "launcher",
    part: "launcher",
    ariaLabel: "Chat",
    ariaExpanded: false,
    onpointerenter: load,
    onfocus: load,
    onclick: () => call(["toggle"]),
  };
  if (!mode) corner.append(make("button", launcher));

  const asked = host.SalesChat;
  /** @type {ProxyHandler<any>["get"]} */
  const get = (own, what) =>
    // What the language itself looks for on any object is none of our methods.
    what in own || typeof what === "symbol" || /^(then|toJSON)$/.test(what)
      ? own[what]
      : (/** @type {any[]} */ ...given) => call([what, ...given]);
  const push = (/** @type {any[]} */ ...wishes) => wishes.forEach(call);
  host.SalesChat = new Proxy({ push }, { get });
  asked?.forEach?.(call);
  // Any element of the host page may open the chat: <button data-sales-chat="open">.
  page.addEventListener("click", (/** @type {any} */ { target }) => {
    if (target.closest?.('[data-sales-chat="open"]')) call(["open"]);
  });

  // Frameworks that draw the page anew take out what they do not know, or the whole body.
  const place = (host[once] = () => {
    for (const node of [page.documentElement, page.body]) watch.observe(node, { childList: true });
    if (element.isConnected) return;
    page.body.append(element);
    corner.showPopover(); // in the top layer no transform, filter or z-index of the page counts
  });
  const watch = new MutationObserver(place);
  const start = () => {
    place();
    const roomy = matchMedia("(width>=30em) and (height>=26em)").matches;
    const idle = () => (host.requestIdleCallback || setTimeout)(load);
    if (mode) load();
    else if (roomy && (open !== undefined || kept("session", "open"))) call(["reopen"]);
    else if (greets || kept("local", "seen")) {
      page.readyState === "complete" ? idle() : addEventListener("load", idle);
    }
  };
  page.body ? start() : page.addEventListener("DOMContentLoaded", start);
})("WIDGET_FILES");
