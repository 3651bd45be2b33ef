import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, test } from "node:test";
import { Refused, Session } from "../../static/widget/session.js";
import { Browser } from "./browser.js";

const MIRA = { id: "7", name: "Mira", hash: "hash-of-mira" };
const OTTO = { id: "8", hash: "hash-of-otto" };

let browser;
/** What was asked of the server, and what it answers: a function of the body. */
let asked;
let answers;
let warned;
const { fetch } = globalThis;
const { warn } = console;

beforeEach(() => {
  browser = new Browser();
  asked = [];
  warned = [];
  answers = ({ identity }) => ({ token: `token-of-${identity?.id ?? "nobody"}` });
  console.warn = (words) => warned.push(words);
  globalThis.location = { href: "https://shop.example/" };
  globalThis.document = { title: "Shop", referrer: "" };
  globalThis.fetch = async (url, { body }) => {
    const question = JSON.parse(body);
    asked.push(question);
    const answer = await answers(question);
    if (!answer.status) return Response.json(answer);
    return Response.json({ error: { code: answer.code } }, { status: answer.status });
  };
});

afterEach(() => {
  globalThis.fetch = fetch;
  console.warn = warn;
});

const visit = () => {
  const { store } = browser.tab();
  const session = new Session("demo", "https://chat.example", store);
  return { session, store };
};
const who = () => asked.map(({ token, identity }) => [token, identity?.id]);

describe("the token", () => {
  test("is kept, and asked with the next time", async () => {
    await visit().session.open();
    await visit().session.open();
    assert.deepEqual(who(), [[undefined, undefined], ["token-of-nobody", undefined]]);
  });

  test("that is bad is dropped, and asked without", async () => {
    const { session, store } = visit();
    store.set("token", "old");
    answers = ({ token }) => (token ? { status: 401, code: "bad_token" } : { token: "new" });
    await session.open();
    assert.deepEqual([asked.length, store.get("token")], [2, "new"]);
  });

  test("that is bad though there was none is a refusal, not a circle", async () => {
    answers = () => ({ status: 401, code: "bad_token" });
    await assert.rejects(visit().session.open(), Refused);
    assert.equal(asked.length, 1);
  });

  test("of another tab is not dropped in its place", async () => {
    const { session, store } = visit();
    store.set("token", "mine");
    assert.equal(session.token, "mine");
    store.set("token", "theirs");
    session.forget();
    assert.equal(store.get("token"), "theirs");
  });
});

describe("what another tab has written and this one sees late", () => {
  const SERVER = ({ token }) => (token === "erased" ? refused : { token: token ?? `new-${asked.length}` });
  const refused = { status: 401, code: "bad_token" };

  beforeEach(() => {
    browser.prompt = false;
    answers = SERVER;
  });

  test("makes no second visitor of two tabs that open at once", async () => {
    const [one, other] = [visit(), visit()];
    await one.session.open();
    answers = (body) => (browser.sync(), SERVER(body));
    await other.session.open();
    assert.deepEqual(
      asked.map(({ token }) => token),
      [undefined, undefined, "new-1"],
    );
    assert.deepEqual([one.session.token, other.session.token], ["new-1", "new-1"]);
  });

  test("is not taken away by a tab that hears late of an erasure", async () => {
    visit().store.set("token", "erased");
    const [one, other] = [visit(), visit()];
    for (const { session } of [one, other]) assert.equal(session.token, "erased");
    one.session.erased();
    await one.session.open();
    other.session.erased();
    browser.sync();
    await other.session.open();
    assert.deepEqual([one.session.token, other.session.token], ["new-2", "new-2"]);
  });
});

test("of who was erased nothing is kept once the server has refused the token", async () => {
  const { session, store } = visit();
  session.identify(MIRA);
  await session.open();
  for (const name of ["draft", "seen", "consent"]) store.set(name, "of Mira");
  assert.equal(session.token, "token-of-7"); // as a line asks for it
  session.erased();
  assert.deepEqual(store.names(""), ["token"]);
  answers = ({ token }) => (token ? { status: 401, code: "bad_token" } : { token: "new" });
  await session.open();
  assert.equal(store.get("token"), "new");
});

