import { backoff, pause } from "./connection.js";

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

/**
 * Who the visitor is by the word of the host page; its server signed this.
 * @typedef {{id: string, email?: string, name?: string, hash: string}} Identity
 */

/**
 * @typedef {object} Site what a company has set
 * @property {string} name
 * @property {{name: string, avatar: string}} agent
 * @property {string} greeting
 * @property {string[]} suggestions
 * @property {{accent?: string, side?: string, radius?: number, scheme?: string}} theme
 * @property {{title?: string, subtitle?: string, placeholder?: string, hint?: string}} [texts]
 * @property {string} locale
 * @property {{kind: string, text: string, link?: string, version: string, accepted: boolean} | null} [consent]
 */

/**
 * @typedef {object} Opening what `init` answers
 * @property {string} token
 * @property {import("./transcript.js").Known} conversation
 * @property {import("./transcript.js").Message[]} messages
 * @property {boolean} earlier
 * @property {Site} site
 * @property {{input: string, output: string}} voice each "server", "browser" or "off"
 * @property {{text: number, frame: number}} limits
 * @property {string} socket
 * @property {number} heartbeat
 */

/** The visitor's token, and the questions that are asked over HTTP. */
export class Session {
  server;
  #site;
  #store;
  /** @type {string | null} */
  #used = null;
  /** Undefined: the host page has said nothing; null: nobody. @type {Identity | null | undefined} */
  #identity;
  /** The hash of an identity that the server refused. */
  #wrong = "";

  /** @param {string} site @param {string} server @param {import("./storage.js").Store} store */
  constructor(site, server, store) {
    this.#site = site;
    this.server = server;
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

  /**
   * @param {Identity | null} identity
   * @returns {boolean} whether the kept token is of somebody else, and now gone
   */
  identify(identity) {
    const same = identity && identity.id === this.#identity?.id;
    if (same && this.#store.get("identity")) this.#store.set("identity", identity.hash);
    this.#identity = identity;
    return this.#part();
  }

  /**
   * Opens the chat, or takes it up again. Tabs do this one after the other and share the visitor.
   * @returns {Promise<Opening>}
   */
  open() {
    return this.#store.alone("init", async () => {
      for (;;) {
        this.#part();
        const identity = this.#identity;
        const answer = await this.#enter(identity);
        // It was said meanwhile; or what another tab has written came later than this one's turn.
        if (identity !== this.#identity || (!this.#used && this.token)) continue;
        this.#store.set("token", answer.token);
        if (identity && identity.hash !== this.#wrong) this.#store.set("identity", identity.hash);
        return answer;
      }
    });
  }

  /**
   * Opens the chat however long it takes.
   * @param {AbortSignal} signal
   * @param {() => boolean} over nobody wants it any more
   * @returns {Promise<Opening | undefined>} nothing if the server does not want this site or page
   */
  async reach(signal, over) {
    for (let attempt = 0, shut = 0; !over(); attempt++) {
      try {
        return await this.open();
      } catch (error) {
        const { final, wait } = /** @type {Refused} */ (error);
        // A refused origin looks like a dead line, but for the loader that comes all the same.
        shut = error instanceof TypeError && (await this.alive()) ? shut + 1 : 0;
        if (final || shut > 1) return;
        await pause(wait ? wait * 1000 : backoff(attempt), signal);
      }
    }
  }

  /** What the server may know of the page. */
  facts() {
    const { href: url } = location;
    const page = { url, title: document.title, referrer: document.referrer };
    return { page, locale: navigator.language };
  }

  /** @param {number} seq @returns {Promise<Pick<Opening, "messages" | "earlier">>} */
  before(seq) {
    return this.#ask(`/api/chat/messages?before=${seq}`, {
      headers: { Authorization: `Bearer ${this.token}` },
    });
  }

  /** @returns {Promise<boolean>} whether the server answers what it answers to every page */
  alive() {
    const asked = fetch(`${this.server}/widget.js`, { method: "HEAD", cache: "no-store" });
    return asked.then(
      ({ ok }) => ok,
      () => false,
    );
  }

  /** Lets go of a token that says it is somebody else's; only a hash is kept to know it by. */
  #part() {
    const known = this.#store.get("identity");
    const other = this.#identity !== undefined && known && known !== this.#identity?.hash;
    if (other) {
      this.#store.set("token", null);
      this.#clear();
    }
    return Boolean(other);
  }

  /**
   * The visitor was erased: so is what is kept here, unless another tab has begun anew. The token
   * goes when the server refuses it: by then whatever another tab has written is here.
   */
  erased() {
    if (this.#store.get("token") === this.#used) this.#clear();
  }

  #clear() {
    for (const name of ["identity", "seen", "draft", "consent"]) this.#store.set(name, null);
  }

  /**
   * Asks once more without the token, or the identity, that the server does not take.
   * @param {Identity | null | undefined} identity
   * @returns {Promise<Opening>}
   */
  async #enter(identity) {
    const known = identity && identity.hash !== this.#wrong ? identity : undefined;
    try {
      return await this.#init({ ...this.facts(), token: this.token ?? undefined, identity: known });
    } catch (error) {
      const { code } = /** @type {Refused} */ (error);
      if (code === "bad_token" && this.#used) this.forget();
      else if (code === "bad_identity" && known) {
        console.warn("Sales chat: this identity is refused.");
        this.#wrong = known.hash;
      } else throw error;
      return this.#enter(identity);
    }
  }

  /** @param {object} body */
  #init(body) {
    return this.#ask("/api/chat/init", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ site: this.#site, ...body }),
    });
  }

  /** @param {string} path @param {RequestInit} options @returns {Promise<any>} */
  async #ask(path, options) {
    const response = await fetch(this.server + path, {
      ...options,
      credentials: "omit",
      signal: AbortSignal.timeout(15_000),
    });
    const answer = await response.json().catch(() => ({}));
    if (!response.ok) throw new Refused(response.status, answer.error);
    return answer;
  }
}
