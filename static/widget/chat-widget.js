import { Attention } from "./attention.js";
import { Conversation } from "./conversation.js";
import { Host } from "./host.js";
import { lookOf } from "./look.js";
import { Panel } from "./panel.js";
import { Store } from "./storage.js";
import { knows, spoken } from "./strings.js";

const SMALL = "(width < 30em), (height < 26em)"; // as in the style sheet

/**
 * What the loader hands over on the element, before it is one of ours.
 * @typedef {object} Given
 * @property {string} site its public key
 * @property {string} server
 * @property {string} [mode] "page": it fills the page, and there is no launcher
 * @property {any[][]} calls what the host page has asked for so far
 * @property {boolean} [greets] the site has a greeting by rules
 * @property {Promise<Response[]>} styles
 */

/**
 * The chat, `<sales-chat>`. The loader makes it, with the launcher in its shadow root; this class
 * adds everything else. The attribute `open` says whether the panel is to be seen.
 */
export class ChatWidget extends HTMLElement {
  static observedAttributes = ["open"];
  /** Fulfilled once the chat can be used; the loader waits for it. @type {Promise<void>} */
  ready = Promise.resolve();
  #given = /** @type {Given} */ (/** @type {any} */ (this));
  #root = /** @type {ShadowRoot} */ (this.shadowRoot);
  #corner = /** @type {HTMLElement} */ (this.#root.querySelector(".corner"));
  #launcher = /** @type {HTMLElement | null} */ (this.#root.querySelector(".launcher"));
  #look = new CSSStyleSheet();
  #store = new Store(this.#given.site);
  #host = new Host({
    open: () => void (this.open = true),
    reopen: () => {
      this.#reopened = true;
      this.open = true;
    },
    close: () => this.#close(),
    toggle: () => (this.open ? this.#close() : void (this.open = true)),
    restart: () => this.#panel?.restart(),
    ask: (text) => {
      this.open = true;
      this.#panel?.say(text);
    },
    prefill: (text) => {
      this.open = true;
      this.#panel?.fill(text);
    },
    identify: (who) => this.#conversation?.identify(who),
  });
  /** @type {import("./strings.js").Language | undefined} */
  #language;
  /** @type {Panel | undefined} */
  #panel;
  /** @type {Conversation | undefined} */
  #conversation;
  /** On a small screen: the panel as a sheet. @type {import("./frame.js").Frame | undefined} */
  #frame;
  /** @type {Attention | undefined} */
  #attention;
  /** @type {AbortController | undefined} */
  #life;
  /** @param {string} name @param {object} detail */
  #tell = (name, detail) => this.#host.tell(name, detail);
  /** By the loader, as it was on the page before: a browser may still count the click made there. */
  #reopened = false;
  /** What had the focus when the panel opened. @type {HTMLElement | null} */
  #before = null;

  get open() {
    return this.hasAttribute("open");
  }

  set open(open) {
    this.toggleAttribute("open", open);
  }

  get page() {
    return this.#given.mode === "page";
  }

  connectedCallback() {
    this.ready = this.#begin((this.#life = new AbortController()).signal);
  }

  disconnectedCallback() {
    this.#life?.abort();
    this.#panel?.element.remove();
    this.#panel = this.#attention = this.#frame = undefined;
  }

  attributeChangedCallback() {
    const open = this.open;
    try {
      // Of this tab: the loader opens it again on the next page.
      sessionStorage.setItem(`sales-chat:${this.#given.site}:open`, open ? "1" : "");
    } catch {
      // blocked: it stays as it is on this page
    }
    if (!this.#panel) return;
    this.#show();
    this.#tell(open ? "open" : "close", {});
  }

  /** @param {AbortSignal} signal */
  async #begin(signal) {
    const { site, server, mode, calls, greets } = this.#given;
    if (mode) this.setAttribute("mode", mode);
    if (!this.#corner.matches(":popover-open")) this.#corner.showPopover();
    const store = this.#store;
    const known = store.get("site");
    const tongue = spoken(this.#tongue(known));
    const [language] = await Promise.all([tongue, this.#dressed(), this.#fitted(signal)]);
    if (signal.aborted) return;
    this.#language = language;
    const talk = (this.#conversation = new Conversation(site, server, store, signal));
    const { open } = this.#host.acts;
    const hooks = { shown: () => this.#shown, open, tell: this.#tell };
    const place = { corner: this.#corner, launcher: this.#launcher };
    this.#attention = new Attention(place, talk, store, hooks, signal);
    this.#hear(talk, signal);
    // Whom the page has signed in should be known before the chat is opened, by whatever that is.
    for (const [name, who] of calls) if (name === "identify" && who?.hash) talk.identify(who);
    this.#build(known, 2000);
    this.#host.serve(calls);
    if (store.get("seen")) talk.open();
    else if (greets && !this.#shown) this.#attention.greet(`${server}/api/chat/greeting?site=${site}`);
  }

  /** @param {Conversation} talk @param {AbortSignal} signal */
  #hear(talk, signal) {
    /** @param {string} name @param {(detail: any) => void} act */
    const on = (name, act) =>
      talk.addEventListener(name, (event) => act(/** @type {CustomEvent} */ (event).detail));
    on("sent", ({ id }) => this.#tell("sent", { id }));
    on("finished", ({ id, role }) => this.#tell("reply", { id, role }));
    on("ready", async ({ site, limits }) => {
      this.#store.set("site", site);
      this.#take(site, limits.text);
      const was = this.#language;
      const wanted = await spoken(this.#tongue(site)).catch(() => was);
      if (wanted?.lang === was?.lang || signal.aborted) return;
      this.#language = wanted;
      this.#build(site, limits.text);
    });
  }

  /** The page's language where the chat speaks it, else the site's, else the browser's. @param {any} site */
  #tongue(site) {
    return [document.documentElement.lang, site?.locale, navigator.language].find(knows) ?? "en";
  }

  /** Makes the panel, in place of one in another language. @param {any} site @param {number} limit */
  #build(site, limit) {
    const language = /** @type {import("./strings.js").Language} */ (this.#language);
    const talk = /** @type {Conversation} */ (this.#conversation);
    const panel = new Panel(language, talk, this.#store, {
      close: () => this.#close(),
      tell: this.#tell,
    });
    panel.element.onkeydown = (/** @type {KeyboardEvent} */ event) => {
      if (event.key !== "Escape" || event.isComposing || this.page) return;
      event.preventDefault();
      this.#close();
    };
    this.#panel = panel;
    if (site) this.#take(site, limit);
    this.#frame?.put(panel.element);
    this.#corner.querySelector(".panel")?.remove();
    this.#corner.prepend(panel.element);
    this.#attention?.speak(language);
    this.#show();
  }

  get #shown() {
    return this.open || this.page;
  }

  #close() {
    if (this.#given.greets) this.#attention?.rest();
    const focused = this.#panel?.element.contains(this.#root.activeElement);
    this.open = false;
    if (focused) (this.#before?.isConnected ? this.#before : this.#launcher)?.focus();
  }

  #show() {
    const open = this.#shown;
    const active = /** @type {HTMLElement} */ (document.activeElement);
    if (open && active !== this) this.#before = active === document.body ? null : active;
    this.#launcher?.setAttribute("aria-expanded", String(open));
    if (this.#frame) this.#frame.show(open, this.page);
    // Not by show(), which would take the focus from the page.
    else if (this.#panel) this.#panel.element.open = open;
    if (open) {
      this.#conversation?.open();
      this.#panel?.shown();
      // Opened by the visitor's own hand, not by a reload: the host page keeps its focus then.
      const byHand = navigator.userActivation?.isActive && !this.#reopened;
      if (byHand && !this.page) this.#panel?.focus();
    } else this.#reopened = false;
    this.#attention?.look(open);
  }

  /** A window that is small, or becomes so, needs the module of the sheet. @param {AbortSignal} signal */
  async #fitted(signal) {
    const small = matchMedia(SMALL);
    const fit = async () => {
      if (!small.matches || this.#frame) return;
      const { Frame } = await import("./frame.js");
      const { open, close } = this.#host.acts;
      this.#frame = new Frame({ open, close }, signal);
      if (!this.#panel) return;
      this.#frame.put(this.#panel.element);
      this.#frame.show(this.#shown, this.page);
    };
    small.addEventListener("change", () => void fit().catch(() => {}), { signal });
    await fit();
  }

  /** Fetched as files and adopted: no host page's `style-src` is in the way. */
  async #dressed() {
    if (this.#root.adoptedStyleSheets.includes(this.#look)) return;
    const sheets = (await this.#given.styles).map(async (response) => {
      if (!response.ok) throw new Error(`status ${response.status}`);
      return new CSSStyleSheet().replace(await response.text());
    });
    this.#root.adoptedStyleSheets.push(...(await Promise.all(sheets)), this.#look);
  }

  /** @param {any} site @param {number} limit */
  #take(site, limit) {
    const theme = site.theme ?? {};
    const look = lookOf(theme);
    this.#look.replaceSync(look);
    this.#store.set("look", look); // so that the loader's launcher has it at once
    if (theme.side) this.#corner.dir = theme.side === "left" ? "rtl" : "ltr";
    this.#panel?.dress(site, limit);
  }
}
