/**
 * What the widget needs of a WebSocket, over plain HTTP: for networks that let no socket through.
 * Frames go up by requests, one after the other, and come down as events of one long answer.
 */
export class HttpLine {
  /** @type {(() => void) | null} */
  onopen = null;
  /** @type {((event: { data: string }) => void) | null} */
  onmessage = null;
  /** @type {((event: { code: number, reason: string }) => void) | null} */
  onclose = null;
  /** As a WebSocket says it. @type {number} */
  readyState = WebSocket.OPEN;
  #server;
  #over = new AbortController();
  /** @type {any} the `connect` frame: what each request has to say again */
  #hello = {};
  /** @type {object[]} */
  #waiting = [];
  #posting = false;

  /** @param {string} url the socket's */
  constructor(url) {
    this.#server = new URL(url.replace(/^ws/, "http")).origin;
    queueMicrotask(() => this.onopen?.());
  }

  /** @param {string} text a frame */
  send(text) {
    const frame = JSON.parse(text);
    if (frame.type === "connect") {
      this.#hello = frame;
      this.#listen();
    } else {
      this.#waiting.push(frame);
      this.#post();
    }
  }

  close() {
    this.readyState = WebSocket.CLOSED;
    this.#over.abort();
  }

  async #listen() {
    const { rev, epoch, locale } = this.#hello;
    const at = new URLSearchParams(JSON.parse(JSON.stringify({ rev, epoch, locale })));
    try {
      const { body } = await this.#ask(`events?${at}`);
      const reader = body?.pipeThrough(new TextDecoderStream()).getReader();
      for (let rest = "", piece; (piece = await reader?.read()) && !piece.done; ) {
        const events = (rest + piece.value).split("\n\n");
        rest = events.pop() ?? "";
        for (const event of events) this.#event(event);
      }
      this.#lost(1006);
    } catch {
      this.#lost(1006);
    }
  }

  /** @param {string} event */
  #event(event) {
    const data = event.match(/^data: (.*)/m)?.[1];
    if (!data) return; // a sign of life
    if (!event.startsWith("event: close")) return this.onmessage?.({ data });
    const { code, reason } = JSON.parse(data);
    this.#lost(code, reason);
  }

  async #post() {
    if (this.#posting) return;
    this.#posting = true;
    const { page, locale } = this.#hello;
    try {
      while (this.#waiting.length) {
        const frames = this.#waiting.splice(0, 20);
        const response = await this.#ask("frames", {
          method: "POST",
          body: JSON.stringify({ frames, page, locale }),
        });
        const answer = await response.json();
        for (const frame of answer.frames) this.onmessage?.({ data: JSON.stringify(frame) });
        if (answer.close) this.#lost(answer.close.code, answer.close.reason);
      }
    } catch {
      this.#lost(1006);
    }
    this.#posting = false;
  }

  /** @param {string} path @param {RequestInit} [options] */
  async #ask(path, options = {}) {
    const response = await fetch(`${this.#server}/api/chat/${path}`, {
      ...options,
      headers: {
        Authorization: `Bearer ${this.#hello.token}`,
        ...(options.body ? { "Content-Type": "application/json" } : {}),
      },
      credentials: "omit",
      cache: "no-store",
      signal: this.#over.signal,
    });
    if (response.ok) return response;
    const wait = response.headers.get("Retry-After");
    /** @type {Record<number, number>} */
    const known = { 401: 4401, 403: 4403, 429: 4429 };
    this.#lost(known[response.status] ?? 1006, wait ? `retry_after=${wait}` : "");
    throw new Error(`status ${response.status}`);
  }

  /** @param {number} code */
  #lost(code, reason = "") {
    if (this.readyState === WebSocket.CLOSED) return;
    this.close();
    this.onclose?.({ code, reason });
  }
}
