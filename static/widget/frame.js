const SMALL = "(width < 30em), (height < 26em)"; // as in the style sheet
const MARK = "salesChat";

/**
 * How the panel stands on the page: as a window that leaves the page alone or, on a phone, as a
 * sheet over all of it. Only the sheet is modal, and the Back button closes it as it would a page.
 */
export class Frame {
  /** @type {HTMLDialogElement | null} */
  #panel = null;
  #hooks;
  #small = matchMedia(SMALL);
  #open = false;
  #sheet = false;
  #overflow = "";
  #url = "";
  #step = false;

  /** @param {{open: () => void, close: () => void}} hooks @param {AbortSignal} signal */
  constructor(hooks, signal) {
    this.#hooks = hooks;
    addEventListener("popstate", (event) => this.#popped(event), { signal });
    this.#small.addEventListener("change", () => this.show(this.#open), { signal });
    for (const name of ["resize", "scroll"]) {
      window.visualViewport?.addEventListener(name, () => this.#fit(), { signal });
    }
    signal.addEventListener("abort", () => this.#free());
  }

  /** @param {HTMLDialogElement} panel in place of the one before */
  put(panel) {
    this.#free();
    this.#panel = panel;
    // The browser closes a modal dialog by itself: Escape, or Back on some phones.
    panel.addEventListener("close", () => this.#open && !panel.open && this.#hooks.close());
  }

  /** @param {boolean} open @param {boolean} [whole] it is the page's only content */
  show(open, whole = false) {
    const panel = this.#panel;
    const sheet = open && this.#small.matches && !whole;
    this.#open = open;
    if (!panel || (panel.open === open && this.#sheet === sheet)) return;
    if (panel.open) panel.close();
    this.#free();
    if (sheet) this.#cover(panel);
    else panel.open = open; // not by show(), which would take the focus from the page
    if (!open) this.#leave();
  }

  /** @param {HTMLDialogElement} panel */
  #cover(panel) {
    panel.showModal();
    const { style } = document.documentElement;
    this.#overflow = style.overflow;
    style.overflow = "hidden"; // all that is changed on the page; undone in `#free`
    this.#sheet = true;
    this.#fit();
    this.#enter();
  }

  #free() {
    if (!this.#sheet) return;
    this.#sheet = false;
    document.documentElement.style.overflow = this.#overflow;
  }

  /** As high as what the keyboard leaves free; a page that is zoomed in stays as it is. */
  #fit() {
    const { height, offsetTop, scale } = window.visualViewport ?? {};
    if (!this.#sheet || scale !== 1) return;
    this.#panel?.style.setProperty("--view", `${height}px`);
    this.#panel?.style.setProperty("--top", `${offsetTop}px`);
  }

  /**
   * A step in the history for Back to undo; a narrow window of a desktop needs none. It holds the
   * page's own state too, so that a router finds itself where it is.
   */
  #enter() {
    if (!matchMedia("(pointer: coarse)").matches) return;
    this.#url = location.href;
    this.#step = true;
    if (!history.state?.[MARK]) history.pushState({ ...history.state, [MARK]: true }, "");
  }

  /** Takes the step back, unless the page has gone on from there. */
  #leave() {
    if (this.#step && history.state?.[MARK]) history.back();
  }

  /** @param {PopStateEvent} event */
  #popped(event) {
    const was = this.#step;
    const is = (this.#step = Boolean(event.state?.[MARK]));
    if (was === is || location.href !== this.#url) return; // the page's own affair
    if (is) this.#hooks.open();
    else if (this.#open) this.#hooks.close();
  }
}
