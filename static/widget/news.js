import { h } from "./dom.js";
import { greet } from "./greeting.js";
import { Peek } from "./peek.js";
import { plural } from "./strings.js";
import { rest } from "./unread.js";

/** What the launcher tells who has the panel closed: a count, the last words, a greeting. */
export class News {
  #badge = h("span", { class: "badge", part: "badge", "aria-hidden": "true" });
  #place;
  #store;
  #hooks;
  #signal;
  #count = 0;
  /** @type {import("./strings.js").Language | undefined} */
  #language;
  /** @type {Peek | undefined} */
  #peek;
  #greets = false;

  /**
   * @param {{corner: HTMLElement, launcher: HTMLElement | null}} place
   * @param {import("./storage.js").Store} store
   * @param {{quiet: () => boolean, open: () => void, tell: (name: string, detail: object) => void}} hooks
   * @param {AbortSignal} signal
   */
  constructor(place, store, hooks, signal) {
    this.#place = place;
    this.#store = store;
    this.#hooks = hooks;
    this.#signal = signal;
    place.launcher?.append(this.#badge);
    signal.addEventListener("abort", () => {
      this.#badge.remove();
      this.#peek?.element.remove();
    });
  }

  /** @param {import("./strings.js").Language} language */
  speak(language) {
    this.#language = language;
    this.#peek?.element.remove();
    this.#peek = new Peek(language);
    this.#place.launcher?.before(this.#peek.element);
    this.#label();
  }

  /** The panel has opened. */
  opened() {
    this.#peek?.hide();
    this.#greeted("opened");
  }

  /** Waits until the site's rules for a greeting hold. @param {string} url where they are */
  async greet(url) {
    await greet(url, this.#store, this.#signal, ({ text, agent }) => {
      if (this.#hooks.quiet()) return false;
      this.#greets = true;
      this.#hooks.tell("greeting", { state: "shown" });
      this.#show(agent.name, text, () => {
        rest(this.#store);
        this.#greeted("dismissed");
      });
      return true;
    });
  }

  /** @param {"opened" | "dismissed"} state what became of a greeting, if one is to be seen */
  #greeted(state) {
    if (this.#greets) this.#hooks.tell("greeting", { state });
    this.#greets = false;
  }

  /** So many messages wait to be seen. @param {number} count @param {import("./transcript.js").Message} [newest] */
  changed(count, newest) {
    this.#count = count;
    this.#label();
    if (!newest) return this.#peek?.hide();
    if (this.#store.get("peeked") === newest.id) return;
    const who = newest.name || this.#store.get("site")?.agent.name || "";
    this.#show(who, newest.text, () => this.#store.set("peeked", newest.id));
  }

  /** @param {string} who @param {string} text @param {() => void} dismissed */
  #show(who, text, dismissed) {
    this.#peek?.show(who, text, this.#hooks.open, () => {
      this.#place.launcher?.focus();
      dismissed();
    });
  }

  #label() {
    const count = this.#count;
    this.#badge.textContent = count > 9 ? "9+" : count || "";
    if (!this.#language) return;
    const { words, lang } = this.#language;
    const news = count ? `, ${plural(words.unread, count, lang)}` : "";
    this.#place.launcher?.setAttribute("aria-label", words.chat + news);
  }
}
