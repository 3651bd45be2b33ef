import assert from "node:assert/strict";
import { beforeEach, describe, test } from "node:test";
import { letters } from "../../static/widget/voice/mark.js";
import { chosen } from "../../static/widget/voice/browser-voice.js";
import { Speaker } from "../../static/widget/voice/speaker.js";
import { settle } from "./browser.js";

/** Makes sound when the test says so. */
class Engine {
  log = [];

  say({ n, text }) {
    this.log.push(`say ${n} ${text}`);
    return new Promise((end, fail) => Object.assign(this, { end, fail }));
  }

  ready({ n }) {
    this.log.push(`ready ${n}`);
  }

  pause() {
    this.log.push("pause");
  }

  resume() {
    this.log.push("resume");
  }

  stop() {
    if (this.log.at(-1) !== "stop") this.log.push("stop");
  }
}

const part = (text) => ({ text });
let engine;
let other;
let speaker;

beforeEach(() => {
  engine = new Engine();
  other = undefined;
  speaker = new Speaker(engine, () => {}, () => other);
});

const ends = async (one = engine) => {
  one.end();
  await settle();
};

describe("a message is said segment by segment", () => {
  test("in order, the next made ready ahead, and then nothing is said", async () => {
    speaker.begin("m", ["a", "b"].map(part), true);
    await ends();
    await ends();
    assert.deepEqual(engine.log, ["stop", "say 0 a", "ready 1", "say 1 b", "stop"]);
    assert.equal(speaker.message, "");
  });

  test("while it is still being written", async () => {
    speaker.begin("m", [part("a")], false);
    await ends();
    assert.equal(speaker.message, "m");
    speaker.add(1, part("b"));
    speaker.add(1, part("b again"));
    speaker.add(2, part("c"), true);
    await ends();
    await ends();
    assert.deepEqual(engine.log, ["stop", "say 0 a", "say 1 b", "ready 2", "say 2 c", "stop"]);
  });

  test("a pause holds what comes meanwhile", async () => {
    speaker.begin("m", [part("a")], false);
    await ends();
    speaker.pause();
    speaker.add(1, part("b"), true);
    await settle();
    assert.deepEqual(engine.log, ["stop", "say 0 a", "pause"]);
    speaker.resume();
    assert.equal(engine.log.at(-1), "say 1 b");
  });

  test("from another place, and not beyond its ends", async () => {
    speaker.begin("m", ["a", "b", "c"].map(part), true);
    speaker.seek(9);
    assert.equal(engine.log.at(-1), "say 2 c");
    speaker.seek(-1);
    assert.deepEqual(engine.log.slice(-2), ["say 0 a", "ready 1"]);
  });

  test("what was said before a stop says nothing after it", async () => {
    speaker.begin("m", ["a", "b"].map(part), true);
    const late = engine.end;
    speaker.begin("n", [part("c")], true);
    late();
    await settle();
    assert.equal(engine.log.at(-1), "say 0 c");
    assert.equal(speaker.at, 0);
  });

  test("an engine that fails is replaced from that segment on, and tried again the next time", async () => {
    other = new Engine();
    speaker.begin("m", ["a", "b"].map(part), true);
    engine.fail(new Error("gone"));
    await settle();
    assert.deepEqual(other.log, ["say 0 a", "ready 1"]);
    await ends(other);
    await ends(other);
    speaker.begin("n", [part("c")], true);
    assert.equal(engine.log.at(-1), "say 0 c");
  });

  test("without another engine it ends", async () => {
    speaker.begin("m", [part("a")], true);
    engine.fail(new Error("silent"));
    await settle();
    assert.equal(speaker.message, "");
  });
});

test("letters that are shown are counted, and what is not shown is not", () => {
  for (const [text, count] of [
    ["", 0],
    ["**Two** _x_, 3!", 5],
    ["[A b](https://example.com/long) c", 3],
    ["1. One\n2. Two", 6],
    ["- Ja. Für 2 490 €", 9],
    ["価格は3,000円です。", 10],
  ]) {
    assert.equal(letters(text), count, text);
  }
});

test("a voice is of the language, of its region where there is one, the usual one first", () => {
  const voices = [
    { lang: "de-DE", default: true },
    { lang: "en_GB", default: false },
    { lang: "en-US", default: false },
    { lang: "en-AU", default: true },
  ];
  assert.equal(chosen(voices, "en-gb").lang, "en_GB");
  assert.equal(chosen(voices, "en").lang, "en-AU");
  assert.equal(chosen(voices, "fr"), null);
});
