/**
 * Pictures out of the archive: fetched from it when they come near the window, let go when they leave it.
 *
 * @typedef {import("./screen.js").App} App
 * @typedef {import("../store/types.js").FileTold} FileTold
 */
import { PICTURES } from "../store/files.js";
import { el } from "./dom.js";
import { link } from "./screen.js";

/** How far from the window a picture is fetched. */
const NEAR = "600px";

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
 */
export function pictureLink(app, file, signal) {
  const name = nameOf(app, file);
  return link(app, { screen: "file", file: file.sha256 }, { class: "picture", title: name }, pictureNode(app, file, signal));
}

/**
 * @param {App} app
 * @param {FileTold} file
 * @param {AbortSignal} signal
 */
export function pictureNode(app, file, signal) {
  const image = el("img", { alt: nameOf(app, file), decoding: "async" });
  const holder = el("span", { class: "frame" }, image);
  const observer = new IntersectionObserver(
    (entries) => {
      if (entries.at(-1)?.isIntersecting) void show(app, file, image, holder);
      else if (image.complete) image.removeAttribute("src");
    },
    { rootMargin: NEAR },
  );
  observer.observe(image);
  signal.addEventListener("abort", () => observer.disconnect(), { once: true });
  return holder;
}

/**
 * @param {App} app
 * @param {FileTold} file
 * @param {HTMLImageElement} image
 * @param {HTMLElement} holder
 */
async function show({ store, words }, file, image, holder) {
  if (image.hasAttribute("src")) return;
  const failed = (/** @type {string} */ word) => holder.replaceChildren(el("span", { class: "small quiet" }, words.say(word)));
  try {
    const address = URL.createObjectURL(await store.file(file.sha256));
    const done = () => URL.revokeObjectURL(address);
    image.addEventListener("load", done, { once: true });
    image.addEventListener("error", () => (done(), failed("fileUnshown")), { once: true });
    image.src = address;
  } catch (error) {
    if (!(error instanceof DOMException)) failed("fileBroken");
  }
}
