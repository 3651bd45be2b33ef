import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, test } from "node:test";
import { Outbox } from "../../static/widget/outbox.js";
import { Browser, Clock, dice, settle } from "./browser.js";

const DAY = 86_400_000;
let browser;
let clock;
let uninstall;

beforeEach(() => {
  browser = new Browser();
  clock = new Clock();
  uninstall = clock.install();
});

afterEach(() => uninstall());

/** A tab with an outbox and a line, which a test cuts and mends. */
class Tab {
  up = true;
  /** What went out, in order: frames. */
  sent = [];
  life = new AbortController();

  constructor() {
    this.tab = browser.tab();
    this.store = this.tab.store;
    const send = (frame) => this.up && this.sent.push(frame) > 0;
    this.box = new Outbox({ store: this.store, send, changed() {}, signal: this.life.signal });
  }

  get texts() {
    return this.sent.map(({ text }) => text);
  }

  get waiting() {
    return this.box.entries.map(({ text }) => text);
  }

  async says(...texts) {
    for (const text of texts) await this.box.add(text);
    browser.sync();
  }

  cut() {
    this.up = false;
  }

  async mend() {
    this.up = true;
    await this.box.resend();
    browser.sync();
  }

  /** The tab is closed, or goes to another page; a crash says nothing to the others. */
  close({ crash = false } = {}) {
    if (!crash) this.box.release();
    this.life.abort();
    browser.sync();
    browser.close(this.tab);
  }
}

const tabs = (count) => Array.from({ length: count }, () => new Tab());
const acknowledge = (tab, index = 0) => tab.box.acknowledge(tab.sent[index].client_id);

describe("one tab", () => {
  test("sends at once", async () => {
    const [one] = tabs(1);
    await one.says("one");
    assert.deepEqual(one.texts, ["one"]);
  });

  test("keeps the order of what waits for a line", async () => {
    const [one] = tabs(1);
    one.cut();
    await one.says("one", "two", "three");
    await one.mend();
    assert.deepEqual(one.texts, ["one", "two", "three"]);
  });

  test("sends once over the same line", async () => {
    const [one] = tabs(1);
    await one.says("one", "two");
    await one.box.flush();
    assert.deepEqual(one.texts, ["one", "two"]);
  });

  test("repeats over a new line what was not acknowledged", async () => {
    const [one] = tabs(1);
    await one.says("one", "two");
    acknowledge(one);
    await one.mend();
    assert.deepEqual(one.texts, ["one", "two", "two"]);
  });

  test("goes on after a reload without waiting", async () => {
    const [one] = tabs(1);
    await one.says("one");
    one.close();
    const [again] = tabs(1);
    await again.mend();
    assert.deepEqual(again.texts, ["one"]);
    assert.equal(again.sent[0].client_id, one.sent[0].client_id);
  });

  test("keeps a final refusal until the visitor wants it sent", async () => {
    const [one] = tabs(1);
    await one.says("one");
    const { client_id: id } = one.sent[0];
    one.box.refuse({ client_id: id, message: "No.", final: true });
    await one.mend();
    assert.deepEqual([one.texts, one.box.entries[0].error], [["one"], "No."]);
    await one.box.retry(id);
    assert.deepEqual([one.texts, one.box.entries[0].state], [["one", "one"], "waiting"]);
  });

  test("a failed message holds up no other", async () => {
    const [one] = tabs(1);
    await one.says("one");
    one.box.refuse({ client_id: one.sent[0].client_id, message: "No.", final: true });
    await one.says("two");
    assert.deepEqual(one.texts, ["one", "two"]);
  });

  test("waits as long as it is told, and nothing overtakes", async () => {
    const [one] = tabs(1);
    await one.says("one");
    const refusal = { client_id: one.sent[0].client_id, message: "Wait.", final: false };
    one.box.refuse({ ...refusal, retry_after: 30 });
    await one.says("two");
    await clock.pass(29);
    assert.deepEqual(one.texts, ["one"]);
    await clock.pass(2);
    assert.deepEqual(one.texts, ["one", "one", "two"]);
  });

  test("asks the storage of nobody else", async () => {
    const [one] = tabs(1);
    await one.says("one");
    assert.equal(one.box.acknowledge("another"), false);
    one.box.refuse({ client_id: "another", message: "No.", final: true });
    await one.box.retry("another");
    assert.deepEqual(one.waiting, ["one"]);
  });

  test("forgets it all when somebody else is the visitor", async () => {
    const [one] = tabs(1);
    one.cut();
    await one.says("one", "two");
    one.box.clear();
    await one.mend();
    assert.deepEqual([one.texts, one.waiting], [[], []]);
  });

  test("sends nothing any more after its end", async () => {
    const [one] = tabs(1);
    await one.says("one");
    one.box.refuse({ client_id: one.sent[0].client_id, message: "", final: false });
    one.close();
    assert.equal(clock.busy, false);
  });
});

