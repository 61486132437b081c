/**
 * Pictures out of the archive: fetched from it when they come near the window, let go when they leave it.
 *
 * @typedef {import("./screen.js").App} App
 * @typedef {import("../store/types.js").FileTold} FileTold
 */
import { leadsTo } from "../model/addresses.js";
import { PICTURES } from "../store/files.js";
import { el, own } from "./dom.js";
import { link } from "./screen.js";

/** How far from the window a picture is fetched. */
const NEAR = "600px";

/** @type {WeakMap<Element, () => Promise<void>>} how each is shown wherever it stands */
const shownBy = new WeakMap();

/** @param {FileTold} file */
export function isPicture(file) {
  return file.lost === null && PICTURES.has(file.type);
}

/**
 * @param {App} app
 * @param {FileTold} file
 */
export function nameOf({ words }, file) {
  return file.name === "" ? words.say(isPicture(file) ? "picture" : "file") : file.name;
}

/**
 * A picture that leads to its own screen.
 *
 * @param {App} app
 * @param {FileTold} file
 * @param {AbortSignal} signal ends with the screen
 * @param {string} [alt] what somebody said of it
 */
export function pictureLink(app, file, signal, alt = "") {
  const name = alt === "" ? nameOf(app, file) : alt;
  const picture = pictureNode(app, file, signal, alt);
  return link(app, { screen: "file", file: file.sha256 }, { class: "picture", title: name }, picture);
}

/**
 * @param {App} app
 * @param {FileTold} file
 * @param {AbortSignal} signal
 * @param {string} [alt]
 */
export function pictureNode(app, file, signal, alt = "") {
  const image = el("img", { alt: alt === "" ? nameOf(app, file) : alt, decoding: "async" });
  const holder = el("span", { class: "frame" }, image);
  /** @type {Promise<void> | null} */
  let showing = null;
  const shown = () => (showing ??= show(app, file, image, holder).finally(() => (showing = null)));
  const observer = new IntersectionObserver(
    (entries) => {
      if (entries.at(-1)?.isIntersecting) void shown();
      else if (image.complete && image.hasAttribute("src")) {
        // What stands below stays where it is.
        holder.style.minHeight = `${holder.offsetHeight}px`;
        image.removeAttribute("src");
      }
    },
    { rootMargin: NEAR },
  );
  observer.observe(image);
  signal.addEventListener("abort", () => observer.disconnect(), { once: true });
  shownBy.set(image, shown);
  return holder;
}

/**
 * For a printer: those that are far from the window as well.
 *
 * @param {ParentNode} node
 */
export async function showAll(node) {
  await Promise.all([...node.querySelectorAll("img")].map((image) => shownBy.get(image)?.()));
}

/**
 * @param {App} app
 * @param {FileTold} file
 * @param {HTMLImageElement} image
 * @param {HTMLElement} holder
 * @returns {Promise<void>} when it stands there, or why it does not
 */
async function show({ store, words }, file, image, holder) {
  if (image.hasAttribute("src")) return;
  const failed = (/** @type {string} */ word) => holder.replaceChildren(el("span", { class: "small quiet" }, words.say(word)));
  try {
    const address = URL.createObjectURL(await store.file(file.sha256));
    await new Promise((resolve) => {
      image.addEventListener("load", resolve, { once: true });
      image.addEventListener("error", () => resolve(failed("fileUnshown")), { once: true });
      image.src = address;
    });
    URL.revokeObjectURL(address);
    holder.style.minHeight = "";
  } catch (error) {
    if (!(error instanceof DOMException)) failed("fileBroken");
  }
}

/** Pictures of the archive that stand within the texts of rows, found by the addresses that the texts have for them. */
export class TextPictures {
  /**
   * @param {App} app
   * @param {FileTold[]} files that the rows refer to, lost ones as well
   * @param {AbortSignal} signal
   */
  constructor(app, files, signal) {
    this._app = app;
    this._signal = signal;
    /** @type {Map<string, FileTold>} */
    this._files = new Map(files.flatMap((file) => file.ways.map((way) => [way, file])));
    /** @type {Set<FileTold>} those that stand in a text */
    this.placed = new Set();
  }

  /**
   * @param {string} address as the text has it: it is looked up, and never asked
   * @param {string} alt what the text says of it
   * @param {boolean} [alone] where it may not be a link, because it stands in one
   * @returns {Node | null} null: the archive tells nothing of it
   */
  node(address, alt, alone = false) {
    const file = this._files.get(leadsTo(address));
    if (file === undefined) return null;
    if (file.lost !== null) return missingPicture(this._app.words, alt, "pictureMissing");
    if (!isPicture(file)) return null;
    this.placed.add(file);
    const { _app: app, _signal: signal } = this;
    return alone
      ? el("span", { class: "picture" }, pictureNode(app, file, signal, alt))
      : pictureLink(app, file, signal, alt);
  }
}

/**
 * What stands in the place of a picture that is not shown.
 *
 * @param {import("../words/words.js").Words} words
 * @param {string} alt what the text says of it
 * @param {string} [why] a word
 */
export function missingPicture(words, alt, why) {
  const said = [alt === "" ? null : own(alt), alt !== "" && why ? " – " : null, why ? words.say(why) : null];
  return el("span", { class: "quiet" }, `[${words.say("picture")}`, alt !== "" || why ? ": " : null, said, "]");
}
