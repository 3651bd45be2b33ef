import { extras } from "./later.js";
import { rest, Unread } from "./unread.js";

/** Draws attention to a closed chat: what was not seen yet, and a greeting. Few visitors need either. */
export class Attention {
  #unread;
  #place;
  #store;
  #hooks;
  #signal;
  /** @type {import("./strings.js").Language | undefined} */
  #language;
  /** @type {Promise<import("./news.js").News> | undefined} */
  #news;

  /**
   * @param {{corner: HTMLElement, launcher: HTMLElement | null}} place
   * @param {import("./conversation.js").Conversation} conversation
   * @param {import("./storage.js").Store} store
   * @param {{shown: () => boolean, open: () => void, tell: (name: string, detail: object) => void}} hooks
   * @param {AbortSignal} signal
   */
  constructor(place, conversation, store, hooks, signal) {
    this.#place = place;
    this.#store = store;
    this.#hooks = hooks;
    this.#signal = signal;
    const watched = () => hooks.shown() && !document.hidden;
    /** @param {import("./transcript.js").Message} [newest] */
    const changed = (newest) => this.#changed(newest);
    this.#unread = new Unread(conversation, store, { watched, changed }, signal);
  }

  /** @param {import("./strings.js").Language} language */
  speak(language) {
    this.#language = language;
    this.#place.launcher?.setAttribute("aria-label", language.words.chat);
    this.#news?.then((news) => news.speak(language));
  }

  /** The panel has opened or closed. @param {boolean} open */
  look(open) {
    this.#unread.look();
    if (open) this.#news?.then((news) => news.opened());
  }

  /** The visitor has closed the panel. */
  rest() {
    rest(this.#store);
  }

  /** Waits until the site's rules for a greeting hold. @param {string} url where they are */
  async greet(url) {
    (await this.#shown()).greet(url);
  }

  /** @param {import("./transcript.js").Message} [newest] */
  async #changed(newest) {
    const { count } = this.#unread;
    this.#hooks.tell("unread", { count });
    if (count || this.#news) (await this.#shown()).changed(count, newest);
  }

  #shown() {
    const { open, tell } = this.#hooks;
    const seen = () => this.#unread.count || this.#store.get("seen");
    const quiet = () => this.#hooks.shown() || Boolean(seen());
    return (this.#news ??= extras().then(({ News }) => {
      const news = new News(this.#place, this.#store, { quiet, open, tell }, this.#signal);
      if (this.#language) news.speak(this.#language);
      return news;
    }));
  }
}
