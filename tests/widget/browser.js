/** What the modules under test find around them in a browser, made of plain objects. */

import { webcrypto } from "node:crypto";
import { Store } from "../../static/widget/storage.js";

globalThis.crypto ??= webcrypto; // Node 18 has it under another name
const immediate = setImmediate;

/** Lets every promise that can go on go on. */
export const settle = () => new Promise((done) => immediate(done));

/** Numbers that look random and are the same every time. */
export function dice(seed) {
  const next = () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let bits = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    bits = (bits + Math.imul(bits ^ (bits >>> 7), 61 | bits)) ^ bits;
    return ((bits ^ (bits >>> 14)) >>> 0) / 2 ** 32;
  };
  const below = (limit) => Math.floor(next() * limit);
  return { next, below, chance: (part) => next() < part, one: (list) => list[below(list.length)] };
}

/** Time of the test's own: it passes by `pass`, and the visitor may set the `wall` clock. */
export class Clock {
  wall = Date.UTC(2026, 5, 1, 12);
  #steady = 1000;
  #timers = new Map();
  #count = 0;

  install() {
    const { setTimeout, clearTimeout } = globalThis;
    const { now } = Date;
    const { performance } = globalThis;
    globalThis.setTimeout = (work, delay = 0) => {
      this.#timers.set(++this.#count, { work, at: this.#steady + delay });
      return this.#count;
    };
    globalThis.clearTimeout = (timer) => this.#timers.delete(timer);
    Date.now = () => this.wall;
    globalThis.performance = { now: () => this.#steady };
    return () => {
      Object.assign(globalThis, { setTimeout, clearTimeout, performance });
      Date.now = now;
    };
  }

  /** Whether anything is still to come. */
  get busy() {
    return this.#timers.size > 0;
  }

  async pass(seconds) {
    const end = this.#steady + seconds * 1000;
    for (;;) {
      await settle();
      const next = [...this.#timers].filter(([, { at }]) => at <= end);
      if (!next.length) break;
      const [timer, { work, at }] = next.reduce((a, b) => (b[1].at < a[1].at ? b : a));
      this.#timers.delete(timer);
      this.#go(Math.max(at, this.#steady));
      work();
    }
    this.#go(end);
    await settle();
  }

  #go(to) {
    this.wall += to - this.#steady;
    this.#steady = to;
  }
}

/**
 * One browser with tabs that share storage and locks. What a tab writes the others see when it is
 * delivered to them, as in a browser that gives each tab a process of its own.
 */
export class Browser {
  /** Set to a name of an error: every write fails with it. */
  refuses = "";
  /** Neither storage nor locks are to be had. */
  blocked = false;
  /** What one tab writes the others see at once, and not when the test says so. */
  prompt = true;
  #log = [];
  #tabs = [];
  #queues = new Map();

  tab() {
    const tab = { values: this.#written(), seen: this.#log.length };
    tab.events = new EventTarget();
    this.#tabs.push(tab);
    tab.store = this.#store(tab);
    return tab;
  }

  /** The tab is no more: nothing reaches it. */
  close(tab) {
    this.#tabs.splice(this.#tabs.indexOf(tab), 1);
  }

  /** Lets `tab` see the next thing another has written. */
  deliver(tab) {
    const change = this.#log[tab.seen];
    if (!change) return false;
    tab.seen++;
    const own = this.#log.slice(tab.seen).filter(({ from }) => from === tab);
    if (change.from === tab || own.some(({ key }) => key === change.key)) return true;
    write(tab, change);
    tab.events.dispatchEvent(Object.assign(new Event("storage"), { key: change.key }));
    return true;
  }

  /** Lets every tab see everything. */
  sync() {
    for (const tab of [...this.#tabs]) while (this.deliver(tab));
  }

  #written() {
    const values = new Map();
    for (const change of this.#log) write({ values }, change);
    return values;
  }

  /** The product's own `Store`, with this tab's browser around each of its calls. */
  #store(tab) {
    const store = new Store("demo");
    const within = (name) => {
      this.#enter(tab);
      return store[name];
    };
    return new Proxy(store, {
      get: (_, name) => {
        if (typeof within(name) !== "function") return within(name);
        return (...given) => within(name).apply(store, given);
      },
    });
  }

  #enter(tab) {
    const put = (key, value) => {
      if (this.refuses) throw new DOMException("no", this.refuses);
      const change = { from: tab, key, value };
      write(tab, change);
      this.#log.push(change);
      if (this.prompt) queueMicrotask(() => this.sync());
    };
    const methods = {
      getItem: (key) => tab.values.get(key) ?? null,
      setItem: (key, value) => put(key, String(value)),
      removeItem: (key) => tab.values.has(key) && put(key, null),
    };
    const get = () => {
      if (this.blocked) throw new DOMException("blocked", "SecurityError");
      return Object.assign(Object.create(methods), Object.fromEntries(tab.values));
    };
    Object.defineProperty(globalThis, "localStorage", { get, configurable: true });
    const locks = { request: (name, work) => this.#lock(name, work) };
    Object.defineProperty(globalThis, "navigator", { value: { locks }, configurable: true });
    for (const name of ["addEventListener", "removeEventListener"]) {
      globalThis[name] = tab.events[name].bind(tab.events);
    }
  }

  #lock(name, work) {
    if (this.blocked) return Promise.reject(new DOMException("blocked", "SecurityError"));
    const turn = (this.#queues.get(name) ?? Promise.resolve()).then(() => work());
    this.#queues.set(name, turn.catch(() => {}));
    return turn;
  }
}

function write({ values }, { key, value }) {
  if (value === null) values.delete(key);
  else values.set(key, value);
}
