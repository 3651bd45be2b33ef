import { Conversation } from "./conversation.js";
import { Panel } from "./panel.js";
import { Store } from "./storage.js";
import { spoken } from "./strings.js";

/** Black or white, whichever reads better on the colour `#rrggbb`. */
function inkOn(accent) {
  const [r, g, b] = [1, 3, 5].map((at) => {
    const part = parseInt(accent.slice(at, at + 2), 16) / 255;
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r + 0.7152 * g + 0.0722 * b > 0.36 ? "#111" : "#fff";
}

/** @param {string} url */
async function fetched(url) {
  const response = await fetch(url);
  if (!response.ok) throw new Error(`status ${response.status}`);
  return new CSSStyleSheet().replace(await response.text());
}

/**
 * The chat, as `<sales-chat site="demo" server="https://HOST" styles="https://HOST/….css">`. The
 * loader makes it, with the launcher in its shadow root; this class adds the panel.
 *
 * - `open`: the panel is to be seen
 * - `mode="page"`: it fills the page, and there is no launcher
 */
export class ChatWidget extends HTMLElement {
  static observedAttributes = ["open"];
  #root = this.shadowRoot ?? this.attachShadow({ mode: "open" });
  #look = new CSSStyleSheet();
  /** @type {Panel | null} */
  #panel = null;
  /** @type {Conversation | null} */
  #conversation = null;
  /** @type {Store | null} */
  #store = null;
  /** @type {AbortController | null} */
  #life = null;

  get open() {
    return this.hasAttribute("open");
  }

  set open(open) {
    this.toggleAttribute("open", open);
  }

  get page() {
    return this.getAttribute("mode") === "page";
  }

  async connectedCallback() {
    const life = (this.#life = new AbortController());
    const site = this.getAttribute("site") ?? "";
    const store = (this.#store = new Store(site));
    const known = store.get("site");
    let language;
    try {
      [language] = await Promise.all([this.#spoken(known), this.#dressed()]);
    } catch (error) {
      console.error(`Sales chat: a part did not load (${error}).`);
      return this.remove();
    }
    if (life.signal.aborted) return;
    const server = this.getAttribute("server") ?? location.origin;
    this.#conversation = new Conversation(site, server, store, life.signal);
    this.#conversation.addEventListener("ready", async ({ detail: { site, limits } }) => {
      store.set("site", site);
      this.#take(site, limits.text);
      const wanted = await this.#spoken(site).catch(() => language);
      if (wanted.lang === language.lang || life.signal.aborted) return;
      language = wanted;
      this.#build(language, site, limits.text);
    });
    this.#build(language, known, 2000);
  }

  /** The site's language if that is known already, else the page's or the browser's. */
  #spoken(site) {
    const tag = site?.locale || document.documentElement.lang || navigator.language;
    return spoken(tag);
  }

  /** Makes the panel, in place of one in another language. */
  #build(language, site, limit) {
    this.#panel = new Panel(language, this.#conversation, this.#store, () => this.#close());
    if (site) this.#take(site, limit);
    this.#root.querySelector(".panel")?.remove();
    this.#root.append(this.#panel.element);
    this.#listen(this.#life?.signal);
    this.#show();
  }

  disconnectedCallback() {
    this.#life?.abort();
    this.#panel = null;
  }

  attributeChangedCallback() {
    try {
      // Of this tab: the loader opens it again on the next page.
      sessionStorage.setItem(`sales-chat:${this.getAttribute("site")}:open`, this.open ? "1" : "");
    } catch {
      // blocked: it stays as it is on this page
    }
    this.#show();
  }

  #listen(signal) {
    const onkey = (event) => {
      if (event.key === "Escape" && !event.isComposing && !this.page) this.#close();
    };
    this.#panel?.element.addEventListener("keydown", onkey, { signal });
  }

  #close() {
    this.open = false;
    this.#launcher?.focus();
  }

  /** @returns {HTMLElement | null} */
  get #launcher() {
    return this.#root.querySelector(".launcher");
  }

  #show() {
    if (!this.#panel) return;
    const open = this.open || this.page;
    this.#panel.element.hidden = !open;
    this.#launcher?.setAttribute("aria-expanded", String(open));
    if (!open) return;
    this.#conversation?.open();
    this.#panel.shown();
    // Opened by the visitor's own hand, not by a reload: the host page keeps its focus then.
    if (navigator.userActivation?.isActive && !this.page) this.#panel.focus();
  }

  /** Fetches the style sheets as files and adopts them: no host page's `style-src` is in the way. */
  async #dressed() {
    if (this.#root.adoptedStyleSheets.includes(this.#look)) return;
    const urls = (this.getAttribute("styles") ?? "").split(" ");
    const sheets = await Promise.all(urls.map(fetched));
    this.#root.adoptedStyleSheets.push(...sheets, this.#look);
  }

  #take(site, limit) {
    const accent = String(site.theme?.accent ?? "");
    if (/^#[0-9a-f]{6}$/i.test(accent)) {
      const ink = inkOn(accent);
      const look = `:host{--sales-chat-accent:${accent};--sales-chat-on-accent:${ink}}`;
      this.#look.replaceSync(look);
      this.#store?.set("look", look); // so that the loader's launcher has it at once
    }
    this.#panel?.dress(site, limit);
  }
}
