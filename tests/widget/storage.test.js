import assert from "node:assert/strict";
import { beforeEach, describe, test } from "node:test";
import { Store, uuid } from "../../static/widget/storage.js";
import { Browser } from "./browser.js";

/** @type {Browser} */
let browser;
let one;
let other;

beforeEach(() => {
  browser = new Browser();
  one = browser.tab().store;
  other = browser.tab().store;
});

describe("what is kept", () => {
  test("comes back as it was, in every tab", () => {
    one.set("site", { name: "Ärger & Söhne", n: [1, null] });
    browser.sync();
    assert.deepEqual(other.get("site"), { name: "Ärger & Söhne", n: [1, null] });
  });

  test("is null where there is nothing, or nothing anybody can read", () => {
    assert.equal(one.get("token"), null);
    one.set("token", "t");
    localStorage.setItem(one.key("token"), "{half");
    assert.equal(one.get("token"), null);
  });

  test("goes away by null", () => {
    one.set("token", "t");
    one.set("token", null);
    assert.deepEqual([one.get("token"), one.names("")], [null, []]);
  });

  test("is found by the beginning of its name, and only this site's", () => {
    for (const name of ["outbox:a", "outbox:b", "token"]) one.set(name, 1);
    localStorage.setItem("sales-chat:another:outbox:c", "1");
    assert.deepEqual(one.names("outbox:").sort(), ["outbox:a", "outbox:b"]);
  });

  test("is told to the other tabs that follow it", () => {
    const told = [];
    one.follow("draft", () => told.push("one"));
    other.follow("draft", () => told.push("other"));
    one.set("draft", "Hel");
    one.set("token", "t");
    browser.sync();
    assert.deepEqual(told, ["other"]);
  });
});

for (const [what, refuse] of Object.entries({
  "a full one": () => (browser.refuses = "QuotaExceededError"),
  "a blocked one": () => (browser.blocked = true),
})) {
  describe(`${what} of a browser`, () => {
    beforeEach(refuse);

    test("is made up for by memory", () => {
      one.set("outbox:a", { text: "x" });
      assert.deepEqual(one.get("outbox:a"), { text: "x" });
      assert.deepEqual(one.names("outbox:"), ["outbox:a"]);
      assert.equal(other.get("outbox:a"), null);
    });

    test("says that not all is kept", () => {
      assert.equal(one.kept, true);
      one.set("token", "t");
      assert.equal(one.kept, false);
    });

    test("does the work all the same", async () => {
      assert.equal(await one.alone("init", () => 7), 7);
    });
  });
}

test("what is kept again after there was room is kept", () => {
  browser.refuses = "QuotaExceededError";
  one.set("draft", "Hello");
  browser.refuses = "";
  one.set("draft", "Hello you");
  browser.sync();
  assert.deepEqual([one.kept, other.get("draft")], [true, "Hello you"]);
});

describe("alone", () => {
  test("lets one after the other work", async () => {
    const steps = [];
    const work = (name) => async () => {
      steps.push(`${name} begins`);
      await null;
      steps.push(`${name} ends`);
    };
    await Promise.all([one.alone("init", work("one")), other.alone("init", work("other"))]);
    assert.deepEqual(steps, ["one begins", "one ends", "other begins", "other ends"]);
  });

  test("never does failed work twice, and lets the next begin", async () => {
    let times = 0;
    const fail = () => {
      times++;
      throw new DOMException("of the work's own", "SecurityError");
    };
    await assert.rejects(one.alone("init", fail), { name: "SecurityError" });
    assert.deepEqual([times, await other.alone("init", () => "next")], [1, "next"]);
  });

  test("works without locks, as on a page without HTTPS", async () => {
    Object.defineProperty(globalThis, "navigator", { value: {}, configurable: true });
    assert.equal(await new Store("demo").alone("init", () => 1), 1);
  });
});

test("a UUID is one, with and without the browser's own", () => {
  const shape = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
  assert.match(uuid(), shape);
  const { randomUUID } = crypto;
  Object.defineProperty(crypto, "randomUUID", { value: undefined, configurable: true });
  assert.match(uuid(), shape);
  Object.defineProperty(crypto, "randomUUID", { value: randomUUID, configurable: true });
});
