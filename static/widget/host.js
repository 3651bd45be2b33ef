import { extras } from "./later.js";

const PLAIN = ["open", "reopen", "close", "toggle"];

/** What the host page asks for and is told. What takes more words than a verb comes with the extras. */
export class Host {
  /** @type {Promise<import("./api.js").HostInterface> | undefined} */
  #api;
  acts;

  /** @param {Record<"open" | "reopen" | "close" | "toggle" | "restart" | "ask" | "prefill" | "identify", (given?: any) => void>} acts */
  constructor(acts) {
    this.acts = acts;
  }

  /** Takes over the line in which wishes have waited. @param {any[]} calls */
  serve(calls) {
    for (const wish of calls.splice(0)) this.#do(wish);
    calls.push = (wish) => this.#do(wish) ?? 0;
  }

  /** @param {string} name @param {object} detail */
  tell(name, detail) {
    this.#api?.then((api) => api.tell(name, detail));
  }

  /** @param {any} wish */
  #do(wish) {
    const [name] = Array.isArray(wish) ? wish : [];
    if (PLAIN.includes(name)) return /** @type {any} */ (this.acts)[name]();
    this.#api ??= extras().then(({ HostInterface }) => new HostInterface({ ...this.acts }));
    this.#api.then((api) => api.call(wish));
  }
}
