/**
 * Before anything is open: choose or drop a file, type the passphrase, see how far it is and what is wrong.
 *
 * @typedef {import("../words/words.js").Words} Words
 * @typedef {import("../store/types.js").Progress} Progress
 *
 * @typedef {object} Opening
 * @property {Words} words
 * @property {Blob | null} inside the archive that the page holds
 * @property {string} message what happened before, or ""
 * @property {(blob: Blob) => void} onFile
 * @property {HTMLElement} language the picker
 */
import { moment } from "../model/moments.js";
import { textOf } from "../model/values.js";
import { ArchiveProblem } from "../reader/problem.js";
import { button, el } from "./dom.js";
import { problemText } from "./verification.js";

/**
 * @param {Opening} opening
 * @returns {HTMLElement}
 */
export function openingNode({ words, inside, message, onFile, language }) {
  const file = el("input", {
    type: "file",
    accept: ".mana,.zip,application/zip",
    class: "visually-hidden",
    id: "file",
    onchange: (event) => event.target.files[0] && onFile(event.target.files[0]),
  });
  const label = el("label", { for: "file", class: inside ? "button" : "button first" }, words.say("openChoose"));
  const drop = el("div", { class: "drop" }, file, label, el("p", { class: "quiet" }, words.say("openDrop")));
  takeDrops(drop, onFile);
  return el(
    "main",
    { class: "opening", tabindex: -1 },
    el("h1", {}, words.say(inside ? "appName" : "openTitle")),
    el("p", {}, words.say("openIntro")),
    message === "" ? null : el("p", { class: "notice", role: "status" }, message),
    inside
      ? el(
          "p",
          {},
          `${words.say("openInside")} `,
          button(words.say("openButton"), () => onFile(inside), { class: "button first" }),
        )
      : null,
    inside ? el("details", {}, el("summary", {}, words.say("openAnother")), drop) : drop,
    language,
  );
}

/**
 * @param {HTMLElement} zone
 * @param {(blob: Blob) => void} onFile
 */
function takeDrops(zone, onFile) {
  zone.addEventListener("dragover", (event) => {
    event.preventDefault();
    zone.classList.add("over");
  });
  zone.addEventListener("dragleave", () => zone.classList.remove("over"));
  zone.addEventListener("drop", (event) => {
    event.preventDefault();
    zone.classList.remove("over");
    const file = event.dataTransfer?.files[0];
    if (file) onFile(file);
  });
}

/** The screen while an archive is being opened. */
export class OpeningProgress {
  /**
   * @param {Words} words
   * @param {() => void} onCancel
   */
  constructor(words, onCancel) {
    this.words = words;
    this.onCancel = onCancel;
    this.body = el("div", {});
    this.node = el("main", { class: "opening", tabindex: -1 }, el("h1", {}, words.say("appName")), this.body);
    this.bar = el("progress", { max: 1, "aria-label": words.say("loading") });
    this.label = el("p", { role: "status" }, words.say("loading"));
    this.wait();
  }

  /** @private */
  wait() {
    this.bar.removeAttribute("value");
    this.body.replaceChildren(
      el(
        "div",
        { class: "sheet" },
        this.label,
        this.bar,
        el("p", {}),
        button(this.words.say("cancel"), this.onCancel, { class: "button plain" }),
      ),
    );
  }

  /** @param {Progress} progress */
  show({ done, total, what }) {
    const key = `progress${what.charAt(0).toUpperCase()}${what.slice(1)}`;
    const text = this.words.say(key);
    if (this.label.textContent !== text) this.label.replaceChildren(text);
    if (total > 0 && what !== "unlocking") this.bar.value = done / total;
    else this.bar.removeAttribute("value");
  }

  /**
   * @param {Record<string, any>} outer
   * @param {boolean} wrong
   * @returns {Promise<string | null>}
   */
  ask(outer, wrong) {
    const { words } = this;
    return new Promise((resolve) => {
      const input = el("input", {
        type: "password",
        id: "passphrase",
        autocomplete: "off",
        spellcheck: "false",
        autocapitalize: "off",
        required: true,
        "aria-describedby": wrong ? "wrong" : "hint",
      });
      const see = el("input", {
        type: "checkbox",
        id: "see",
        onchange: () => (input.type = see.checked ? "text" : "password"),
      });
      const send = (/** @type {Event} */ event) => {
        event.preventDefault();
        const { value } = input;
        input.value = "";
        this.wait();
        resolve(value);
      };
      const made = moment(outer.exportedAt);
      const form = el(
        "form",
        { class: "sheet", onsubmit: send },
        made
          ? el(
              "p",
              { class: "quiet" },
              words.say("aboutOf", { date: words.moment(made) }),
              textOf(outer.producedBy) ? ` · ${textOf(outer.producedBy)}` : "",
            )
          : null,
        wrong
          ? el("p", { class: "notice bad", id: "wrong", role: "alert" }, words.say("problemWrongPassphrase"))
          : null,
        el("div", { class: "field" }, el("label", { for: "passphrase" }, words.say("passphrase")), input),
        el("div", { class: "field" }, el("label", { class: "check", for: "see" }, see, words.say("passphraseShow"))),
        el("p", { class: "small quiet", id: "hint" }, words.say("passphraseHint"), " ", words.say("passphraseForeign")),
        el(
          "div",
          { class: "row-of-buttons" },
          el("button", { type: "submit", class: "button first" }, words.say("unlock")),
          button(words.say("cancel"), () => resolve(null), { class: "button plain" }),
        ),
      );
      this.body.replaceChildren(form);
      input.focus();
    });
  }
}

/**
 * @param {Words} words
 * @param {unknown} error
 * @param {() => void} onBack
 */
export function problemNode(words, error, onBack) {
  const problem = error instanceof ArchiveProblem ? error.toData() : null;
  // An archive of an older format is whole, as far as this page can tell.
  const isWhole = problem?.verdict === "older";
  const said = problem
    ? isWhole
      ? words.say("problemOlder")
      : problemText(words, problem)
    : [
        words.say("problemUnknown"),
        " ",
        el("span", { class: "mono small" }, error instanceof Error ? error.message : String(error)),
      ];
  return el(
    "main",
    { class: "opening", tabindex: -1 },
    el("h1", {}, words.say("openTitle")),
    el("p", { class: isWhole ? "notice" : "notice bad", role: "alert", "data-verdict": problem?.verdict, "data-code": problem?.code }, said),
    button(words.say("openAnother"), onBack, { class: "button first" }),
  );
}
