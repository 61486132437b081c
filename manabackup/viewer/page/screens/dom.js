/**
 * Making elements. Text goes in as text: nothing here, or anywhere in this page, takes HTML.
 *
 * @typedef {Node | string | number | null | undefined | false} Child
 * @typedef {Record<string, string | number | boolean | null | undefined | ((event: any) => void)>} Attributes
 */

const SVG = "http://www.w3.org/2000/svg";

/**
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {Attributes} [attributes] functions are listeners: `onclick`; `false`, null and undefined leave an attribute out
 * @param {...(Child | Child[])} children
 * @returns {HTMLElementTagNameMap[Tag]}
 */
export function el(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  adorn(element, attributes);
  element.append(...nodes(children));
  return element;
}

/**
 * @param {string} tag
 * @param {Attributes} [attributes]
 * @param {...(Child | Child[])} children
 */
export function svg(tag, attributes = {}, ...children) {
  const element = document.createElementNS(SVG, tag);
  adorn(element, attributes);
  element.append(...nodes(children));
  return element;
}

/**
 * @param {Element} element
 * @param {Attributes} attributes
 */
function adorn(element, attributes) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === false || value === null || value === undefined) continue;
    if (typeof value === "function") element.addEventListener(name.replace(/^on/, ""), value);
    else element.setAttribute(name, value === true ? "" : String(value));
  }
}

/**
 * @param {(Child | Child[])[]} children
 * @returns {(Node | string)[]}
 */
function nodes(children) {
  return children
    .flat()
    .filter((child) => child !== null && child !== undefined && child !== false)
    .map((child) => (typeof child === "number" ? String(child) : /** @type {Node | string} */ (child)));
}

/**
 * Text of somebody's: its direction is its own, so that no override reaches what stands beside it.
 *
 * @param {string} text
 * @param {Attributes} [attributes]
 */
export function own(text, attributes = {}) {
  return el("bdi", attributes, text);
}

/**
 * @param {string} label
 * @param {(event: any) => void} onclick
 * @param {Attributes} [attributes]
 */
export function button(label, onclick, attributes = {}) {
  return el("button", { type: "button", class: "button", onclick, ...attributes }, label);
}

/**
 * @param {string} label
 * @param {string} id
 * @param {{value: string, label: string}[]} options
 * @param {string} chosen
 * @param {(value: string) => void} onchange
 */
export function picker(label, id, options, chosen, onchange) {
  const select = el(
    "select",
    { id, onchange: (event) => onchange(event.target.value) },
    options.map((option) => el("option", { value: option.value, selected: option.value === chosen }, option.label)),
  );
  return el("div", { class: "pick" }, el("label", { for: id }, label), select);
}
