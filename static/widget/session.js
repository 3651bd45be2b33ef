/** Why the server would not open the chat. `wait`: seconds after which asking again makes sense. */
export class Refused extends Error {
  /** @param {number} status @param {{code?: string, retry_after?: number}} [error] */
  constructor(status, error = {}) {
    super(error.code ?? `status ${status}`);
    this.code = error.code ?? "";
    this.wait = error.retry_after;
    /** Asking again changes nothing. */
    this.final = status >= 400 && status < 500 && status !== 429 && status !== 408;
  }
}

/** The visitor's token, and the two questions that are asked over HTTP. */
export class Session {
  #site;
  #server;
  #store;
  /** @type {string | null} */
  #used = null;

  /** @param {string} site @param {string} server @param {import("./storage.js").Store} store */
  constructor(site, server, store) {
    this.#site = site;
    this.#server = server;
    this.#store = store;
  }

  /** @returns {string | null} */
  get token() {
    return (this.#used = this.#store.get("token"));
  }

  /** Lets go of the token it used; another tab may long have a new one. */
  forget() {
    if (this.#store.get("token") === this.#used) this.#store.set("token", null);
  }

  /** Opens the chat, or takes it up again. Tabs do this one after the other and share the visitor. */
  open(facts) {
    return this.#store.alone("init", async () => {
      let answer;
      try {
        answer = await this.#init({ ...facts, token: this.token ?? undefined });
      } catch (error) {
        if (!(error instanceof Refused) || error.code !== "bad_token") throw error;
        this.forget();
        answer = await this.#init(facts);
      }
      this.#store.set("token", answer.token);
      return answer;
    });
  }

  /** @param {number} seq @returns {Promise<{messages: object[], earlier: boolean}>} */
  before(seq) {
    return this.#ask(`/api/chat/messages?before=${seq}`, {
      headers: { Authorization: `Bearer ${this.token}` },
    });
  }

  /** @returns {Promise<boolean>} whether the server answers what it answers to every page */
  alive() {
    const asked = fetch(`${this.#server}/widget.js`, { method: "HEAD", cache: "no-store" });
    return asked.then(
      ({ ok }) => ok,
      () => false,
    );
  }

  #init(body) {
    return this.#ask("/api/chat/init", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ site: this.#site, ...body }),
    });
  }

  async #ask(path, options) {
    const response = await fetch(this.#server + path, {
      ...options,
      credentials: "omit",
      signal: AbortSignal.timeout(15_000),
    });
    const answer = await response.json().catch(() => ({}));
    if (!response.ok) throw new Refused(response.status, answer.error);
    return answer;
  }
}
