/** What all tests of the model use: the description of Mana's tables as the page has it. */
import { readFileSync } from "node:fs";

import { createModel } from "../../../manabackup/viewer/page/model/model.js";
import { Tables } from "../../../manabackup/viewer/page/model/tables.js";

export const modules = JSON.parse(readFileSync(new URL("../../../formats/modules.json", import.meta.url), "utf8"));
export const tables = new Tables(modules);
export const model = createModel(modules);
