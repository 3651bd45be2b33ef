/** @typedef {typeof import("./strings/en.js").words} Words */
/** @typedef {{ lang: string, dir: "ltr" | "rtl", words: Words }} Language */

// Whole addresses: the server puts the hashed names in their place.
/** @type {Record<string, () => Promise<{words: Words}>>} */
const files = {
  ar: () => import("./strings/ar.js"),
  de: () => import("./strings/de.js"),
  en: () => import("./strings/en.js"),
  es: () => import("./strings/es.js"),
  fr: () => import("./strings/fr.js"),
  he: () => import("./strings/he.js"),
  hi: () => import("./strings/hi.js"),
  it: () => import("./strings/it.js"),
  ja: () => import("./strings/ja.js"),
  ko: () => import("./strings/ko.js"),
  nl: () => import("./strings/nl.js"),
  pl: () => import("./strings/pl.js"),
  pt: () => import("./strings/pt.js"),
  tr: () => import("./strings/tr.js"),
  zh: () => import("./strings/zh.js"),
};

/**
 * The interface in the first of these languages that it has: `de-AT` is German. English where it has
 * none of them, or the file does not load.
 * @param {...(string | null | undefined)} tags
 * @returns {Promise<Language>}
 */
export function spoken(...tags) {
  /** @param {string} lang @returns {Promise<Language>} */
  const load = async (lang) => {
    const { words } = await files[lang]();
    return { lang, dir: /ar|he/.test(lang) ? "rtl" : "ltr", words };
  };
  const langs = tags.map((tag) => (tag ?? "").toLowerCase().split(/[-_]/)[0]);
  const known = langs.find((lang) => Object.hasOwn(files, lang));
  return load(known ?? "en").catch(() => load("en"));
}

/**
 * The form of the words for `n` things: of `one={n} source|other={n} sources`, by the language's own
 * rules, with the number as it writes numbers.
 * @param {string} text
 * @param {number} n
 * @param {string} lang
 */
export function plural(text, n, lang) {
  const form = (/** @type {string} */ kind) => text.match(`(?:^|\\|)${kind}=([^|]*)`)?.[1];
  const chosen = form(new Intl.PluralRules(lang).select(n)) ?? form("other") ?? text;
  return chosen.replace("{n}", new Intl.NumberFormat(lang).format(n));
}

/** @param {string | undefined} tag @returns {boolean} whether the interface speaks that language */
export function knows(tag) {
  return Object.hasOwn(files, String(tag).toLowerCase().split(/[-_]/)[0]);
}
