/** What the widget keeps in the browser, as JSON under one prefix; or in memory, if it must. */
export class Store {
  /** @type {Map<string, any>} */
  #memory = new Map();
  #prefix;

  /** @param {string} site the public key of the site */
  constructor(site) {
    this.#prefix = `sales-chat:${site}:`;
  }

  /** False: the browser is blocked or full, and some of this ends with the page. */
  get kept() {
    return !this.#memory.size;
  }

  /** @param {string} name @returns {any} the kept value, or null */
  get(name) {
    const key = this.key(name);
    if (this.#memory.has(key)) return this.#memory.get(key);
    try {
      return JSON.parse(localStorage.getItem(key) ?? "null");
    } catch {
      return null;
    }
  }

  /** @param {string} name @param {any} value null removes it */
  set(name, value) {
    const key = this.key(name);
    try {
      if (value === null) localStorage.removeItem(key);
      else localStorage.setItem(key, JSON.stringify(value));
      this.#memory.delete(key);
    } catch {
      this.#memory.set(key, value); // blocked or full: this page remembers it
    }
  }

  /** @param {string} start @returns {string[]} the names of what is kept that begin so */
  names(start) {
    const keys = [...this.#memory.keys()];
    try {
      keys.push(...Object.keys(localStorage));
    } catch {
      // blocked
    }
    const ours = keys.filter((key) => key.startsWith(this.key(start)));
    return [...new Set(ours)].map((key) => key.slice(this.#prefix.length));
  }

  /**
   * Tells when another tab has changed what begins with this name.
   * @param {string} start
   * @param {() => void} changed
   * @param {AbortSignal} [signal]
   */
  follow(start, changed, signal) {
    const follow = (/** @type {StorageEvent} */ { key }) => {
      if (key === null || key.startsWith(this.key(start))) changed();
    };
    addEventListener("storage", follow, { signal });
  }

  /** @param {string} name @returns {string} the whole key, as `storage` events and locks name it */
  key(name) {
    return this.#prefix + name;
  }

  /**
   * Runs `work` while no other tab runs theirs of the same name.
   * @template T
   * @param {string} name
   * @param {() => Promise<T> | T} work
   * @returns {Promise<T>}
   */
  async alone(name, work) {
    let begun = false;
    try {
      return await navigator.locks.request(this.key(name), () => {
        begun = true;
        return work();
      });
    } catch (error) {
      // No locks without HTTPS, and none where storage is blocked; what `work` threw is not ours.
      if (begun) throw error;
    }
    return work();
  }
}

/** @returns {string} a version 4 UUID, also on pages without HTTPS */
export function uuid() {
  const digit = () => (crypto.getRandomValues(new Uint8Array(1))[0] % 16).toString(16);
  return crypto.randomUUID?.() ?? "00000000-0000-4000-a000-000000000000".replace(/0/g, digit);
}