describe("an identity", () => {
  test("takes along what was said before it", async () => {
    const { session } = visit();
    await session.open();
    assert.equal(session.identify(MIRA), false);
    await session.open();
    assert.deepEqual(who().at(-1), ["token-of-nobody", "7"]);
  });

  test("leaves nothing in the browser but its hash", async () => {
    const { session, store } = visit();
    session.identify({ ...MIRA, email: "mira@shop.example" });
    await session.open();
    const kept = store.names("").map((name) => [name, store.get(name)]);
    assert.deepEqual(Object.fromEntries(kept), { token: "token-of-7", identity: MIRA.hash });
  });

  test("on the next page is the same visitor", async () => {
    const before = visit().session;
    before.identify(MIRA);
    await before.open();
    const { session } = visit();
    assert.equal(session.identify(MIRA), false);
    await session.open();
    assert.deepEqual(who().at(-1), ["token-of-7", "7"]);
  });

  for (const [what, next] of [["somebody else", OTTO], ["nobody", null]]) {
    test(`followed by ${what} begins without the token`, async () => {
      const { session, store } = visit();
      session.identify(MIRA);
      await session.open();
      for (const name of ["draft", "seen"]) store.set(name, "of Mira");
      assert.equal(session.identify(next), true);
      assert.deepEqual(store.names(""), []);
      await session.open();
      assert.deepEqual(who().at(-1), [undefined, next?.id]);
    });
  }

  test("with a new name is still the same visitor", async () => {
    const { session } = visit();
    session.identify(MIRA);
    await session.open();
    assert.equal(session.identify({ ...MIRA, name: "Mira M.", hash: "another" }), false);
    await session.open();
    assert.deepEqual(who().at(-1), ["token-of-7", "7"]);
  });

  test("that nobody speaks of stays as it was", async () => {
    const before = visit().session;
    before.identify(MIRA);
    await before.open();
    await visit().session.open();
    assert.deepEqual(who().at(-1), ["token-of-7", undefined]);
  });

  test("that the server refuses is named once, and left out", async () => {
    answers = ({ identity }) => (identity ? { status: 403, code: "bad_identity" } : { token: "t" });
    const { session, store } = visit();
    session.identify(MIRA);
    await session.open();
    await session.open();
    assert.deepEqual([warned.length, asked.length, store.get("identity")], [1, 3, null]);
  });

  test("that changes while the server thinks is asked for again", async () => {
    const { session, store } = visit();
    session.identify(MIRA);
    answers = ({ identity }) => {
      if (identity.id === "7") session.identify(OTTO);
      return { token: `token-of-${identity.id}` };
    };
    assert.equal((await session.open()).token, "token-of-8");
    assert.deepEqual(who(), [[undefined, "7"], [undefined, "8"]]);
    assert.equal(store.get("token"), "token-of-8");
  });

  test("of another tab's visitor is let go of before it is asked with", async () => {
    const one = visit();
    const other = visit();
    other.session.identify(OTTO);
    one.session.identify(MIRA);
    await Promise.all([one.session.open(), other.session.open()]);
    assert.deepEqual(who(), [[undefined, "7"], [undefined, "8"]]);
  });
});

describe("a dead server", () => {
  test("is asked until it answers", async () => {
    let dead = 2;
    answers = () => (dead-- > 0 ? { status: 503 } : { token: "t" });
    const { random } = Math;
    Math.random = () => 0.001;
    const { session } = visit();
    const answer = await session.reach(new AbortController().signal, () => false);
    Math.random = random;
    assert.deepEqual([answer?.token, asked.length], ["t", 3]);
  });

  test("that wants none of this is not asked again", async () => {
    answers = () => ({ status: 404, code: "unknown_site" });
    const { session } = visit();
    assert.equal(await session.reach(new AbortController().signal, () => false), undefined);
    assert.equal(asked.length, 1);
  });
});
