// Starts the sections of the page from its data block.

import { BdTable } from "./bdtable.js";
import { Compare } from "./compare.js";
import { readData } from "./data.js";
import { byId } from "./dom.js";
import { drawLossless, drawNotes } from "./notes.js";
import { Plot } from "./plot.js";
import { Records } from "./records.js";

const data = readData(byId("data").textContent);
const compare = new Compare(data);
new Plot(data, (point, side) => compare.pick(point, side));
new BdTable(data);
new Records(data);
drawLossless(data);
drawNotes(data);
document.documentElement.dataset.ready = "true";