describe("three tabs", () => {
  test("see what waits in each", async () => {
    const [one, two, three] = tabs(3);
    one.cut();
    await one.says("one");
    assert.deepEqual([two.waiting, three.waiting], [["one"], ["one"]]);
  });

  test("send each message once when the line is back", async () => {
    const all = tabs(3);
    for (const tab of all) tab.cut();
    for (const [index, tab] of all.entries()) await tab.says(`m${index}`);
    for (const tab of all) await tab.mend();
    await clock.pass(10);
    assert.deepEqual(all.flatMap((tab) => tab.texts).sort(), ["m0", "m1", "m2"]);
    assert.deepEqual(all[0].texts, ["m0", "m1", "m2"]);
  });

  test("let go of what one has heard acknowledged", async () => {
    const all = tabs(3);
    await all[0].says("one");
    assert.equal(acknowledge(all[0]), true);
    browser.sync();
    assert.deepEqual(all.flatMap((tab) => tab.waiting), []);
  });

  test("know whose message it was", async () => {
    const [one, two] = tabs(2);
    await one.says("one");
    assert.equal(two.box.acknowledge(one.sent[0].client_id), false);
  });

  test("take over from one that was closed", async () => {
    const [one, two, three] = tabs(3);
    await one.says("one");
    one.close();
    await clock.pass(3);
    assert.deepEqual([...two.texts, ...three.texts], ["one"]);
  });

  test("take over from one that crashed, but not at once", async () => {
    const [one, two, three] = tabs(3);
    await one.says("one");
    one.close({ crash: true });
    await clock.pass(10);
    assert.deepEqual([...two.texts, ...three.texts], []);
    await clock.pass(6);
    assert.deepEqual([...two.texts, ...three.texts], ["one"]);
  });

  test("send for one that has no line of its own", async () => {
    const [one, two] = tabs(2);
    one.cut();
    await one.says("one");
    await clock.pass(3);
    assert.deepEqual(two.texts, ["one"]);
  });

  test("lose nothing when two write at the same moment", async () => {
    const [one, two] = tabs(2);
    await one.says("one");
    await two.says("two");
    browser.prompt = false; // neither knows of what the other does
    acknowledge(one);
    await two.box.add("three");
    await one.box.add("four");
    browser.sync();
    assert.deepEqual(one.waiting, two.waiting);
    assert.deepEqual([...one.waiting].sort(), ["four", "three", "two"]);
  });
});

describe("a clock that is set", () => {
  for (const [way, jump] of [["ahead", DAY], ["back", -DAY]]) {
    test(`a day ${way} changes no order`, async () => {
      const [one] = tabs(1);
      one.cut();
      await one.says("one");
      clock.wall += jump;
      await one.says("two");
      clock.wall -= jump;
      await one.says("three");
      await one.mend();
      assert.deepEqual(one.texts, ["one", "two", "three"]);
    });

    test(`a day ${way} blocks no other tab`, async () => {
      const [one, two] = tabs(2);
      await one.says("one");
      one.close({ crash: true });
      clock.wall += jump;
      await two.mend();
      await clock.pass(3);
      assert.deepEqual(two.texts, ["one"]);
    });

    test(`a day ${way} shortens and lengthens no wait`, async () => {
      const [one] = tabs(1);
      await one.says("one");
      const refusal = { client_id: one.sent[0].client_id, message: "Wait.", final: false };
      one.box.refuse({ ...refusal, retry_after: 30 });
      clock.wall += jump;
      await clock.pass(29);
      assert.equal(one.sent.length, 1);
      await clock.pass(2);
      assert.equal(one.sent.length, 2);
    });
  }

  test("some seconds back never makes another tab wait for ever", async () => {
    const [one, two] = tabs(2);
    await one.says("one");
    one.close({ crash: true });
    for (let second = 0; second < 40; second++) {
      if (second % 10 === 0) clock.wall -= 8000;
      await clock.pass(1);
    }
    await clock.pass(20);
    assert.deepEqual(two.texts, ["one"]);
  });
});

