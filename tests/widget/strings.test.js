import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { describe, test } from "node:test";
import { plural, spoken } from "../../static/widget/strings.js";

const folder = new URL("../../static/widget/strings/", import.meta.url);
const languages = readdirSync(folder).map((name) => name.replace(".js", ""));

describe("the language", () => {
  for (const [tags, lang] of [
    [["de"], "de"],
    [["de-AT"], "de"],
    [["PT_br"], "pt"],
    [["sv", "nb", "fr-CA", "de"], "fr"],
    [[undefined, null, "", "ja"], "ja"],
    [["sv"], "en"],
    [[], "en"],
    [["constructor", "__proto__", "it"], "it"],
  ]) {
    test(`of ${JSON.stringify(tags)} is ${lang}`, async () => {
      assert.equal((await spoken(...tags)).lang, lang);
    });
  }

  test("has a file for each that is offered, and the other way round", async () => {
    for (const lang of languages) assert.equal((await spoken(lang)).lang, lang);
  });

  test("reads from the right where it does", async () => {
    const all = await Promise.all(languages.map((lang) => spoken(lang)));
    const right = all.filter(({ dir }) => dir === "rtl").map(({ lang }) => lang);
    assert.deepEqual(right.sort(), ["ar", "he"]);
  });
});

describe("the plural", () => {
  const polish = "one={n} znak|few={n} znaki|many={n} znaków|other={n} znaku";

  for (const [text, n, lang, shown] of [
    ["one={n} source|other={n} sources", 1, "en", "1 source"],
    ["one={n} source|other={n} sources", 2, "en", "2 sources"],
    [polish, 1, "pl", "1 znak"],
    [polish, 3, "pl", "3 znaki"],
    [polish, 5, "pl", "5 znaków"],
    [polish, 22, "pl", "22 znaki"],
    ["other=あと{n}文字", 1, "ja", "あと1文字"],
    ["one=one left|other={n} left", 1, "en", "one left"],
    ["other={n} more", 1500, "de", "1.500 more"],
    ["one=a=b|other=c=d {n}", 2, "en", "c=d 2"],
  ]) {
    test(`of ${n} in ${lang} is “${shown}”`, () => assert.equal(plural(text, n, lang), shown));
  }

  test("falls back to the other form where a translator left one out", () => {
    assert.equal(plural("one={n} znak|other={n} znaku", 5, "pl"), "5 znaku");
  });
});
