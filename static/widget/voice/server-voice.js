import { ask } from "./ask.js";

const LATE = 20_000; // milliseconds after which a voice that does not come is taken for gone

/** The server's voice: each segment is a sound of its own, that comes while the one before is heard. */
export class ServerVoice {
  #chat;
  /** The first is the next to sound. @type {import("./buttons.js").Players} */
  #players;
  #manner;
  /** By message and number. @type {Record<string, Promise<string>>} */
  #sounds = {};
  /** Of what is said: only once it has its player the other one is free. @type {Promise<string> | undefined} */
  #turn;
  #over = new AbortController();
  #paused = false;
  /** The one that sounds, or rests. @type {HTMLAudioElement | undefined} */
  #now;

  /**
   * @param {import("../own.js").Chat} chat
   * @param {import("./buttons.js").Players} players
   * @param {import("./voice.js").Manner} manner
   */
  constructor(chat, players, manner) {
    this.#chat = chat;
    this.#players = players;
    this.#manner = manner;
  }

  /** @param {import("./speaker.js").Segment} segment */
  async say(segment) {
    const over = this.#over.signal;
    this.#paused = false;
    this.#now = undefined;
    const url = await (this.#turn = this.#sound(segment));
    if (over.aborted) return;
    const [player] = this.#players;
    this.#players.reverse();
    this.#now = player;
    if (player.src !== url) player.src = url;
    await new Promise((end, fail) => {
      player.onended = end;
      player.onerror = () => fail(new Error("unplayable"));
      over.addEventListener("abort", () => (player.onended = player.onerror = null));
      if (!this.#paused) this.resume();
    });
  }

  /** So that one follows on the other without a gap. @param {import("./speaker.js").Segment} segment */
  ready(segment) {
    const over = this.#over.signal;
    Promise.all([this.#sound(segment), this.#turn]).then(
      ([url]) => {
        const [next] = this.#players;
        if (!over.aborted && next.paused) next.src = url;
      },
      () => {}, // said when it is its turn
    );
  }

  pause() {
    this.#paused = true; // also what is on its way
    this.#now?.pause();
  }

  resume() {
    const player = this.#now;
    this.#paused = false;
    if (!player) return;
    const { rate, volume, muted } = this.#manner;
    Object.assign(player, { defaultPlaybackRate: rate, playbackRate: rate, volume, muted });
    // A play that a pause came in between of has not failed.
    if (player.paused) player.play().catch((error) => error.name !== "AbortError" && player.onerror?.(error));
  }

  stop() {
    this.#over.abort();
    this.#now = undefined;
    this.#over = new AbortController();
    for (const player of this.#players) player.pause();
    for (const sound of Object.values(this.#sounds)) sound.then(URL.revokeObjectURL, () => {});
    this.#sounds = {};
  }

  /** @param {import("./speaker.js").Segment} segment @returns {Promise<string>} its address on this page */
  #sound({ message, n }) {
    const key = `${message}/${n}`;
    return (this.#sounds[key] ??= this.#fetched(key));
  }

  /** @param {string} key */
  async #fetched(key) {
    const [response, { streamed }] = await Promise.all([
      // Here and not in a line before: what packs the scripts would turn the two around.
      ask(this.#chat, key, { signal: AbortSignal.any([this.#over.signal, AbortSignal.timeout(LATE)]) }),
      import("./stream.js"),
    ]);
    return streamed(response);
  }
}
