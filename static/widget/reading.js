const NEAR_END = 64; // so close to the end the reader is taken to read the end
const FREE_ABOVE = 12; // what is left free above the first line of a long reply

/**
 * Where the reader is. At the end, the newest words stay in view as they come; but a reply that
 * is higher than the view is shown from its first line, and who reads above is left alone.
 */
export class Reading {
  #scroller;
  #button;
  #words;
  #follows = true;
  #news = false;
  #at = 0;
  /** The newest message, which may be too long to follow. @type {HTMLElement | undefined} */
  #newest;
  /** One whose first line was kept once: it is never done twice. @type {HTMLElement | undefined} */
  #kept;

  /**
   * @param {HTMLElement} scroller
   * @param {HTMLElement} content
   * @param {HTMLElement} button brings the reader to the end; its last child holds words
   * @param {import("./strings.js").Words} words
   */
  constructor(scroller, content, button, words) {
    this.#scroller = scroller;
    this.#button = button;
    this.#words = words;
    scroller.addEventListener("scroll", () => this.#scrolled());
    button.addEventListener("click", () => this.toEnd(true));
    // After the layout and before it is painted: no frame shows the words at a wrong place, and
    // nobody has to ask for a layout in between. Also when a keyboard takes room away from below.
    const watch = new ResizeObserver(() => this.#keep());
    watch.observe(scroller);
    watch.observe(content);
  }

  /** Shows the newest words. */
  toEnd(smooth = false) {
    const calm = !smooth || matchMedia("(prefers-reduced-motion: reduce)").matches;
    this.#follows = true;
    this.#kept = this.#newest;
    this.#scroller.scrollTo({ top: this.#end(), behavior: calm ? "instant" : "smooth" });
    if (calm) this.#keep();
  }

  /** There are new words in this row, the last one. @param {HTMLElement | undefined} row */
  grew(row) {
    this.#newest = row;
    this.#news ||= !this.#follows;
  }

  /**
   * Lets more come in above this element, which stays where it is seen.
   * @param {Element} element @param {() => void} change
   */
  above(element, change) {
    const before = element.getBoundingClientRect().top;
    change();
    this.#scroller.scrollTop += element.getBoundingClientRect().top - before;
    this.#at = this.#scroller.scrollTop;
  }

  #end() {
    return this.#scroller.scrollHeight - this.#scroller.clientHeight;
  }

  #keep() {
    const { scrollTop } = this.#scroller;
    const end = this.#end();
    if (this.#follows && end !== scrollTop) {
      const fresh = this.#newest !== this.#kept && this.#newest;
      const first = fresh ? fresh.offsetTop - FREE_ABOVE : Infinity;
      this.#scroller.scrollTop = Math.min(end, first);
      if (first < end) {
        this.#follows = false;
        this.#kept = this.#newest;
      }
    }
    this.#offer();
  }

  /** Upwards by hand, the reader stays there; near the end, they have come back to it. */
  #scrolled() {
    const { scrollTop } = this.#scroller;
    const left = this.#end() - scrollTop;
    if (scrollTop < this.#at) this.#follows = left < 4;
    else if (scrollTop > this.#at && left < NEAR_END) this.#follows = true;
    this.#offer();
  }

  #offer() {
    this.#at = this.#scroller.scrollTop;
    const away = this.#end() - this.#at >= NEAR_END;
    this.#news &&= away;
    if (this.#button.hidden === away) this.#button.hidden = !away;
    const words = this.#news ? this.#words.below : "";
    const label = /** @type {HTMLElement} */ (this.#button.lastElementChild);
    if (label.textContent !== words) label.textContent = words;
    this.#button.setAttribute("aria-label", words || this.#words.newest);
  }
}
