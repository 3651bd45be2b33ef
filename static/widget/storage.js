/** What the widget keeps in the browser, as JSON under one prefix; in memory where that is refused. */
export class Store {
  #memory = new Map();
  #prefix;

  /** @param {string} site the public key of the site */
  constructor(site) {
    this.#prefix = `sales-chat:${site}:`;
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
    try {
      if (navigator.locks) return await navigator.locks.request(this.key(name), work);
    } catch (error) {
      // Locks are refused where storage is; what `work` itself threw is not ours to hide.
      if (/** @type {Error} */ (error).name !== "SecurityError") throw error;
    }
    return work();
  }
}

/** @returns {string} a version 4 UUID, also on pages without HTTPS */
export function uuid() {
  if (crypto.randomUUID) return crypto.randomUUID();
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 15) | 64;
  bytes[8] = (bytes[8] & 63) | 128;
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return hex.replace(/(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
}
