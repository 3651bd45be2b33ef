import assert from "node:assert/strict";
import { beforeEach, describe, test } from "node:test";
import { Transcript } from "../../static/widget/transcript.js";
import { dice } from "./browser.js";

const known = (rev, id = "c") => ({ id, epoch: 1, rev, state: "open" });
const message = (seq, rev, more = {}) => {
  const attempt = { text: "", state: "complete", attempt: 1 };
  return { id: `m${seq}`, seq, rev, role: "agent", ...attempt, ...more };
};
const stored = (...given) => ({ type: "message", message: message(...given) });
const growing = (seq, rev, text = "", attempt = 1) =>
  stored(seq, rev, { state: "streaming", text, attempt });
const delta = (off, text, attempt = 1) => ({ type: "delta", message: "m1", attempt, off, text });
const status = (rev, messages, { id, ...more } = {}) => {
  const rest = { open: null, full: false, more: false, ...more };
  return { type: "status", state: "ready", messages, conversation: known(rev, id), ...rest };
};

/** @type {Transcript} */
let transcript;
const take = (...frames) => frames.map((frame) => transcript.apply(frame)).at(-1);
const texts = () => transcript.all().map(({ text }) => text);

beforeEach(() => {
  transcript = new Transcript();
  transcript.load({ conversation: known(0), messages: [], earlier: false });
});

describe("deltas", () => {
  test("are joined", () => {
    take(growing(1, 1), delta(0, "one "), delta(4, "two"));
    assert.deepEqual(texts(), ["one two"]);
  });

  test("count as JavaScript does", () => {
    take(growing(1, 1), delta(0, "🚲"), delta(2, "!"));
    assert.deepEqual(texts(), ["🚲!"]);
  });

  test("lose their overlap", () => {
    take(growing(1, 1), delta(0, "one two"), delta(4, "two six"), delta(0, "one"));
    assert.deepEqual(texts(), ["one two six"]);
  });

  test("ask after a gap, and show nothing of it", () => {
    assert.equal(take(growing(1, 1), delta(3, "two")), true);
    assert.deepEqual(texts(), [""]);
  });

  test("ask where the reply is unknown", () => assert.equal(take(delta(0, "one")), true));

  test("begin anew with a higher attempt", () => {
    take(growing(1, 1), delta(0, "old"), delta(0, "new", 2));
    assert.deepEqual(texts(), ["new"]);
  });

  test("are ignored with a lower attempt", () => {
    assert.equal(take(growing(1, 2, "", 2), delta(0, "old", 1)), false);
    assert.deepEqual(texts(), [""]);
  });

  test("are ignored after the end", () => {
    take(growing(1, 1), stored(1, 2, { text: "whole" }), delta(5, " more"));
    assert.deepEqual(texts(), ["whole"]);
  });
});

describe("messages", () => {
  test("of a lower rev are ignored", () => {
    take(stored(1, 1, { text: "new" }), stored(1, 0, { text: "old" }));
    assert.deepEqual(texts(), ["new"]);
  });

  test("that skip a rev ask, and keep their place", () => {
    assert.equal(take(growing(1, 3)), true);
    assert.equal(transcript.rev, 0);
  });

  test("stand in order of seq, however they come", () => {
    take(...[3, 1, 2].map((seq) => stored(seq, seq, { text: `t${seq}` })));
    assert.deepEqual(texts(), ["t1", "t2", "t3"]);
  });

  test("without words are not shown, unless they failed", () => {
    take(stored(1, 1, { state: "interrupted" }), stored(2, 2, { state: "failed" }));
    assert.deepEqual(transcript.visible().map(({ id }) => id), ["m2"]);
  });

  test("of an ended conversation stay out", () => {
    assert.equal(take({ ...stored(1, 1), conversation: "ended" }), false);
    assert.deepEqual(transcript.all(), []);
  });

  test("of the visitor are known by the id the client gave", () => {
    take(stored(1, 1, { role: "visitor", client_id: "x" }));
    assert.deepEqual([transcript.holds("x"), transcript.holds("y")], [true, false]);
  });

  test("that are older come in above", () => {
    take(status(9, [message(8, 8, { text: "b" }), message(9, 9, { text: "c" })]));
    transcript.prepend({ messages: [message(7, 7, { text: "a" })], earlier: true });
    assert.deepEqual([texts(), transcript.earlier, transcript.rev], [["a", "b", "c"], true, 9]);
  });
});

