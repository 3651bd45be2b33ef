const DAY = 86_400_000;

/** `/pricing*` and its like as a test of a path. @param {string} pattern */
function fits(pattern) {
  const parts = pattern.split("*").map((part) => part.replace(/[.+?^${}()|[\]\\]/g, "\\$&"));
  return new RegExp(`^${parts.join(".*")}$`).test(location.pathname);
}

/** How far down the page was read, in percent; a page without a scroll bar is read at once. */
function read() {
  const { scrollHeight, clientHeight } = document.documentElement;
  return scrollHeight > clientHeight ? (100 * (scrollY + clientHeight)) / scrollHeight : 100;
}

/**
 * Whether the visitor has had enough for today.
 * @param {import("./storage.js").Store} store
 * @param {boolean} daily
 */
function over(store, daily) {
  const { at = 0, shut = 0 } = store.get("greeted") ?? {};
  return Date.now() - shut < DAY || (daily && new Date(at).toDateString() === new Date().toDateString());
}

/**
 * Greets by the site's rules, once they all hold at the same time: seconds on the page, how far it
 * was scrolled, its address, the mouse on its way out. Loaded only where a site greets.
 * @param {string} url where the rules are
 * @param {import("./storage.js").Store} store
 * @param {AbortSignal} signal
 * @param {(greeting: {text: string, agent: {name: string}}) => boolean} show says whether it could
 */
export async function greet(url, store, signal, show) {
  if (over(store, false)) return;
  const response = await fetch(url, { credentials: "omit", signal });
  if (!response.ok) return;
  const rules = await response.json();
  const { after = 0, scroll = 0, pages, exit, daily } = rules;
  let path = "";
  let seconds = 0;
  let deepest = 0;
  let timer = 0;
  const look = (leaving = false) => {
    if (path !== location.pathname) seconds = deepest = 0; // another page of the same document
    path = location.pathname;
    deepest = Math.max(deepest, read());
    if (pages?.length && !pages.some(fits)) return;
    if (seconds < after || deepest < scroll || (exit && !leaving) || over(store, daily)) return;
    if (!show(rules)) return;
    clearInterval(timer);
    store.set("greeted", { ...store.get("greeted"), at: Date.now() });
    document.removeEventListener("mouseout", out);
  };
  /** @param {MouseEvent} event */
  const out = ({ relatedTarget, clientY }) => !relatedTarget && clientY <= 0 && look(true);
  const tick = () => {
    if (document.hidden) return;
    look();
    seconds++;
  };
  timer = setInterval(tick, 1000);
  signal.addEventListener("abort", () => clearInterval(timer));
  if (exit) document.addEventListener("mouseout", out, { signal });
}
