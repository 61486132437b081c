/** Answers questions about the model, for tests that compare it with others: a list of calls in, a list of results out. */
import { daysOfSeries, parseRule } from "../../../manabackup/viewer/page/model/recurrence.js";
import { toCsv, toJson } from "../../../manabackup/viewer/page/model/take.js";
import { fold } from "../../../manabackup/viewer/page/model/folding.js";
import { searchText } from "../../../manabackup/viewer/page/model/search-text.js";
import { money } from "../../../manabackup/viewer/page/model/money.js";
import { model, tables } from "./given.js";

const ANSWERS = {
  days: ({ rule, start, from, to }) => daysOfSeries(parseRule(rule), start, from, to),
  csv: ({ rows }) => toCsv(tables, rows),
  json: ({ rows }) => toJson(tables, rows),
  folded: ({ text }) => fold(text),
  searched: ({ table, text }) => searchText(tables, table, JSON.parse(text)),
  described: ({ table, text }) => model.describe(table, JSON.parse(text)),
  money: ({ table, field, text }) => money(tables.table(table), tables.table(table).money.find((one) => one.field === field), JSON.parse(text)),
};

let asked = "";
for await (const piece of process.stdin) asked += piece;
process.stdout.write(JSON.stringify(JSON.parse(asked).map(({ what, ...given }) => ANSWERS[what](given))));