describe("a status", () => {
  test("never shortens the open reply", () => {
    const shorter = status(1, [], { open: { message: growing(1, 1, "one").message, off: 3 } });
    take(growing(1, 1), delta(0, "one two"), shorter);
    assert.deepEqual(texts(), ["one two"]);
  });

  test("never reopens a reply that has ended", () => {
    const late = status(2, [], { open: { message: growing(1, 2, "who").message, off: 3 } });
    take(growing(1, 1), stored(1, 2, { text: "whole" }), late);
    assert.deepEqual([texts(), transcript.open()], [["whole"], undefined]);
  });

  test("that is full forgets", () => {
    const again = status(1, [message(1, 1, { text: "new" })], { full: true, id: "d" });
    take(growing(1, 1), delta(0, "old"), again);
    assert.deepEqual(texts(), ["new"]);
  });

  test("that has more is asked again from where it ended", () => {
    assert.equal(take(status(9, [message(1, 1), message(2, 2)], { more: true })), true);
    assert.equal(transcript.rev, 2);
  });

  test("that ran ahead asks once", () => {
    assert.deepEqual([take(status(5, [])), take(status(5, [])), transcript.rev], [true, false, 5]);
  });
});

describe("the typing sign", () => {
  test("is of the other side only", () => {
    take({ type: "typing", role: "visitor", on: true });
    assert.equal(transcript.typing, null);
  });

  test("ends after a minute of the clock it was given", () => {
    transcript.apply({ type: "typing", role: "agent", on: true, stage: "reading" }, 1000);
    assert.deepEqual(transcript.typing, { role: "agent", stage: "reading", until: 61_000 });
    transcript.apply({ type: "typing", role: "agent", on: false });
    assert.equal(transcript.typing, null);
  });

  test("does not care what the visitor's clock says", () => {
    const { now } = Date;
    Date.now = () => now() + 86_400_000;
    take({ type: "typing", role: "agent", on: true });
    Date.now = now;
    assert.ok(transcript.typing.until - performance.now() <= 60_000);
  });
});

test("what a newer server says is ignored", () => {
  assert.equal(take({ type: "rainbow", message: "m1" }), false);
});

// --- A server that lives, and a client that hears what the line lets through ------------------

const WORDS = ["one ", "two ", "🚲 ", "drei ", "été ", "six "];

/** The conversation as it is stored, and the frames that tell of it. */
class Server {
  id = "c1";
  rev = 0;
  messages = [];
  /** What each attempt of each reply says in the end; what is shown must be a prefix of that. */
  whole = new Map();
  frames = [];

  constructor(rolls) {
    this.rolls = rolls;
  }

  get open() {
    return this.messages.find(({ state }) => state === "streaming");
  }

  act() {
    const writing = ["grow", "grow", "grow", "end", "fail", "takeover", "ask"];
    this[this.rolls.one(this.open ? writing : ["ask", "rate", "again"])]();
  }

  #change(message, changes) {
    Object.assign(message, changes, { rev: ++this.rev });
    const { whole, ...shape } = message;
    this.frames.push({ type: "message", message: shape });
  }

  #add(changes) {
    const seq = this.messages.length + 1;
    const message = { id: `${this.id}-${seq}`, seq };
    this.messages.push(message);
    this.#change(message, changes);
    return message;
  }

  ask() {
    if (this.open) this.end("interrupted");
    const client = { client_id: `${this.id}-q${this.rev}` };
    this.#add({ role: "visitor", text: "?", state: "complete", ...client });
    this.#begin(this.#add({ role: "agent", text: "", state: "streaming", attempt: 1 }));
  }

  #begin(reply) {
    const count = 1 + this.rolls.below(6);
    reply.whole = Array.from({ length: count }, () => this.rolls.one(WORDS)).join("");
    this.whole.set(`${reply.id}/${reply.attempt}`, reply.whole);
  }

  grow() {
    const { open } = this;
    const rest = open.whole.slice(open.text.length);
    const text = rest.slice(0, rest.indexOf(" ") + 1);
    if (!text) return this.end();
    const off = open.text.length;
    this.frames.push({ type: "delta", message: open.id, attempt: open.attempt, off, text });
    open.text += text;
  }

  end(state = "complete") {
    this.#change(this.open, { state });
  }

  fail() {
    this.#change(this.open, { state: "failed", error: { code: "try_again", message: "Sorry." } });
  }

  /** Another process takes over, or the visitor wants another answer. */
  takeover(reply = this.open) {
    this.#change(reply, { state: "streaming", text: "", attempt: reply.attempt + 1 });
    this.#begin(reply);
  }

  rate() {
    const [last] = this.messages.filter(({ role }) => role === "agent").slice(-1);
    if (last) this.#change(last, { feedback: this.rolls.one([1, -1]) });
  }

  again() {
    const last = this.messages.at(-1);
    if (last?.role === "agent") this.takeover(last);
  }

  restart() {
    if (this.open) this.end("interrupted");
    Object.assign(this, { id: `c${Number(this.id.slice(1)) + 1}`, rev: 0, messages: [] });
    this.frames.push(this.answer({ rev: 0, conversation: "" }));
  }

  /** What `status` answers, in pages of a few messages. */
  answer({ rev, conversation }) {
    const full = conversation !== this.id || rev > this.rev;
    const shapes = this.messages.map(({ whole, ...shape }) => shape);
    const above = full ? 0 : rev;
    const news = shapes.filter((shape) => shape.rev > above).sort((a, b) => a.rev - b.rev);
    const { open } = this;
    const opened = open && shapes.find(({ id }) => id === open.id);
    return {
      type: "status",
      state: "ready",
      conversation: { id: this.id, epoch: 1, rev: this.rev, state: "open" },
      messages: news.slice(0, 4).map((shape) => ({ ...shape })),
      open: opened ? { message: { ...opened }, off: opened.text.length } : null,
      full,
      more: news.length > 4,
    };
  }

  truth() {
    return this.messages.map(({ whole, ...shape }) => shape);
  }
}

