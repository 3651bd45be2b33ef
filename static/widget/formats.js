import { plural } from "./strings.js";

const ONE_DAY = 86_400_000;

/** Times, days and counted things as the interface's language says them, by the visitor's clock. */
export class Formats {
  #tag;
  /** @type {Intl.DateTimeFormat | undefined} */
  #time;

  /** @param {string} lang */
  constructor(lang) {
    // The visitor's own kind of it: with English as in Britain the clock has 24 hours.
    this.#tag = navigator.languages.find((tag) => tag.split("-")[0] === lang) ?? lang;
    // The first format of a page takes a browser tens of milliseconds: made while the server answers.
    setTimeout(() => this.time(0));
  }

  /** @param {number} at */
  time(at) {
    this.#time ??= new Intl.DateTimeFormat(this.#tag, { hour: "numeric", minute: "2-digit" });
    return this.#time.format(at);
  }

  /** The visitor's calendar day, counted. @param {number} at */
  dayOf(at) {
    const date = new Date(at);
    return Date.UTC(date.getFullYear(), date.getMonth(), date.getDate()) / ONE_DAY;
  }

  /** "Today", "Yesterday", or the date with its weekday. @param {number} day @param {number} today */
  day(day, today) {
    return day > today - 2 && day <= today ? this.#near(day - today) : this.#date(day, today);
  }

  /** `"one={n} source|other={n} sources"` for this many. @param {string} forms @param {number} n */
  count(forms, n) {
    return plural(forms, n, this.#tag);
  }

  /** @param {number} days from today */
  #near(days) {
    const text = new Intl.RelativeTimeFormat(this.#tag, { numeric: "auto" }).format(days, "day");
    return text[0].toLocaleUpperCase(this.#tag) + text.slice(1);
  }

  /** @param {number} day @param {number} today */
  #date(day, today) {
    const date = new Date(day * ONE_DAY);
    const year = date.getUTCFullYear() === new Date(today * ONE_DAY).getUTCFullYear() ? undefined : "numeric";
    /** @type {Intl.DateTimeFormatOptions} */
    const parts = { weekday: "long", day: "numeric", month: "long", year, timeZone: "UTC" };
    return date.toLocaleDateString(this.#tag, parts);
  }
}
