/** @typedef {typeof import("./strings/en.js").words} Words */
/** @typedef {{ lang: string, dir: "ltr" | "rtl", words: Words }} Language */

// Whole addresses: the server puts the hashed names in their place.
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
 * The interface in a language: `de-AT` is German. English where it has no file, or none that loads.
 * @param {string} tag
 * @returns {Promise<Language>}
 */
export function spoken(tag) {
  const load = async (lang) => {
    const { words } = await files[lang]();
    return { lang, dir: /ar|he/.test(lang) ? "rtl" : "ltr", words };
  };
  return load(tag.toLowerCase().split(/[-_]/)[0]).catch(() => load("en"));
}
