/**
 * What the tables mean: `formats/modules.json`, with what is absent there filled in. Tables that it does not know
 * (`app.collection`, or newer ones) are described by their names, and shown like all others.
 *
 * @typedef {import("./types.js").Table} Table
 * @typedef {import("./types.js").App} App
 * @typedef {import("./types.js").Group} Group
 * @typedef {import("./types.js").Label} Label
 * @typedef {import("./types.js").TextFormat} TextFormat
 */

export class Tables {
  /** @param {any} modules the content of `formats/modules.json` */
  constructor(modules) {
    /** @private */
    this.modules = modules;
    /** @private @type {Map<string, Table>} */
    this.described = new Map();
    /** @type {App[]} */
    this.apps = Object.entries(modules.apps).map(appOf);
    /** @type {Group[]} */
    this.groups = [
      ...Object.entries(modules.groups).map(groupOf),
      { id: "unknown", label: { de: "Weiteres", en: "Others" } },
    ];
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
      const known = Object.hasOwn(this.modules.tables, name);
      table = known ? tableOf(name, this.modules) : unknownTable(name, this.modules.secrets);
      this.described.set(name, table);
    }
    return table;
  }

  /**
   * @param {string} id
   * @returns {App}
   */
  app(id) {
    const known = this.apps.find((app) => app.id === id);
    return known ?? { id, label: { de: id, en: id }, color: null, group: "unknown", tables: [] };
  }
}

/**
 * @param {[string, any]} entry
 * @returns {Group}
 */
function groupOf([id, group]) {
  return { id, label: { de: group.label_de, en: group.label_en } };
}

/**
 * @param {[string, any]} entry
 * @returns {App}
 */
function appOf([id, app]) {
  const label = { de: app.label_de, en: app.label_en };
  return { id, label, color: app.color ?? null, group: app.group, tables: app.tables };
}

/**
 * @param {string} name
 * @param {any} modules
 * @returns {Table}
 */
function tableOf(name, modules) {
  const table = modules.tables[name];
  const junction = modules.junctions[name];
  return {
    name,
    app: table.appId,
    known: true,
    label: { de: table.label_de, en: table.label_en },
    role: table.role,
    scope: table.scope,
    title: table.titleFields ?? [],
    titleElse: table.titleFallback ?? [],
    date: table.dateField ?? null,
    dates: new Map(Object.entries(table.dates ?? {})),
    texts: textsOf(table.textFields ?? []),
    enums: enumsOf(table.enums ?? {}, modules.visibility.labels),
    units: new Map(Object.entries(table.units ?? {})),
    money: table.moneyFields ?? [],
    bin: table.binField ?? null,
    order: table.orderField ?? null,
    references: new Map(Object.entries({ ...table.unverifiedReferences, ...table.references })),
    geo: table.geoFields ?? [],
    fields: new Set(Object.keys(table.fields)),
    secrets: new Set([...modules.secrets, ...(table.secrets ?? [])]),
    junction: junction ?? null,
    tagIds: table.tags?.ids ?? [],
    tagNames: table.tags?.names ?? [],
  };
}

/**
 * @param {{field: string, format: TextFormat}[]} fields
 * @returns {Map<string, TextFormat>}
 */
function textsOf(fields) {
  return new Map(fields.map(({ field, format }) => [field, format]));
}

/**
 * @param {Record<string, {labels: Record<string, [string, string]>}>} described
 * @param {Record<string, [string, string]>} visibility
 */
function enumsOf(described, visibility) {
  const enums = new Map(Object.entries(described).map(([field, { labels }]) => [field, labelsOf(labels)]));
  if (!enums.has("visibility")) enums.set("visibility", labelsOf(visibility));
  return enums;
}

/**
 * @param {Record<string, [string, string]>} labels
 * @returns {Map<string, Label>}
 */
function labelsOf(labels) {
  return new Map(Object.entries(labels).map(([value, [de, en]]) => [value, { de, en }]));
}

/**
 * @param {string} name
 * @param {string[]} secrets
 * @returns {Table}
 */
function unknownTable(name, secrets) {
  const dot = name.indexOf(".");
  return {
    name,
    app: dot > 0 ? name.slice(0, dot) : "",
    known: false,
    label: { de: name, en: name },
    role: "unknown",
    scope: "space",
    title: [],
    titleElse: ["title", "name", "label", "subject", "content", "text", "description"],
    date: null,
    dates: new Map(),
    texts: new Map(),
    enums: new Map(),
    units: new Map(),
    money: [],
    bin: null,
    order: null,
    references: new Map(),
    geo: [],
    fields: new Set(),
    secrets: new Set([...secrets, "password", "token", "publicToken", "grant"]),
    junction: null,
    tagIds: [],
    tagNames: [],
  };
}
