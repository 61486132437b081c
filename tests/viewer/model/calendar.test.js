import assert from "node:assert/strict";
import { test } from "node:test";

import { birthdaysBetween, Calendar } from "../../../manabackup/viewer/page/model/calendar.js";
import { daysOfSeries, parseRule } from "../../../manabackup/viewer/page/model/recurrence.js";

const CALENDARS = [{ id: "cal", isDefault: true, timezone: "Europe/Berlin", color: "#3B82F6" }];
const SERIES = {
  id: "master",
  sourceModule: "calendar",
  sourceId: "e",
  type: "event",
  title: "Chor",
  startDate: "2026-03-03T18:00:00.000Z",
  endDate: "2026-03-03T20:00:00.000Z",
  recurrenceRule: "FREQ=WEEKLY;BYDAY=TU",
  parentBlockId: null,
};

/** A calendar with these blocks, and what stands on the days of a span. */
function shown(blocks, from, to, exists) {
  const calendar = new Calendar(
    { blocks, events: [{ id: "e", calendarId: "cal", title: "Chorprobe" }], calendars: CALENDARS },
    exists,
  );
  return calendar
    .between(from, to)
    .map(({ day, lastDay, clock, clockEnd, source }) => [day, lastDay, clock, clockEnd, source.title].join(" "));
}

const copy = (day, fields = {}) => ({
  ...SERIES,
  id: `copy-${day}`,
  recurrenceRule: null,
  parentBlockId: "master",
  recurrenceDate: day,
  startDate: `${day}T18:00:00.000Z`,
  endDate: `${day}T20:00:00.000Z`,
  ...fields,
});

test("a series keeps its clock when summer time begins, and its copies add nothing", () => {
  const copies = [
    copy("2026-03-03"),
    copy("2026-03-10"),
    copy("2026-03-31", { startDate: "2026-03-31T17:00:00.000Z", endDate: "2026-03-31T19:00:00.000Z" }),
  ];
  assert.deepEqual(shown([SERIES, ...copies], "2026-03-24", "2026-04-07"), [
    "2026-03-24 2026-03-24 19:00 21:00 Chorprobe",
    "2026-03-31 2026-03-31 19:00 21:00 Chorprobe",
    "2026-04-07 2026-04-07 19:00 21:00 Chorprobe",
  ]);
});

test("a copy that differs stands in for the series on its day", () => {
  const moved = copy("2026-03-10", { startDate: "2026-03-11T17:00:00.000Z", endDate: "2026-03-11T18:00:00.000Z" });
  assert.deepEqual(shown([SERIES, moved], "2026-03-08", "2026-03-14"), ["2026-03-11 2026-03-11 18:00 19:00 Chorprobe"]);
});

test("copies whose series is gone are events of their own", () => {
  const calendar = shown([copy("2026-03-10")], "2026-03-01", "2026-03-31");
  assert.deepEqual(calendar, ["2026-03-10 2026-03-10 19:00 21:00 Chorprobe"]);
});

test("deleted blocks and copies of deleted series", () => {
  const gone = { ...SERIES, deletedAt: "2026-04-01T00:00:00.000Z" };
  assert.deepEqual(shown([gone], "2026-03-01", "2026-03-31"), []);
});

test("all-day ends are inclusive, whoever wrote them", () => {
  const allDay = (start, end) => [
    {
      id: "b",
      sourceModule: "calendar",
      sourceId: "x",
      type: "event",
      title: "U",
      allDay: true,
      startDate: start,
      endDate: end,
    },
  ];
  const month = ["2026-04-01", "2026-06-30"];
  assert.deepEqual(shown(allDay("2026-04-30T22:00:00.000Z", "2026-05-05T21:59:00.000Z"), ...month), [
    "2026-05-01 2026-05-05   U",
  ]);
  assert.deepEqual(shown(allDay("2026-05-01T00:00:00", "2026-05-01T23:59:59"), ...month), [
    "2026-05-01 2026-05-01   U",
  ]);
  assert.deepEqual(shown(allDay("2026-05-01T09:00:00", "2026-05-01T08:00:00.000Z"), ...month), [
    "2026-05-01 2026-05-01   U",
  ]);
});

test("what goes over midnight touches both days", () => {
  const night = [
    {
      id: "b",
      sourceModule: "calendar",
      sourceId: "x",
      type: "event",
      title: "Zug",
      startDate: "2026-05-01T20:15:00.000Z",
      endDate: "2026-05-02T05:30:00.000Z",
    },
  ];
  assert.deepEqual(shown(night, "2026-05-02", "2026-05-02"), ["2026-05-01 2026-05-02 22:15 07:30 Zug"]);
  const midnight = [{ ...night[0], endDate: "2026-05-01T22:00:00.000Z" }];
  assert.deepEqual(shown(midnight, "2026-05-02", "2026-05-02"), [], "midnight is the end of the day before");
});

test("habits write RRULE: in front and a clock without a zone", () => {
  const habit = [
    {
      id: "h",
      sourceModule: "habits",
      sourceId: "h",
      type: "habit",
      title: "Laufen",
      startDate: "2026-04-01T07:00:00",
      endDate: "2026-04-01T05:20:00.000Z",
      recurrenceRule: "RRULE:FREQ=WEEKLY;BYDAY=MO,WE",
      parentBlockId: null,
    },
  ];
  assert.deepEqual(shown(habit, "2026-04-06", "2026-04-08"), [
    "2026-04-06 2026-04-06 07:00 07:20 Laufen",
    "2026-04-08 2026-04-08 07:00 07:20 Laufen",
  ]);
});

test("what cannot be read is counted", () => {
  const blocks = [
    { id: "1", startDate: "bald" },
    { ...SERIES, id: "2", recurrenceRule: "FREQ=MONTHLY;BYSETPOS=1" },
  ];
  const calendar = new Calendar({ blocks, events: [], calendars: CALENDARS });
  assert.equal(calendar.unread, 2);
  assert.deepEqual(
    calendar.between("2026-03-01", "2026-03-31").map(({ day }) => day),
    ["2026-03-03"],
    "the series' own first day stays",
  );
});

test("a block whose owner is not there opens itself", () => {
  const calendar = new Calendar({ blocks: [SERIES], events: [], calendars: [] }, () => false);
  assert.deepEqual(calendar.sources[0].target, { table: "timeBlocks", id: "master" });
});

test("rules that are not read are no rules", () => {
  for (const rule of [
    "",
    "FREQ=HOURLY",
    "FREQ=DAILY;BYDAY=MO",
    "FREQ=WEEKLY;BYDAY=2MO",
    "FREQ=DAILY;INTERVAL=0",
    "FREQ=DAILY;COUNT=x",
    "FREQ=DAILY;UNTIL=soon",
    "FREQ=DAILY;EXDATE=1",
  ])
    assert.equal(parseRule(rule), null, rule);
});

test("a series of a thousand years is looked into where one looks", () => {
  const rule = parseRule("FREQ=DAILY");
  assert.deepEqual(daysOfSeries(rule, "1026-01-01", "2026-05-01", "2026-05-02"), ["2026-05-01", "2026-05-02"]);
  assert.deepEqual(daysOfSeries(parseRule("FREQ=YEARLY"), "2024-02-29", "2025-01-01", "2029-01-01"), ["2028-02-29"]);
});

test("birthdays are kept every year but the first", () => {
  assert.deepEqual(birthdaysBetween("1992-02-29", "1992-01-01", "1996-12-31"), [
    "1993-02-28",
    "1994-02-28",
    "1995-02-28",
    "1996-02-29",
  ]);
});
