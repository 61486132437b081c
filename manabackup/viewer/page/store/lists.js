/** Lists of rows: which of some tables' rows stand in them, in which order, and what they can be filtered by. */

/** @typedef {import("./shelf.js").Shelf} Shelf */
/** @typedef {import("./table.js").Table} Table */
/** @typedef {import("./types.js").Activity} Activity */
/** @typedef {import("./types.js").Facets} Facets */
/** @typedef {import("./types.js").Filters} Filters */
/** @typedef {import("./types.js").Item} Item */
/** @typedef {import("./types.js").ListOptions} ListOptions */

/**
 * A row of some table.
 * @typedef {object} Place
 * @property {Table} table
 * @property {number} index
 */

/**
 * @param {Shelf} shelf
 * @param {readonly Place[]} places
 * @param {ListOptions} options
 * @returns {Place[]} those that the filters let pass, sorted; rows that are equal keep their order
 */
export function listed(shelf, places, options) {
  const filters = options.filters ?? {};
  const kept = places.filter(({ table, index }) => passes(shelf, table, index, filters));
  const sort = options.sort ?? "date";
  if (sort === "table") return options.descending ? kept.reverse() : kept;
  return sort === "title" ? byTitle(kept, options.descending ?? false) : byMoment(shelf, kept, options.descending ?? true);
}

/** @param {readonly Table[]} tables @returns {Place[]} all their rows */
export function everyRow(tables) {
  return tables.flatMap((table) => table.ids.map((_, index) => ({ table, index })));
}

/** @param {Shelf} shelf @param {readonly Place[]} places @param {boolean} descending @returns {Place[]} undated rows last */
export function byMoment(shelf, places, descending) {
  const keyed = places.map((place) => ({ place, key: shelf.moment(place.table, place.index) }));
  const way = descending ? -1 : 1;
  keyed.sort((a, b) => {
    if (a.key === b.key) return 0;
    if (a.key === "" || b.key === "") return a.key === "" ? 1 : -1;
    return a.key < b.key ? -way : way;
  });
  return keyed.map(({ place }) => place);
}

/** @param {Place[]} places @param {boolean} descending @returns {Place[]} as a dictionary has them */
function byTitle(places, descending) {
  const { compare } = new Intl.Collator(undefined, { numeric: true });
  const way = descending ? -1 : 1;
  const titled = places.map((place) => ({ place, title: place.table.descriptions[place.index].title }));
  return titled.sort((a, b) => way * compare(a.title, b.title)).map(({ place }) => place);
}

/** @param {Shelf} shelf @param {Table} table @param {number} index @param {Filters} filters @returns {boolean} */
function passes(shelf, table, index, filters) {
  const row = table.descriptions[index];
  if (row.deleted !== (filters.deleted ?? false)) return false;
  if (filters.archived !== undefined && row.archived !== filters.archived) return false;
  if (filters.done !== undefined && (row.done ?? false) !== filters.done) return false;
  if (filters.space !== undefined && (row.spaceId ?? "") !== filters.space) return false;
  const { parent, tags, from, to } = filters;
  if (parent !== undefined && !row.links.some(({ field, id }) => field === parent.field && id === parent.id)) return false;
  if (tags !== undefined && tags.length > 0) {
    const own = shelf.tags(table, index);
    if (!tags.every((tag) => own.includes(tag))) return false;
  }
  return from === undefined && to === undefined ? true : isWithin(shelf.moment(table, index), from, to);
}

/**
 * @param {string} moment
 * @param {string} [from] a day, month or year
 * @param {string} [to] a day, month or year, which counts as a whole
 * @returns {boolean}
 */
function isWithin(moment, from, to) {
  if (moment === "") return false;
  // A month reaches into the days of it.
  if (from !== undefined && moment < from && !from.startsWith(moment)) return false;
  return to === undefined || moment.slice(0, to.length) <= to;
}

/** @param {Shelf} shelf @param {readonly Table[]} tables @returns {Facets} */
export function facetsOf(shelf, tables) {
  /** @type {Map<string, number>} */
  const tags = new Map();
  /** @type {Map<string, number>} */
  const spaces = new Map();
  /** @type {Map<string, number>} */
  const years = new Map();
  const counts = { rows: 0, archived: 0, deleted: 0, done: 0, undated: 0 };
  for (const { table, index } of everyRow(tables)) {
    const row = table.descriptions[index];
    if (row.deleted) {
      counts.deleted += 1;
      continue;
    }
    counts.rows += 1;
    if (row.archived) counts.archived += 1;
    if (row.done) counts.done += 1;
    for (const tag of shelf.tags(table, index)) count(tags, tag);
    count(spaces, row.spaceId ?? "");
    const moment = shelf.moment(table, index);
    if (moment === "") counts.undated += 1;
    else count(years, moment.slice(0, 4));
  }
  const frequent = [...tags].sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1));
  return {
    ...counts,
    tags: frequent.map(([tag, rows]) => ({ tag, rows })),
    spaces: [...spaces].map(([space, rows]) => ({ space, type: null, rows })),
    years: [...years].sort(([a], [b]) => (a < b ? -1 : 1)).map(([year, rows]) => ({ year, rows })),
  };
}

/** @param {Shelf} shelf @param {readonly Table[]} tables @returns {Omit<Activity, "broken">} */
export function activityOf(shelf, tables) {
  const months = [];
  let undated = 0;
  /** @type {Map<string, Map<string, number>>} */
  const apps = new Map();
  for (const { table, index } of everyRow(tables)) {
    if (table.descriptions[index].deleted) continue;
    const month = shelf.moment(table, index).slice(0, 7);
    if (!/^[0-9]{4}-[0-9]{2}$/.test(month)) undated += 1;
    else {
      const own = apps.get(table.app) ?? new Map();
      apps.set(table.app, own);
      count(own, month);
    }
  }
  for (const [app, own] of apps) {
    for (const [month, rows] of [...own].sort(([a], [b]) => (a < b ? -1 : 1))) months.push({ app, month, rows });
  }
  return { months, undated };
}

/** @param {Map<string, number>} counts @param {string} key */
function count(counts, key) {
  counts.set(key, (counts.get(key) ?? 0) + 1);
}
