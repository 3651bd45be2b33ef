import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, test } from "node:test";
import { Conversation } from "../../static/widget/conversation.js";
import { Browser, settle } from "./browser.js";

const MIRA = { id: "7", hash: "hash-of-mira" };
const known = (id, rev) => ({ id, epoch: 1, rev, state: "open" });

let browser;
let sockets;
let inits;
const { fetch } = globalThis;

/** The server's end of a socket. */
class Socket {
  static OPEN = 1;
  readyState = 1;
  sent = [];
  closed = false;

  constructor() {
    sockets.push(this);
  }

  send(text) {
    this.sent.push(JSON.parse(text));
  }

  close() {
    this.closed = true;
  }

  says(frame) {
    this.onmessage({ data: JSON.stringify(frame) });
  }
}

beforeEach(() => {
  browser = new Browser();
  sockets = [];
  inits = [];
  globalThis.CustomEvent ??= class extends Event {
    constructor(type, { detail }) {
      super(type);
      this.detail = detail;
    }
  };
  globalThis.WebSocket = Socket;
  globalThis.location = { href: "https://shop.example/", origin: "https://shop.example" };
  globalThis.document = Object.assign(new EventTarget(), { title: "Shop", referrer: "" });
  globalThis.fetch = async (url, { body }) => {
    const { identity, token } = JSON.parse(body);
    inits.push({ id: identity?.id, token });
    const id = identity?.id ?? "nobody";
    const rest = { messages: [], earlier: false, site: {}, socket: "wss://x", heartbeat: 20 };
    return Response.json({ token: `of ${id}`, conversation: known(`c-${id}`, 0), ...rest });
  };
});

afterEach(() => {
  globalThis.fetch = fetch;
  for (const end of ends.splice(0)) end.abort();
});

const ends = [];

/** A conversation of one tab, open, with its line up. */
async function opened() {
  const { store } = browser.tab();
  const end = new AbortController();
  ends.push(end);
  store.get("token"); // enters the tab
  const conversation = new Conversation("demo", "https://chat.example", store, end.signal);
  const heard = [];
  conversation.addEventListener("sent", ({ detail }) => heard.push(detail.id));
  conversation.open();
  await up(conversation);
  return { conversation, store, heard, socket: sockets.at(-1) };
}

async function up(conversation) {
  for (let turn = 0; turn < 20; turn++) await settle();
  const socket = sockets.at(-1);
  socket.onopen();
  const rest = { messages: [], open: null, full: false, more: false };
  const { conversation: place } = conversation.transcript;
  socket.says({ type: "status", state: "ready", conversation: place, ...rest });
  await settle();
}

const asks = (socket) => socket.sent.filter(({ type }) => type === "message");
const stored = (seq, frame) => {
  const shape = { id: `m${seq}`, seq, rev: seq, role: "visitor", state: "complete" };
  return { type: "message", message: { ...shape, text: frame.text, client_id: frame.client_id } };
};

describe("what is said", () => {
  test("is told of once, by the tab that said it", async () => {
    const one = await opened();
    const other = await opened();
    await one.conversation.say("Hello");
    const [frame] = asks(one.socket);
    for (const { socket } of [other, one]) socket.says(stored(1, frame));
    assert.deepEqual([one.heard, other.heard], [[frame.client_id], []]);
  });

  test("waits until it is stored", async () => {
    const { conversation, socket } = await opened();
    await conversation.say("Hello");
    assert.deepEqual(conversation.pending.map(({ text }) => text), ["Hello"]);
    socket.says(stored(1, asks(socket)[0]));
    assert.deepEqual(conversation.pending, []);
  });

  test("is known to be gone with the page where nothing is kept", async () => {
    browser.refuses = "QuotaExceededError";
    const { conversation, socket } = await opened();
    assert.equal(conversation.forgetful, false);
    await conversation.say("Hello");
    assert.equal(conversation.forgetful, true);
    socket.says(stored(1, asks(socket)[0]));
    assert.equal(conversation.forgetful, true);
  });
});

test("thumbs go out with the words, where there are any", async () => {
  const { conversation, socket } = await opened();
  conversation.feedback("m2", -1, "Wrong price");
  conversation.feedback("m2", 1);
  assert.deepEqual(socket.sent.slice(-2), [
    { type: "feedback", message: "m2", value: -1, comment: "Wrong price" },
    { type: "feedback", message: "m2", value: 1 },
  ]);
});

describe("an identity", () => {
  test("that comes late takes the conversation along", async () => {
    const { conversation, socket } = await opened();
    conversation.identify(MIRA);
    await up(conversation);
    assert.deepEqual(inits.at(-1), { id: "7", token: "of nobody" });
    assert.equal(socket.closed, true);
    assert.equal(sockets.at(-1).sent[0].token, "of 7");
  });

  test("that is said again changes nothing", async () => {
    const { conversation } = await opened();
    conversation.identify(MIRA);
    await up(conversation);
    conversation.identify({ ...MIRA });
    await settle();
    assert.equal(inits.length, 2);
  });

  test("that goes takes its words with it", async () => {
    const { conversation, socket } = await opened();
    conversation.identify(MIRA);
    await up(conversation);
    await conversation.say("Mira's words");
    sockets.at(-1).says(stored(1, asks(sockets.at(-1))[0]));
    await conversation.say("unsent");
    conversation.identify(null);
    assert.deepEqual([conversation.transcript.all(), conversation.pending], [[], []]);
    await up(conversation);
    assert.deepEqual(inits.at(-1), { id: undefined, token: undefined });
    assert.deepEqual([asks(sockets.at(-1)), socket.closed], [[], true]);
  });

  test("of nobody, where nobody was known, opens nothing again", async () => {
    const { conversation } = await opened();
    conversation.identify(null);
    await settle();
    assert.deepEqual([inits.length, sockets.length], [1, 1]);
  });
});