for (const [what, refuse] of Object.entries({
  full: () => (browser.refuses = "QuotaExceededError"),
  blocked: () => (browser.blocked = true),
})) {
  test(`with storage ${what} it works for this page`, async () => {
    refuse();
    const [one] = tabs(1);
    one.cut();
    await one.says("one", "two");
    await one.mend();
    assert.deepEqual(one.texts, ["one", "two"]);
    acknowledge(one, 1);
    acknowledge(one, 0);
    assert.deepEqual(one.waiting, []);
  });
}

/** A server that takes what reaches it, once, and tells every tab that has a line. */
class Server {
  stored = [];

  constructor(rolls) {
    this.rolls = rolls;
  }

  take(frame, tabs) {
    if (!this.stored.some(({ client_id: id }) => id === frame.client_id)) this.stored.push(frame);
    for (const tab of tabs) if (tab.up) tab.heard.push(frame.client_id);
  }
}

/** Tabs that talk, lose their lines, are closed and opened, while storage is slow between them. */
class Life {
  said = [];
  tabs = [];

  constructor(seed) {
    this.rolls = dice(seed);
    this.server = new Server(this.rolls);
    for (let count = 0; count < 3; count++) this.open();
  }

  open() {
    const tab = new Tab();
    tab.heard = []; // acknowledged by the server, not yet arrived
    tab.taken = 0; // so many of its frames have reached the server
    this.tabs.push(tab);
  }

  async step() {
    const { rolls } = this;
    const tab = rolls.one(this.tabs);
    const acts = ["say", "arrive", "arrive", "hear", "hear", "deliver", "deliver", "pass"];
    await this[rolls.one([...acts, "cut", "mend", "mend", "reload", "set"])](tab);
  }

  async say(tab) {
    this.said.push(`m${this.said.length}`);
    await tab.box.add(this.said.at(-1));
  }

  arrive(tab) {
    if (tab.up && tab.taken < tab.sent.length) this.server.take(tab.sent[tab.taken++], this.tabs);
  }

  hear(tab) {
    if (tab.heard.length) tab.box.acknowledge(tab.heard.shift());
  }

  deliver(tab) {
    browser.deliver(tab.tab);
  }

  pass() {
    return clock.pass(this.rolls.below(8));
  }

  cut(tab) {
    tab.cut();
    tab.taken = tab.sent.length; // what was on its way is lost, both ways
    tab.heard = [];
  }

  async mend(tab) {
    this.cut(tab);
    tab.up = true;
    await tab.box.resend();
  }

  async reload(tab) {
    this.cut(tab);
    tab.close({ crash: this.rolls.chance(0.5) });
    this.tabs.splice(this.tabs.indexOf(tab), 1);
    this.open();
    await this.mend(this.tabs.at(-1));
  }

  set() {
    clock.wall += this.rolls.one([-DAY, -10_000, 10_000, DAY]);
  }

  /** All lines come back and hold; everything arrives. */
  async calm() {
    for (const tab of this.tabs) await this.mend(tab);
    for (let round = 0; round < 30; round++) {
      browser.sync();
      for (const tab of this.tabs) {
        while (tab.taken < tab.sent.length) this.arrive(tab);
        while (tab.heard.length) this.hear(tab);
      }
      await clock.pass(2);
    }
  }
}

test("whatever happens to three tabs, all is stored once and nothing stays behind", async () => {
  for (let seed = 1; seed <= 50; seed++) {
    browser = new Browser();
    browser.prompt = false;
    const life = new Life(seed);
    for (let step = 0; step < 60; step++) await life.step();
    await life.calm();
    const stored = life.server.stored.map(({ text }) => text);
    assert.deepEqual([...stored].sort(), [...life.said].sort(), `seed ${seed}`);
    for (const tab of life.tabs) assert.deepEqual(tab.waiting, [], `seed ${seed}`);
    for (const tab of [...life.tabs]) tab.close();
    await settle();
  }
});

test("what one tab says arrives in the order it was said", async () => {
  for (let seed = 1; seed <= 50; seed++) {
    browser = new Browser();
    const life = new Life(seed);
    const [talker] = life.tabs;
    for (let step = 0; step < 40; step++) {
      const acts = ["say", "arrive", "arrive", "hear", "cut", "mend", "mend", "pass"];
      const act = life.rolls.one(acts);
      await life[act](act === "say" ? talker : life.rolls.one(life.tabs));
      browser.sync();
    }
    await life.calm();
    assert.deepEqual(life.server.stored.map(({ text }) => text), life.said, `seed ${seed}`);
    for (const tab of [...life.tabs]) tab.close();
  }
});
