/**
 * Words, dates, numbers and money in the reader's language. Times are those of the reader's zone.
 *
 * @typedef {"de" | "en"} Language
 * @typedef {import("../model/types.js").Label} Label
 * @typedef {import("../model/types.js").Moment} Moment
 * @typedef {import("../model/types.js").Money} Money
 */
import { instantOf, isDay, wallOf } from "../model/moments.js";
import { DE } from "./de.js";
import { EN } from "./en.js";
import { fieldLabel } from "./fields.js";

/**
 * @param {readonly string[]} preferred the browser's languages
 * @returns {Language}
 */
export function languageOf(preferred) {
  for (const tag of preferred) {
    if (tag.toLowerCase().startsWith("de")) return "de";
    if (tag.toLowerCase().startsWith("en")) return "en";
  }
  return "en";
}

export class Words {
  /**
   * @param {Language} language
   * @param {readonly string[]} [preferred] the browser's languages, for the region of dates and numbers
   */
  constructor(language, preferred = []) {
    this.language = language;
    /** A region of the reader's own where it is of this language: en-GB and en-US write dates differently. */
    this.locale =
      preferred.find((tag) => tag.toLowerCase().startsWith(language)) ?? (language === "de" ? "de-DE" : "en-GB");
    /** @private */
    this.texts = language === "de" ? DE : EN;
    /** @private @type {Map<string, Intl.DateTimeFormat>} */
    this.dateFormats = new Map();
    /** @private */
    this.numbers = new Intl.NumberFormat(this.locale, { maximumFractionDigits: 20 });
  }

  /**
   * @param {string} key
   * @param {Record<string, string | number>} [values] `count` chooses between one and several
   */
  say(key, values = {}) {
    const found = this.texts[key];
    if (found === undefined) throw new Error(`no words for ${key}`);
    const text = (typeof found === "string" ? found : found[values.count === 1 ? 0 : 1]) ?? "";
    return text.replace(/\{(\w+)\}/g, (_, name) => {
      const value = values[name];
      return typeof value === "number" ? this.number(value) : (value ?? "");
    });
  }

  /** @param {string} key */
  has(key) {
    return Object.hasOwn(this.texts, key);
  }

  /** @param {Label} label */
  label(label) {
    return this.language === "de" ? label.de : label.en;
  }

  /** @param {string} path */
  field(path) {
    return fieldLabel(path, this.language);
  }

  /** @param {number | string} value decimal digits stay exact */
  number(value) {
    const exact =
      typeof value === "string" && /^-?\d+(\.\d+)?$/.test(value) ? /** @type {any} */ (value) : Number(value);
    return this.numbers.format(exact);
  }

  /** @param {number} count */
  bytes(count) {
    const units = ["byte", "kilobyte", "megabyte", "gigabyte"];
    let size = count;
    let place = 0;
    while (size >= 1000 && place < units.length - 1) {
      size /= 1000;
      place += 1;
    }
    const unit = units[place] ?? "byte";
    return new Intl.NumberFormat(this.locale, {
      style: "unit",
      unit,
      maximumFractionDigits: size < 10 && place > 0 ? 1 : 0,
    }).format(size);
  }

  /** @param {Money} money */
  money(money) {
    const amount = this.amount(money);
    if (money.per === "hour") return this.say("perHour", { money: amount });
    return money.per === "day" ? this.say("perDay", { money: amount }) : amount;
  }

  /**
   * @private
   * @param {Money} money
   */
  amount({ amount, currency }) {
    if (!/^[A-Z]{3}$/.test(currency)) return this.say("unknownCurrency", { amount: this.number(amount) });
    const decimals = amount.split(".")[1]?.length ?? 0;
    const format = new Intl.NumberFormat(this.locale, { style: "currency", currency });
    const usual = format.resolvedOptions().maximumFractionDigits ?? 2;
    const exact = new Intl.NumberFormat(this.locale, {
      style: "currency",
      currency,
      maximumFractionDigits: Math.min(20, Math.max(usual, decimals)),
    });
    return exact.format(/** @type {any} */ (amount));
  }

  /**
   * @param {string} text `YYYY-MM-DD`, `YYYY-MM-DDTHH:mm` or `YYYY-MM`, by the reader's clock
   * @param {"short" | "long" | "weekday"} [style]
   */
  date(text, style = "short") {
    if (/^\d{4}-\d{2}$/.test(text)) return this.format({ month: "long", year: "numeric" }, at(`${text}-01`));
    const day = text.slice(0, 10);
    if (!isDay(day)) return text;
    const written = this.format(DAY_STYLES[style], at(day));
    return text.length >= 16 ? `${written}, ${this.clock(text.slice(11, 16))}` : written;
  }

  /** @param {string} clock `HH:mm` */
  clock(clock) {
    if (!/^\d{2}:\d{2}$/.test(clock)) return clock;
    return this.format({ hour: "numeric", minute: "2-digit" }, instantOf(wallOf(`2001-01-15T${clock}:00`), undefined));
  }

  /**
   * A moment as a person reads it, in the reader's zone.
   *
   * @param {Moment} moment
   */
  moment(moment) {
    if (moment.kind === "time") return this.clock(moment.text);
    if (moment.kind === "month") return this.date(moment.text);
    if (moment.kind !== "instant") return this.date(moment.text, "long");
    return this.format({ dateStyle: "long", timeStyle: "short" }, moment.ms ?? 0);
  }

  /** @param {number} ms */
  instant(ms) {
    return this.format({ dateStyle: "long", timeStyle: "short" }, ms);
  }

  /** @param {string} month `YYYY-MM` */
  monthName(month) {
    return this.format({ month: "short" }, at(`${month}-01`));
  }

  /**
   * @param {number} weekday 0 = Sunday
   * @param {"short" | "long"} [width]
   */
  weekday(weekday, width = "short") {
    return this.format(
      { weekday: width },
      instantOf({ year: 2023, month: 1, day: 1 + weekday, hour: 12, minute: 0, second: 0 }, undefined),
    );
  }

  /** @returns {number} the first day of the week, 0 = Sunday */
  get weekStart() {
    const info = /** @type {any} */ (new Intl.Locale(this.locale));
    const first = (info.getWeekInfo?.() ?? info.weekInfo)?.firstDay;
    return typeof first === "number" ? first % 7 : 1;
  }

  /**
   * @param {Intl.DateTimeFormatOptions} options
   * @param {number} ms
   */
  format(options, ms) {
    const key = JSON.stringify(options);
    let format = this.dateFormats.get(key);
    if (!format) {
      format = new Intl.DateTimeFormat(this.locale, options);
      this.dateFormats.set(key, format);
    }
    return format.format(ms);
  }
}

/** @type {Record<"short" | "long" | "weekday", Intl.DateTimeFormatOptions>} */
const DAY_STYLES = {
  short: { day: "numeric", month: "short", year: "numeric" },
  long: { day: "numeric", month: "long", year: "numeric" },
  weekday: { weekday: "long", day: "numeric", month: "long", year: "numeric" },
};

/**
 * Noon, so that no clock put forward lies between.
 *
 * @param {string} day
 */
function at(day) {
  return instantOf(wallOf(`${day}T12:00:00`), undefined);
}
