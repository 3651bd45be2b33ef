import { extras } from "./later.js";

const ANSWER = 10_000; // a server that says nothing for so long is taken for gone
const STEADY = 10_000; // a line that held for so long starts the next wait from the beginning

/** @typedef {ReturnType<typeof setTimeout> | undefined} Timer */

/**
 * Full jitter: anything up to half a second, doubled at each attempt, at most 30 s.
 * @param {number} attempt
 */
export function backoff(attempt) {
  return Math.random() * Math.min(30_000, 500 * 2 ** attempt);
}

/**
 * Waits, but not past the moment the device comes back online.
 * @param {number} delay
 * @param {AbortSignal} signal
 * @returns {Promise<void>}
 */
export function pause(delay, signal) {
  return new Promise((resolve) => {
    const timer = setTimeout(done, delay);
    function done() {
      clearTimeout(timer);
      removeEventListener("online", done);
      resolve();
    }
    addEventListener("online", done, { signal });
    signal.addEventListener("abort", done, { once: true });
  });
}

/**
 * @typedef {object} Handlers
 * @property {() => object} hello the fields of the `connect` frame
 * @property {() => object} position the fields of a `status` question
 * @property {(frame: any) => void} frame
 * @property {(up: boolean) => void} line
 * @property {(code: 4401 | 4403 | 4409) => void} refused the server wants no such socket
 */

/** One socket that stays: says hello, asks for a sign of life, comes back after every loss. */
export class Connection {
  /** A WebSocket; over plain HTTP where two in a row did not open. @type {any} */
  #kind = WebSocket;
  /** @type {WebSocket | null} */
  #socket = null;
  #opened = false;
  #shut = 0;
  #url = "";
  #heartbeat = 20_000;
  #handlers;
  #wanted = false;
  #ready = false;
  #attempt = 0;
  #since = 0;
  #notBefore = 0;
  /** @type {Timer} */
  #retry;
  /** @type {Timer} */
  #answer;
  /** @type {Timer} */
  #beat;

  /** @param {Handlers} handlers @param {AbortSignal} [signal] */
  constructor(handlers, signal) {
    this.#handlers = handlers;
    const wake = () => document.visibilityState === "visible" && this.#wake();
    addEventListener("online", wake, { signal });
    addEventListener("pageshow", wake, { signal });
    // A line that went silently would be noticed at the next heartbeat only.
    addEventListener("offline", () => this.#ready && this.#lost(0, ""), { signal });
    addEventListener("pagehide", () => this.#drop(), { signal }); // else no back-forward cache
    document.addEventListener("visibilitychange", wake, { signal });
    signal?.addEventListener("abort", () => this.stop());
  }

  /** @param {string} url @param {number} heartbeat in seconds */
  start(url, heartbeat) {
    this.#url = url;
    this.#heartbeat = heartbeat * 1000;
    this.#wanted = true;
    this.#connect();
  }

  stop() {
    this.#wanted = false;
    clearTimeout(this.#retry);
    this.#drop();
  }

  /** @param {object} frame @returns {boolean} whether it went out */
  send(frame) {
    if (!this.#ready || this.#socket?.readyState !== WebSocket.OPEN) return false;
    this.#socket.send(JSON.stringify(frame));
    return true;
  }

  /** Asks what was missed. */
  ask() {
    if (this.send({ type: "status", ...this.#handlers.position() })) this.#expect();
  }

  #connect() {
    this.#drop();
    this.#retry = undefined;
    this.#opened = false;
    let socket;
    try {
      socket = new this.#kind(this.#url);
    } catch {
      return this.#lost(0, ""); // the host page's policy forbids it
    }
    this.#socket = socket;
    this.#expect();
    socket.onopen = () => {
      this.#opened = true;
      this.#answered();
      this.#expect();
      socket.send(JSON.stringify({ type: "connect", v: 1, ...this.#handlers.hello() }));
    };
    socket.onmessage = (/** @type {MessageEvent} */ { data }) => this.#receive(data);
    socket.onclose = (/** @type {CloseEvent} */ { code, reason }) => this.#lost(code, reason);
  }

  /** @param {string} data */
  #receive(data) {
    const frame = JSON.parse(data);
    const first = frame.type === "status" && !this.#ready;
    if (frame.type === "status") this.#answered();
    if (first) {
      this.#ready = true;
      this.#since = performance.now();
      this.#beat = setInterval(() => this.ask(), this.#heartbeat);
    }
    this.#handlers.frame(frame);
    if (first) this.#handlers.line(true);
  }

  /** @param {number} code @param {string} reason */
  #lost(code, reason) {
    if (this.#ready && performance.now() - this.#since > STEADY) this.#attempt = 0;
    if (!this.#ready) this.#change();
    this.#drop();
    if (code === 4401 || code === 4403 || code === 4409) {
      this.#wanted = false;
      return this.#handlers.refused(code);
    }
    this.#again(this.#delay(code, reason));
  }

  /** A proxy may let no WebSocket through; or the server is away, and plain HTTP fails as well. */
  #change() {
    if (this.#socket && !(this.#socket instanceof WebSocket)) this.#kind = WebSocket;
    else if (!this.#opened && ++this.#shut % 2 === 0) {
      extras().then(({ HttpLine }) => (this.#kind = HttpLine));
    }
  }

  /** @param {number} code @param {string} reason */
  #delay(code, reason) {
    if (code === 1012) return Math.random() * 5000;
    if (code === 4429) {
      const delay = (Number(reason.match(/[\d.]+/)?.[0]) || 30) * 1000;
      this.#notBefore = performance.now() + delay;
      return delay + backoff(0);
    }
    if (code === 4400) this.#attempt = Math.max(this.#attempt, 6); // our fault: no hurry
    return backoff(this.#attempt++);
  }

  /** @param {number} delay */
  #again(delay) {
    clearTimeout(this.#retry);
    if (this.#wanted) this.#retry = setTimeout(() => this.#connect(), delay);
  }

  /** The device is back: no more waiting, and a line that looks alive has to prove it. */
  #wake() {
    if (!this.#wanted) return;
    if (this.#ready) this.ask();
    else if ((this.#retry || !this.#socket) && performance.now() > this.#notBefore) {
      clearTimeout(this.#retry);
      this.#connect();
    }
  }

  #expect() {
    this.#answer ||= setTimeout(() => this.#lost(0, ""), ANSWER);
  }

  #answered() {
    clearTimeout(this.#answer);
    this.#answer = undefined;
  }

  /** Lets go of the socket; what it still says is not heard. */
  #drop() {
    const socket = this.#socket;
    const was = this.#ready;
    this.#socket = null;
    this.#ready = false;
    clearInterval(this.#beat);
    this.#answered();
    if (socket) {
      socket.onopen = socket.onmessage = socket.onclose = null;
      socket.close();
    }
    if (was) this.#handlers.line(false);
  }
}
