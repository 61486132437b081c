/**
 * The shapes that cross between the store and the screens. Types only.
 */

/** @typedef {import("../reader/problem.js").ProblemData} ProblemData */
/** @typedef {import("../reader/problem.js").Verdict} Verdict */

/**
 * What a row means to people, as `model/` tells it. The store keeps this of every row of a table that was looked at.
 * @typedef {object} Description
 * @property {string} title never empty: where a row has none, what else tells it apart
 * @property {string} line the first line of its text, at most some 200 characters; may be empty
 * @property {string | null} date by the reader's clock: `2026-05-01`, `2026-05-01T08:30`, or `2026-05`
 * @property {string | null} dateEnd the same, where it takes some time, or until when a series goes on
 * @property {string | null} dateVia id of the row of `timeBlocks` whose dates are this row's
 * @property {boolean} repeats whether it is a series that has to be expanded
 * @property {string[]} tags names of tags that stand in the row itself
 * @property {string[]} tagIds ids of rows in the table of tags
 * @property {boolean} archived
 * @property {boolean} deleted
 * @property {boolean | null} done of things that can be done; null of others
 * @property {string | null} spaceId
 * @property {Link[]} links to other rows
 * @property {string[]} flags other things that a list shows: `favorite`, `pinned`, …
 * @property {any} extra a small JSON value that screens need in lists; the store passes it on
 */

/**
 * @typedef {object} Link
 * @property {string} field the row's field that names the other row
 * @property {string | null} table where it is; null: in any table
 * @property {string} id
 */

/**
 * What the store asks of `model/`: pure functions, no DOM, made by `createModel(modules)`.
 * @typedef {object} Model
 * @property {(table: string) => string} appOf the app that a table belongs to
 * @property {(table: string, row: Record<string, any>) => Description} describe never throws, whatever a row holds
 * @property {(table: string, row: Record<string, any>) => string} searchText all text of a row that people search for
 * @property {(table: string, row: Record<string, any>) => {text: string, labels: string[]}} searchPieces the same: what
 *   somebody wrote, and the labels of what was chosen, in all languages
 * @property {(text: string) => string} fold what is left of a text when case, accents and forms of a letter do not count
 * @property {(table: string) => {entity: string, tag: string, tagTable: string} | null} junction of a table whose rows
 *   tie tags to rows: the fields that name both, and the table of tags
 * @property {(text: string | null) => string | null} clock a time as it was written, by the reader's clock as in `Description`
 * @property {(table: string) => readonly string[]} privateFields the table's encrypted fields, by the registry
 */

/**
 * @typedef {object} TableSummary
 * @property {string} app
 * @property {string} table
 * @property {number} rows as the manifest says; exact once the table was read
 * @property {number} bytes of its text
 */

/**
 * @typedef {object} Summary
 * @property {Record<string, any>} manifest the authenticated one where there are two
 * @property {boolean} sealed
 * @property {number} size of the archive in bytes
 * @property {TableSummary[]} tables in the archive's order
 * @property {string[]} files names of entries under `account/`
 * @property {number} blobs how many pictures and other files it holds
 * @property {boolean} filesTold whether it says anything of files
 * @property {string[]} notes oddities that lose nothing, in plain English
 */

/**
 * A row in a list. `table` and `index` name it for good; `id` is what it is called in the archive.
 * @typedef {object} Item
 * @property {string} table
 * @property {string} app
 * @property {number} index of the row in its table, from 0
 * @property {string} id
 * @property {string} title
 * @property {string} line
 * @property {string | null} date its own, or that of its time block
 * @property {string | null} dateEnd
 * @property {string | null} written the earliest time in its line of `meta/`, as its writer gave it. Where there is no
 *   `date`, lists are sorted by it
 * @property {boolean} repeats
 * @property {string[]} tags names, those that other rows tie to it included
 * @property {boolean} archived
 * @property {boolean} deleted
 * @property {boolean | null} done
 * @property {string | null} spaceId
 * @property {string[]} flags
 * @property {any} extra
 */

/**
 * @typedef {object} Filters what an item must be to stay in a list; what is left out does not filter
 * @property {string[]} [tags] has all of them
 * @property {string} [from] its date is not before (a prefix of ISO 8601: `2026`, `2026-05`, `2026-05-01`)
 * @property {string} [to] its date is not after this day, month or year
 * @property {string} [space] id of its space; `""`: none
 * @property {boolean} [archived]
 * @property {boolean} [deleted] default false: tombstones are not listed
 * @property {boolean} [done]
 * @property {{field: string, id: string}} [parent] its link `field` names this row: the messages of a conversation
 */

/**
 * @typedef {object} ListOptions
 * @property {"date" | "title" | "table"} [sort] `table`: the archive's own order. Default `date`
 * @property {boolean} [descending] default true for `date`, else false
 * @property {Filters} [filters]
 * @property {string} [words] as in `search`
 * @property {number} [patience] milliseconds: when the tables take longer to read, the list has what was read by then,
 *   and is not `complete`. Ask again without it for the whole
 */

