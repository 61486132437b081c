/**
 * What the tables mean: `formats/modules.json`, with what is absent there filled in. Tables that it does not know
 * (`app.collection`, or newer ones) are described by their names, and shown like all others.
 *
 * @typedef {import('./types.js').Table} Table
 * @typedef {import('./types.js').App} App
 * @typedef {import('./types.js').Group} Group
 * @typedef {import('./types.js').Label} Label
 * @typedef {import('./types.js').TextFormat} TextFormat
 */

/**
 * In upstream's order.
 *
 * @type {Group[]}
 */
const GROUPS = [
  { id: "life", label: { de: "Leben", en: "Life" } },
  { id: "work", label: { de: "Arbeit", en: "Work" } },
  { id: "creative", label: { de: "Kreativ", en: "Creative" } },
  { id: "companion", label: { de: "Companion", en: "Companion" } },
  { id: "ai", label: { de: "KI", en: "AI" } },
  { id: "system", label: { de: "System", en: "System" } },
  { id: "unknown", label: { de: "Unbekannt", en: "Unknown" } },
];

/** Fields that let somebody in: shown in no list, no table of fields and nothing that is taken along (modules.md 0.18). */
export const SECRET_FIELDS = new Map([
  ["links", ["password"]],
  ["socialEvents", ["publicToken"]],
  ["eventInvitations", ["token"]],
  ["aiMissions", ["grant"]],
]);

/**
 * @param {string} table
 * @param {string} field
 */
export function isSecret(table, field) {
  return field === "unlistedToken" || (SECRET_FIELDS.get(table)?.includes(field) ?? false);
}

export class Tables {
  /** @param {any} modules the content of `formats/modules.json` */
  constructor(modules) {
    /** @private */
    this.modules = modules;
    /** @private @type {Map<string, Table>} */
    this.described = new Map();
    /** @type {App[]} */
    this.apps = Object.entries(modules.apps).map(([id, app]) => appOf(id, /** @type {any} */ (app)));
    this.groups = GROUPS;
    /** @private @type {Map<string, string>} */
    this.byCollection = new Map();
    for (const [name, table] of Object.entries(/** @type {Record<string, any>} */ (modules.tables))) {
      this.byCollection.set(`${table.appId}/${table.syncName}`, name);
      this.byCollection.set(`${table.appId}/${name}`, name);
    }
  }

  /** @returns {string[]} in the registry's order */
  get tableNames() {
    return Object.keys(this.modules.tables);
  }

  /**
   * @param {string} name of an archive's entry, `data/<name>.jsonl`
   * @returns {Table}
   */
  table(name) {
    let table = this.described.get(name);
    if (!table) {
      table = Object.hasOwn(this.modules.tables, name) ? tableOf(name, this.modules) : unknownTable(name);
      this.described.set(name, table);
    }
    return table;
  }

  /**
   * @param {string} id
   * @returns {App}
   */
  app(id) {
    return (
      this.apps.find((app) => app.id === id) ?? {
        id,
        label: { de: id, en: id },
        color: null,
        group: "unknown",
        tables: [],
      }
    );
  }

  /**
   * @param {string} app
   * @param {string} collection the server's name, or the table's
   * @returns {string | undefined} the table
   */
  tableOfCollection(app, collection) {
    return this.byCollection.get(`${app}/${collection}`);
  }
}

/**
 * @param {string} id
 * @param {any} app
 * @returns {App}
 */
function appOf(id, app) {
  return {
    id,
    label: { de: app.label_de, en: app.label_en },
    color: app.color ?? null,
    group: app.groupListed ? app.group : (app.groupSuggested ?? app.group),
    tables: app.tables,
  };
}

/**
 * @param {string} name
 * @param {any} modules
 * @returns {Table}
 */
function tableOf(name, modules) {
  const table = modules.tables[name];
  const junction = modules.junctions[name];
  const { inlineGlobalTagIds: ids, inlineNames: names } = modules.tagSources;
  return {
    name,
    app: table.appId,
    known: true,
    label: { de: table.label_de, en: table.label_en },
    role: table.role,
    scope: table.scope,
    title: table.titleField ? table.titleField.split(" ") : [],
    date: table.dateField ?? null,
    dates: new Map(Object.entries(table.dates ?? {})),
    texts: textsOf(table.textFields ?? []),
    enums: enumsOf(table, modules),
    units: new Map(Object.entries(table.units ?? {})),
    money: table.moneyFields ?? [],
    flags: new Set(table.flags ?? []),
    parent: table.parentField ?? null,
    order: table.orderField ?? null,
    references: new Map(Object.entries({ ...table.unverifiedReferences, ...table.references })),
    files: new Set((table.binary ?? []).map((/** @type {any} */ file) => file.field)),
    geo: table.geoFields ?? [],
    fields: new Set(Object.keys(table.fields)),
    junction: junction ? junctionOf(junction, table) : null,
    tagIds: Object.hasOwn(ids, name) ? { path: ids[name], tagTable: "globalTags" } : null,
    tagNames: Object.hasOwn(names, name) ? names[name] : null,
  };
}

/**
 * @param {any} junction
 * @param {any} table
 */
function junctionOf(junction, table) {
  const owner = table.junctionKeys?.[junction.entity] ?? table.references?.[junction.entity] ?? "";
  return { entity: junction.entity, table: owner, tag: junction.tag, tagTable: junction.tagTable };
}

/**
 * @param {any[]} fields
 * @returns {Map<string, TextFormat>}
 */
function textsOf(fields) {
  /** @type {Map<string, TextFormat>} */
  const texts = new Map();
  for (const { field, format } of fields) texts.set(field, formatOf(format));
  return texts;
}

/**
 * Of texts that are `plain or Markdown` Markdown: plain text reads the same in it, but for its marks.
 *
 * @param {string} format
 * @returns {TextFormat}
 */
function formatOf(format) {
  if (format.startsWith("HTML")) return "html";
  return format.includes("Markdown") ? "markdown" : "plain";
}

/**
 * @param {any} table
 * @param {any} modules
 */
function enumsOf(table, modules) {
  /** @type {Map<string, Map<string, Label>>} */
  const enums = new Map();
  for (const [field, { labels }] of Object.entries(/** @type {Record<string, any>} */ (table.enums ?? {})))
    enums.set(field, labelsOf(labels));
  if (!enums.has("visibility")) enums.set("visibility", labelsOf(modules.visibility.labels));
  return enums;
}

/** @param {Record<string, [string, string]>} labels */
function labelsOf(labels) {
  return new Map(Object.entries(labels).map(([value, [de, en]]) => [value, { de, en }]));
}

/**
 * @param {string} name
 * @returns {Table}
 */
function unknownTable(name) {
  const dot = name.indexOf(".");
  return {
    name,
    app: dot > 0 ? name.slice(0, dot) : "",
    known: false,
    label: { de: name, en: name },
    role: "unknown",
    scope: "space",
    title: ["title", "name", "label", "subject"],
    date: null,
    dates: new Map(),
    texts: new Map(),
    enums: new Map(),
    units: new Map(),
    money: [],
    flags: new Set(["isArchived", "isFavorite", "isPinned"]),
    parent: null,
    order: null,
    references: new Map(),
    files: new Set(),
    geo: [],
    fields: new Set(),
    junction: null,
    tagIds: null,
    tagNames: null,
  };
}
