/**
 * The members of a JSON object as they are written: to leave one out, and change nothing else.
 */

/**
 * @param {string} text a JSON object, known to be one
 * @returns {{name: string, text: string}[]} each member with its own text, `"name":value`
 */
export function membersOf(text) {
  /** @type {{name: string, text: string}[]} */
  const members = [];
  const start = text.indexOf("{") + 1;
  let begin = start;
  let depth = 0;
  for (let place = start; place < text.length; place += 1) {
    const letter = text.charAt(place);
    if (letter === '"') place = endOfString(text, place);
    else if (letter === "{" || letter === "[") depth += 1;
    else if ((letter === "," || letter === "}") && depth === 0) {
      const member = text.slice(begin, place).trim();
      if (member !== "") members.push({ name: nameOf(member), text: member });
      begin = place + 1;
      if (letter === "}") break;
    } else if (letter === "}" || letter === "]") depth -= 1;
  }
  return members;
}

/**
 * @param {string} text
 * @param {ReadonlySet<string>} names
 * @returns {string} the same object without these members; the same text where it has none of them
 */
export function without(text, names) {
  const members = membersOf(text);
  const kept = members.filter((member) => !names.has(member.name));
  return kept.length === members.length ? text : `{${kept.map((member) => member.text).join(",")}}`;
}

/** @param {string} member */
function nameOf(member) {
  return JSON.parse(member.slice(0, endOfString(member, 0) + 1));
}

/**
 * @param {string} text
 * @param {number} start of the opening quotation mark
 * @returns {number} the closing one
 */
function endOfString(text, start) {
  for (let end = text.indexOf('"', start + 1); end !== -1; end = text.indexOf('"', end + 1)) {
    let slashes = 0;
    while (text.charAt(end - 1 - slashes) === "\\") slashes += 1;
    if (slashes % 2 === 0) return end;
  }
  return text.length;
}