/**
 * @typedef {object} MadeList
 * @property {number} list its number
 * @property {number} total
 * @property {boolean} complete
 * @property {number} left rows that were not searched for the list's words
 * @property {string[]} broken tables that are damaged, as far as is known by now: nothing of them stands in any list
 */

/**
 * @typedef {object} Facets what can be filtered by, over all rows of some tables
 * @property {number} rows
 * @property {{tag: string, rows: number}[]} tags most frequent first
 * @property {{space: string, type: string | null, rows: number}[]} spaces
 * @property {{year: string, rows: number}[]} years ascending
 * @property {number} archived
 * @property {number} deleted
 * @property {number} done
 * @property {number} undated
 */

/**
 * Who wrote a field when; from `meta/`.
 * @typedef {object} Written
 * @property {string | null} at as its writer gave it
 * @property {Record<string, any> | null} actor a line of `meta/actors.jsonl`
 * @property {string | null} origin
 */

/**
 * @typedef {object} History
 * @property {Written} row the triple that most fields share
 * @property {Record<string, Written>} fields those that differ; without a prototype
 * @property {Record<string, any> | null} space a line of `meta/spaces.jsonl`
 * @property {string[] | null} ciphertext the fields that still are ciphertext; null: the archive does not say
 */

/**
 * @typedef {object} RowView
 * @property {Item} item
 * @property {Record<string, any>} row parsed. Numbers that JavaScript cannot hold are `NumberText`, see `reader/json.js`.
 *   Its names are somebody's data: ask with `Object.hasOwn`, walk with `Object.entries`
 * @property {string} raw its exact text
 * @property {History | null} history null where the archive has no `meta/`
 * @property {{field: string, item: Item}[]} linksOut
 * @property {{field: string, id: string, table: string | null}[]} linksMissing to rows that the archive does not have
 * @property {{field: string, item: Item}[]} linksIn at most 1,000
 * @property {FileTold[]} files that it refers to, lost ones as well
 * @property {boolean} complete false: tables are still being read. Ask again without patience for links and history
 * @property {string[]} broken tables that are damaged: no links from them are known
 */

/**
 * @typedef {object} Mark a piece of text, and whether it was searched for
 * @property {string} text
 * @property {boolean} hit
 */

/**
 * @typedef {object} Hit
 * @property {Item} item
 * @property {Mark[]} title the title in pieces
 * @property {Mark[]} excerpt some words around the first hit outside the title, else the row's first line; may be empty
 */

/**
 * @typedef {object} SearchResult
 * @property {number} total
 * @property {{table: string, rows: number}[]} tables how many hits each table has, most first
 * @property {Hit[]} hits
 * @property {boolean} ready false: not all tables are in the index yet; ask again
 * @property {number} left rows that are not searched: the index has no room for them
 * @property {string[]} broken tables that are damaged, and not searched
 */

/**
 * @typedef {object} VerifyResult
 * @property {boolean} whole
 * @property {ProblemData[]} problems
 * @property {string[]} notes
 * @property {number} rows
 * @property {number} tables
 * @property {string | null} dataSha256
 */

/**
 * @typedef {object} Activity rows with a date, by month; deleted ones left out
 * @property {{app: string, month: string, rows: number}[]} months `month` is `YYYY-MM`
 * @property {number} undated
 * @property {string[]} broken tables that are damaged, and not counted
 */

/**
 * A place in a row that leads to a file.
 * @typedef {object} Referrer
 * @property {string} table
 * @property {string} id
 * @property {string} field
 */

/**
 * What an archive says of a file.
 * @typedef {object} FileTold
 * @property {string} sha256 of its content, which is its name in the archive; "" of a lost one
 * @property {number} size in bytes
 * @property {string} type a media type; "" where none is known
 * @property {string} name that somebody gave it; "" where none is known
 * @property {string | null} taken by the camera's clock
 * @property {string | null} kept when the service took it
 * @property {Referrer[]} rows
 * @property {string[]} ways that lead to it, as `leadsTo` (`model/addresses.js`) spells them
 * @property {string | null} lost why it could not be had; null: it is in the archive
 */

/**
 * A file as the gallery shows it.
 * @typedef {FileTold & {date: string, items: Item[], complete: boolean}} ShownFile `date` as in `Description`; "": none is
 *   known. `items`: some of its rows. `complete`: false: they are still being read
 */

/**
 * @typedef {object} Gallery
 * @property {number} pictures
 * @property {number} others
 * @property {{reason: string, files: number}[]} lost
 * @property {ShownFile[]} files newest first, of the kind that was asked for
 * @property {boolean} complete false: rows are still being read, by whose dates some files stand elsewhere
 */

/** @typedef {{done: number, total: number, what: "checking" | "unlocking" | "opening" | "reading" | "verifying" | "indexing"}} Progress */
/** @typedef {(progress: Progress) => void} OnProgress */

export {};
