// The line to the server of a page of the desk: one socket, opened again when it breaks.
// What stands on it is in docs/desk.md.
(() => {
  const FINAL = [4401, 4403]; // logged out, or no page of ours
  const ERASED = 4409;
  const MOST = 30_000; // milliseconds between two tries

  /** Events: `frame` (detail: what came down), `open`, `lost`, `ended` (detail: the code). */
  class DeskLine extends EventTarget {
    /** @type {WebSocket | undefined} */
    #socket;
    #tries = 0;
    #ready = false;
    #heartbeat = 0;
    #retry = 0;
    /** What pages say of news, by kind. @type {Record<string, string>} */
    words = {};
    /** What the page tells with each heartbeat. */
    rev = 0;

    start() {
      this.#open();
      const again = () => {
        if (!document.hidden && !this.#socket) this.#open();
      };
      for (const name of ["online", "pageshow"]) window.addEventListener(name, again);
      document.addEventListener("visibilitychange", again);
    }

    /** @param {object} frame @returns {boolean} whether there is a line */
    send(frame) {
      if (!this.#ready) return false;
      this.#socket?.send(JSON.stringify(frame));
      return true;
    }

    #open() {
      clearTimeout(this.#retry);
      const address = new URL("/staff/socket", location.href);
      address.protocol = address.protocol.replace("http", "ws");
      const socket = new WebSocket(address);
      this.#socket = socket;
      socket.onmessage = ({ data }) => this.#take(JSON.parse(data));
      socket.onclose = ({ code }) => this.#closed(code);
    }

    /** @param {any} frame */
    #take(frame) {
      if (frame.type === "ready") {
        this.#ready = true;
        this.words = frame.words;
        this.#tries = 0;
        clearInterval(this.#heartbeat);
        const beat = () => this.send({ type: "status", rev: this.rev });
        this.#heartbeat = setInterval(beat, frame.heartbeat * 1000);
        this.dispatchEvent(new CustomEvent("open"));
      }
      this.dispatchEvent(new CustomEvent("frame", { detail: frame }));
    }

    /** @param {number} code */
    #closed(code) {
      this.#socket = undefined;
      this.#ready = false;
      clearInterval(this.#heartbeat);
      if (FINAL.includes(code) || code === ERASED) {
        this.dispatchEvent(new CustomEvent("ended", { detail: code }));
        return;
      }
      this.dispatchEvent(new CustomEvent("lost"));
      const wait = Math.random() * Math.min(MOST, 500 * 2 ** this.#tries++);
      this.#retry = setTimeout(() => this.#open(), wait);
    }
  }

  const line = new DeskLine();
  Object.assign(window, { deskLine: line });
  // After the page's own script, which listens; the login page has no navigation, and no line.
  document.addEventListener("DOMContentLoaded", () => {
    if (document.querySelector("#nav-sidebar")) line.start();
  });
})();
