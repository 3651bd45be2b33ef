const EVENTS = /^(ready|open|close|sent|reply|unread|greeting|feedback)$/;

/** @param {unknown} text */
const isText = (text) => typeof text === "string" && text.trim() !== "";
/** @param {string} name @param {unknown} fn */
const isEvent = (name, fn) => EVENTS.test(name) && typeof fn === "function";
/**
 * What each method of the host page's interface can take.
 * @type {Record<string, (...given: any[]) => boolean>}
 */
const TAKES = {
  restart: () => true,
  ask: isText,
  prefill: isText,
  on: isEvent,
  off: isEvent,
  identify: (who) => who === null || (isText(who?.id) && isText(who?.hash)),
};

/** `window.SalesChat`, once the chat is there: does what the page asks for, and tells it things. */
export class HostInterface {
  /** @type {Map<string, Set<(detail: object) => void>>} */
  #listeners = new Map();
  #actions;

  /** @param {Record<string, (...given: any[]) => void>} actions */
  constructor(actions) {
    this.#actions = actions;
    actions.on = (name, fn) => this.#on(name, fn);
    actions.off = (name, fn) => this.#listeners.get(name)?.delete(fn);
  }

  /** @param {string} name @param {object} detail */
  tell(name, detail) {
    for (const fn of this.#listeners.get(name) ?? []) this.#run(() => fn(detail));
  }

  /** @param {string} name @param {(detail: object) => void} fn */
  #on(name, fn) {
    const known = this.#listeners.get(name) ?? new Set();
    this.#listeners.set(name, known.add(fn));
    if (name === "ready") this.#run(() => fn({})); // or there would be nothing here to listen to
  }

  /** Never throws into the host page. @param {any} wish */
  call(wish) {
    const [name, ...given] = Array.isArray(wish) ? wish : [];
    if (!Object.hasOwn(TAKES, name) || !TAKES[name](...given)) {
      return console.warn("Sales chat: this is nothing that it can do:", wish);
    }
    this.#run(() => this.#actions[name](...given));
  }

  /** @param {() => void} work */
  #run(work) {
    try {
      work();
    } catch (error) {
      console.error("Sales chat:", error);
    }
  }
}