/** Checks at every frame what a visitor would notice. */
class Reader {
  transcript = new Transcript();
  #before = new Map();

  constructor(server) {
    this.server = server;
    const conversation = { id: server.id, epoch: 1, rev: 0, state: "open" };
    this.transcript.load({ conversation, messages: [], earlier: false });
  }

  /** Takes a frame as the wire would bring it. @returns whether it wants to ask */
  take(frame) {
    const ask = this.transcript.apply(structuredClone(frame));
    const all = this.transcript.all();
    assert.equal(new Set(all.map(({ seq }) => seq)).size, all.length, "a seq twice");
    for (const message of all) this.#look(message);
    return ask;
  }

  #look({ id, role, attempt, text, rev }) {
    if (role !== "agent") return;
    const whole = this.server.whole.get(`${id}/${attempt}`);
    assert.ok(whole.startsWith(text), `“${text}” is no beginning of “${whole}”`);
    const before = this.#before.get(id);
    if (before) {
      assert.ok(attempt >= before.attempt, "an attempt came back");
      assert.ok(rev >= before.rev, "an older change came back");
      const shorter = attempt === before.attempt && text.length < before.text.length;
      assert.ok(!shorter, "words were taken away");
    }
    this.#before.set(id, { attempt, text, rev });
  }

  /** Asks until there is nothing more to be asked, as a heartbeat does. */
  catchUp() {
    let rounds = 0;
    while (this.take(this.server.answer(this.transcript.position()))) {
      assert.ok(++rounds < 50, "it asks for ever");
    }
  }

  agrees(seed) {
    assert.deepEqual(this.transcript.all(), this.server.truth(), `seed ${seed}`);
    assert.equal(this.transcript.rev, this.server.rev, `seed ${seed}`);
  }
}

const SEEDS = Array.from({ length: 300 }, (_, index) => index + 1);

test("a client that hears all knows all, and never has to ask", () => {
  for (const seed of SEEDS) {
    const server = new Server(dice(seed));
    const reader = new Reader(server);
    for (let step = 0; step < 60; step++) server.act();
    for (const frame of server.frames) assert.equal(reader.take(frame), false, `seed ${seed}`);
    reader.agrees(seed);
  }
});

test("lost, doubled and swapped frames are made good by one question", () => {
  for (const seed of SEEDS) {
    const rolls = dice(seed);
    const server = new Server(rolls);
    const reader = new Reader(server);
    for (let step = 0; step < 60; step++) {
      server.act();
      const frames = server.frames.splice(0).filter(() => rolls.chance(0.8));
      if (rolls.chance(0.3)) frames.reverse();
      if (rolls.chance(0.2)) frames.push(...frames);
      for (const frame of frames) if (reader.take(frame) && rolls.chance(0.5)) reader.catchUp();
    }
    reader.catchUp();
    reader.agrees(seed);
  }
});

test("a line that goes and comes, over new conversations too, ends with the truth", () => {
  for (const seed of SEEDS) {
    const rolls = dice(seed);
    const server = new Server(rolls);
    const reader = new Reader(server);
    let up = true;
    for (let step = 0; step < 80; step++) {
      if (rolls.chance(0.05)) server.restart();
      else server.act();
      const frames = server.frames.splice(0);
      if (up) for (const frame of frames) if (reader.take(frame)) reader.catchUp();
      if (rolls.chance(0.15)) up = !up;
      if (up) reader.catchUp();
    }
    reader.catchUp();
    reader.agrees(seed);
  }
});

test("two clients with different luck show the same in the end, and so does a fresh load", () => {
  for (const seed of SEEDS.slice(0, 100)) {
    const rolls = dice(seed);
    const server = new Server(rolls);
    const readers = [new Reader(server), new Reader(server)];
    for (let step = 0; step < 60; step++) {
      server.act();
      for (const frame of server.frames.splice(0)) {
        for (const reader of readers) if (rolls.chance(0.7)) reader.take(frame);
      }
    }
    const fresh = new Transcript();
    const conversation = { id: server.id, epoch: 1, rev: server.rev, state: "open" };
    fresh.load({ conversation, messages: server.truth(), earlier: false });
    for (const reader of readers) {
      reader.catchUp();
      assert.deepEqual(reader.transcript.all(), fresh.all(), `seed ${seed}`);
    }
  }
});
