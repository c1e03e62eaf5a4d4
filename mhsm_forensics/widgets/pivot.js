// Everything that touches one entity. Text from the log is set as text, never as markup; what is pressed is answered by
// the kernel, which knows entities by number.

const SVG = "http://www.w3.org/2000/svg";
const DAYS = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
const FEW = 6; // values of a list that are shown before it is opened
let made = 0;

function element(tag, name = "", text = "") {
  const found = document.createElement(tag);
  if (name) found.className = name;
  if (text !== "") found.textContent = text;
  return found;
}

function drawn(tag, values, text = "") {
  const found = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(values)) found.setAttribute(name, value);
  if (text !== "") found.textContent = text;
  return found;
}

function button(text, tip, press, name = "") {
  const found = element("button", name, text);
  found.type = "button";
  found.title = tip;
  found.addEventListener("click", press);
  return found;
}

const count = (number) => number.toLocaleString("en-US");
const stamp = (ms) => new Date(ms).toISOString().slice(0, 16).replace("T", " ");

function table(heads, rows) {
  const found = element("table");
  const line = element("tr");
  for (const [text, name] of heads) {
    const cell = element("th", name, text);
    cell.scope = "col";
    line.append(cell);
  }
  const head = element("thead");
  const body = element("tbody");
  head.append(line);
  body.append(...rows);
  found.append(head, body);
  return found;
}

function cells(...parts) {
  const line = element("tr");
  for (const [content, name] of parts) {
    const cell = element("td", name);
    cell.append(...[].concat(content));
    line.append(cell);
  }
  return line;
}

function render({ model, el }) {
  made += 1;
  const own = `mhsm-pivot-${made}`;
  const say = (values) => {
    for (const [name, value] of Object.entries(values)) model.set(name, value);
    model.save_changes();
  };
  const ask = (what, more = {}) => model.send({ do: what, ...more });
  const opened = new Set(); // kinds whose list is shown whole
  let rarest = false;
  let asked = false; // something was pressed: the new page takes the focus

  function lead(id, text, label, tip) {
    const shown = text || "none";
    const found = id < 0 ? [element("span", "", shown)] : [button(shown, tip, () => { asked = true; ask("pivot", { id }); }, "lead")];
    if (label) found.push(element("div", "faint", label));
    return found;
  }

  // --- what can be asked about
  const search = element("input");
  search.type = "search";
  search.placeholder = "an identity, address, network, key, client, operation, correlation id …";
  for (const [name, value] of [["role", "combobox"], ["aria-expanded", "false"], ["aria-controls", `${own}-offers`],
    ["aria-autocomplete", "list"], ["aria-label", "Find anything to ask about"]]) search.setAttribute(name, value);
  const offers = element("ul", "offers");
  offers.id = `${own}-offers`;
  offers.setAttribute("role", "listbox");
  offers.setAttribute("aria-label", "What was found");
  let chosen = 0;
  let waiting;
  search.addEventListener("input", () => {
    clearTimeout(waiting);
    waiting = setTimeout(() => say({ search: search.value }), 120);
  });
  search.addEventListener("keydown", (event) => {
    const last = [...offers.children].filter((one) => one.dataset.id).length - 1;
    if (event.key === "ArrowDown") choose(Math.min(chosen + 1, last));
    else if (event.key === "ArrowUp") choose(Math.max(chosen - 1, 0));
    else if (event.key === "Enter" && offers.children[chosen]?.dataset.id) take(Number(offers.children[chosen].dataset.id));
    else if (event.key === "Escape") { search.value = ""; say({ search: "" }); }
    else return;
    event.preventDefault();
  });
  search.addEventListener("blur", () => setTimeout(() => { if (document.activeElement !== search) offers.replaceChildren(); }, 200));

  function choose(number) {
    chosen = number;
    [...offers.children].forEach((one, place) => one.setAttribute("aria-selected", String(place === chosen)));
    search.setAttribute("aria-activedescendant", offers.children[chosen]?.id ?? "");
    offers.children[chosen]?.scrollIntoView({ block: "nearest" });
  }

  function take(id) {
    asked = true;
    ask("pivot", { id });
    search.value = "";
    offers.replaceChildren();
  }

  function offer() {
    offers.replaceChildren(...model.get("matches").map((one, place) => {
      const line = element("li", one.kind ? "" : "none");
      line.id = `${own}-offer-${place}`;
      line.setAttribute("role", "option");
      if (one.kind) {
        line.dataset.id = one.id;
        line.addEventListener("mousedown", (event) => { event.preventDefault(); take(one.id); });
      }
      const name = element("span", "", one.value);
      if (one.label) name.append(element("span", "faint", `  ${one.label}`));
      line.append(element("span", "faint", one.kind), name, element("span", "number faint", one.events ? `${one.events} events` : ""));
      return line;
    }));
    search.setAttribute("aria-expanded", String(offers.children.length > 0));
    choose(0);
  }

  const back = button("Back", "To the stop before", () => { asked = true; ask("back"); });
  const above = element("div", "bar");
  above.append(search, offers, back,
    button("Pin rows to notes", "Bookmark the ticked rows in the case's notes", () => ask("pin")),
    button("Add to report", "Keep this profile as a view, for the report", () => ask("report")));
  const trail = element("nav");
  trail.setAttribute("aria-label", "Trail");
  const message = element("div", "problem");
  message.setAttribute("role", "status");
  const head = element("div", "head");
  const figure = element("div");
  const panels = element("div", "panels");
  const tokens = element("div", "tokens"); // filled when they are counted, after the page
  const records = element("section");
  const record = element("div", "record");
  const code = element("pre", "code");
  code.tabIndex = 0;
  code.setAttribute("aria-label", "The same as code");
  el.classList.add("mhsm-pivot");
  el.addEventListener("keydown", (event) => { // the notebook has the same keys for its cells
    if (event.altKey && event.key === "ArrowLeft") { asked = true; ask("back"); event.preventDefault(); }
    if (!event.ctrlKey && !event.metaKey) event.stopPropagation();
  });
  el.append(above, trail, message, head, figure, panels, records, record, code);

  function drawTrail(view) {
    const stops = element("ol");
    view.trail.forEach((text, place) => {
      const stop = element("li");
      const left = view.trail.length - 1 - place;
      const press = button(text, left ? "Back to here" : "Here", () => { asked = true; ask("back", { stops: left }); });
      if (!left) { press.disabled = true; press.setAttribute("aria-current", "step"); }
      stop.append(press);
      stops.append(stop);
    });
    trail.replaceChildren(stops);
    back.disabled = view.trail.length < 2;
  }

  function drawHead(view) {
    const title = element("h3", "", view.value || "Everything");
    title.tabIndex = -1;
    const facts = element("dl");
    for (const [name, text] of view.facts) facts.append(element("dt", "", name), element("dd", "", text));
    if (view.t0) facts.append(element("dt", "", "new since"), element("dd", "", `T0, ${view.t0} UTC`));
    facts.append(element("dt", "", "looked at"), element("dd", "", view.scope));
    head.replaceChildren(element("div", "faint", view.kind + (view.label ? ` · ${view.label}` : "")), title, facts);
    if (asked) title.focus({ preventScroll: true });
    asked = false;
  }

  // --- when: a strip of bins, any of which narrows the table, and the hours of the week
  function drawStrip({ start, step, bins, t0 }) {
    if (!bins.length) return [];
    const [width, height, foot] = [1100, 74, 18];
    const peak = Math.max(...bins.map(([events]) => events));
    const tall = (events) => (events ? Math.max(2, (height - 6) * Math.log1p(events) / Math.log1p(peak)) : 0);
    const wide = width / bins.length;
    const found = drawn("svg", { viewBox: `0 0 ${width} ${height + foot}`, width: "100%", tabindex: 0, role: "group",
      "aria-label": "Events over time. Left and right arrows choose a stretch, Enter shows its rows, Escape all rows." });
    found.append(drawn("line", { class: "rule", x1: 0, x2: width, y1: height, y2: height }));
    let at = -1;
    const areas = bins.map(([events, denied], place) => {
      const rise = tall(events);
      const red = events ? rise * denied / events : 0;
      const x = place * wide + wide * 0.1;
      found.append(drawn("rect", { class: "calm", x, y: height - rise, width: wide * 0.8, height: rise - red }),
        drawn("rect", { class: "hot", x, y: height - red, width: wide * 0.8, height: red }));
      const area = drawn("rect", { class: "bin", x: place * wide, y: 0, width: wide, height });
      area.append(drawn("title", {}, `${stamp(start + place * step)} UTC: ${count(events)} events, ${count(denied)} denied`));
      area.addEventListener("click", () => narrow(place));
      return area;
    });
    found.append(...areas);
    if (t0 !== null && t0 >= start && t0 <= start + step * bins.length) {
      const x = (t0 - start) / step * wide;
      found.append(drawn("line", { class: "t0", x1: x, x2: x, y1: 0, y2: height }), drawn("text", { x: x + 4, y: 10 }, "T0"));
    }
    for (const [place, anchor] of [[0, "start"], [bins.length, "end"]])
      found.append(drawn("text", { x: place * wide, y: height + 14, "text-anchor": anchor }, `${stamp(start + place * step)} UTC`));
    const look = (place) => {
      areas[at]?.classList.remove("at");
      at = place;
      areas[at]?.classList.add("at");
    };
    const narrow = (place) => {
      look(place);
      ask("rows", { start: 0, between: [start + place * step, start + (place + 1) * step] });
    };
    found.addEventListener("keydown", (event) => {
      if (event.key === "ArrowRight") look(Math.min(at + 1, bins.length - 1));
      else if (event.key === "ArrowLeft" && !event.altKey) look(Math.max(at - 1, 0));
      else if (event.key === "Enter" && at >= 0) narrow(at);
      else if (event.key === "Escape") { look(-1); ask("rows", { start: 0 }); }
      else return;
      event.preventDefault();
    });
    const note = element("div", "faint", `Events over time, height by their logarithm, denied ones at the foot; the highest bar has ${count(peak)}. `
      + "A click on a bar shows its rows alone.");
    return [note, found];
  }

  function drawWeek({ zone, cells: hours }, later) {
    const [left, wide, high] = [34, 19, 18];
    const peak = Math.max(...hours.map(([, , before, since]) => Math.max(before, since)), 1);
    const found = drawn("svg", { viewBox: `0 0 ${left + 24 * wide} ${8 * high + 6}`, width: left + 24 * wide, role: "img",
      "aria-label": `Events by weekday and hour, ${zone}` });
    DAYS.forEach((day, place) => found.append(drawn("text", { x: 0, y: (place + 1) * high - 3 }, day)));
    for (let hour = 0; hour < 24; hour += 3)
      found.append(drawn("text", { x: left + (hour + 0.5) * wide, y: 8 * high, "text-anchor": "middle" }, String(hour).padStart(2, "0")));
    for (const [day, hour, before, since] of hours) {
      const [cx, cy] = [left + (hour + 0.5) * wide, (day + 0.5) * high];
      const round = (events) => Math.max(1.6, 8.5 * Math.sqrt(events / peak));
      const words = drawn("title", {}, `${DAYS[day]} ${String(hour).padStart(2, "0")}:00 ${zone}: `
        + (later ? `${count(before)} before T0, ${count(since)} since` : `${count(before + since)} events`));
      const group = drawn("g", {});
      if (before) group.append(drawn("circle", { class: "calm", cx, cy, r: round(before), opacity: since ? 0.6 : 0.85 }));
      if (since) group.append(drawn("circle", { class: before ? "ring" : "hot", cx, cy, r: round(since) }));
      group.append(words);
      found.append(group);
    }
    const part = element("section");
    const note = later ? "filled: before T0; rings: since; orange: hours new since T0" : "area: events";
    const title = element("h4", "", `Hours of the week, ${zone}`);
    title.append(element("span", "faint", note));
    part.append(title, found);
    return part;
  }

  // --- with what
  function drawList(list, whole) {
    const part = element("section");
    if (list.note) {
      part.append(element("h4", "", list.title), element("div", "faint", list.note));
      return part;
    }
    const rows = rarest ? [...list.rows].reverse() : list.rows;
    const all = opened.has(list.kind);
    const shown = all ? rows : rows.slice(0, FEW);
    const title = element("h4", "", list.title);
    const cut = list.shown < list.total ? `, ${count(list.shown)} here: the busiest and the rarest` : "";
    title.append(element("span", "faint", `${count(shown.length)} of ${count(list.total)}${all ? cut : ""}`));
    if (rows.length > FEW)
      title.append(button(all ? "fewer" : "more", all ? "Show the first ones only" : `Show ${count(list.shown)}`, () => {
        if (all) opened.delete(list.kind); else opened.add(list.kind);
        draw();
      }));
    const lines = shown.map((row) => {
      const marks = [row.control ? `${count(row.control)} control` : "", row.denied ? `${count(row.denied)} denied` : "",
        row.places > 1 ? `from ${count(row.places)} addresses` : "", !whole && row.alone ? "nobody else" : ""].filter(Boolean).join(", ");
      const name = lead(row.id, row.value, [row.label, row.hsm].filter(Boolean).join(" · "), "All that touches it");
      const first = element("span", row.new ? "new" : "", row.new ? `${row.first} new` : row.first);
      return cells([name, ""], [count(row.events), "number"], [marks, "faint"], [first, "when"]);
    });
    const found = table([["value", ""], ["events", "number"], ["of these", ""], ["first seen (UTC)", "when"]], lines);
    const frame = element("div", all ? "scroll" : "");
    frame.append(found);
    part.append(title, frame);
    return part;
  }

  const some = (rows, total, one, more) => (rows.length < total ? `the first ${count(rows.length)} of ` : "")
    + `${count(total)} ${total === 1 ? one : more}`;

  function drawDepartures({ total, rows }, t0) {
    if (!total) return [];
    const part = element("section");
    const title = element("h4", "", "What departs from routine");
    title.append(element("span", "faint", some(rows, total, ...["thing", "things"].map((thing) => `${thing} ${t0 ? "new since T0" : "taken up after three days or more"}`))));
    const lines = rows.map((row) => cells([row.first, "when"], [row.title, "faint"],
      [lead(row.id, row.value, [row.label, row.hsm].filter(Boolean).join(" · "), "All that touches it"), ""],
      [count(row.events), "number"], [row.denied ? `${count(row.denied)} denied` : "", "faint"]));
    const frame = element("div", "scroll");
    frame.append(table([["first (UTC)", "when"], ["what is new", ""], ["value", ""], ["events", "number"], ["of these", ""]], lines));
    part.append(title, frame);
    return [part];
  }

  function drawDenials({ total, rows }) {
    if (!total) return [];
    const part = element("section");
    const title = element("h4", "", "What was denied");
    title.append(element("span", "faint", some(rows, total, "kind", "kinds")));
    const lines = rows.map((row) => cells([row.what, ""], [row.on, ""], [row.status, "number"], [row.events, "number"], [row.first, "when"]));
    const frame = element("div", "scroll");
    frame.append(table([["operation", ""], ["on", ""], ["status", "number"], ["events", "number"], ["first (UTC)", "when"]], lines));
    part.append(title, frame);
    return [part];
  }

  function draw() {
    const view = model.get("view");
    if (!view.trail) return;
    const began = performance.now();
    const whole = view.trail.length < 2;
    drawTrail(view);
    drawHead(view);
    figure.replaceChildren(...drawStrip(view.strip));
    const turn = button(rarest ? "Busiest first" : "Rarest first", "Turn every list round", () => { rarest = !rarest; draw(); });
    const bar = element("div", "bar");
    bar.append(turn);
    figure.append(bar);
    const later = Boolean(view.t0);
    panels.replaceChildren(...drawDepartures(view.departures, view.t0), ...view.weeks.map((week) => drawWeek(week, later)),
      ...view.lists.map((list) => drawList(list, whole)), ...drawDenials(view.denials), tokens);
    drawTokens();
    el.dataset.view = view.number;
    el.dataset.drawn = (performance.now() - began).toFixed(1);
  }

  function drawTokens() {
    const list = model.get("tokens");
    tokens.replaceChildren(...(list.kind ? [drawList(list, model.get("view").trail.length < 2)] : []));
  }

  // --- the rows themselves
  function drawRows() {
    const { start, size, found, between, heads, rows } = model.get("rows");
    if (!heads) return;
    const chosenRows = new Set(model.get("selected"));
    const title = element("h4", "", "Records");
    const words = rows.length ? `rows ${count(start + 1)}–${count(start + rows.length)} of ${count(found)}` : "no rows";
    const stretch = between ? `, ${stamp(between[0])} to ${stamp(between[1])} UTC` : "";
    title.append(element("span", "faint", `${words}${stretch}; ${count(chosenRows.size)} ticked`));
    const go = (to) => ask("rows", { start: to, between });
    const before = button("Previous", "Rows before", () => go(Math.max(start - size, 0)));
    const after = button("Next", "Rows after", () => go(start + size));
    before.disabled = start === 0;
    after.disabled = start + size >= found;
    title.append(before, after);
    if (between) title.append(button("All rows", "No stretch of time", () => ask("rows", { start: 0 })));
    const lines = rows.map((row) => {
      const tick = element("input");
      tick.type = "checkbox";
      tick.checked = chosenRows.has(row.id);
      tick.setAttribute("aria-label", `Tick record ${row.id}`);
      tick.addEventListener("change", () => {
        const now = new Set(model.get("selected"));
        if (tick.checked) now.add(row.id); else now.delete(row.id);
        say({ selected: [...now] });
      });
      return cells([tick, ""], ...row.cells.map(([text, id]) => [text ? lead(id, text, "", "All that touches it") : "", "when"]),
        [button("record", "The record as it stands in the evidence", () => ask("open", { id: row.id })), ""]);
    });
    const frame = element("div", "wide");
    frame.append(table([["tick", ""], ...heads.map((text) => [text, "when"]), ["bytes", ""]], lines));
    records.replaceChildren(title, frame);
  }

  function drawRecord() {
    const found = model.get("record");
    record.replaceChildren();
    if (!found.id) return;
    const bar = element("div", "bar");
    bar.append(element("strong", "", `Record ${found.id}`), element("span", "faint", found.place ?? ""),
      button("Close", "Close the record", () => say({ record: {} })));
    record.append(bar);
    if (found.problem) { record.append(element("div", "problem", found.problem)); return; }
    const facts = element("dl");
    for (const [name, text] of found.facts) facts.append(element("dt", "", name), element("dd", "", text));
    const verbatim = element("pre", "", found.raw);
    verbatim.tabIndex = 0;
    verbatim.setAttribute("aria-label", "The record, verbatim");
    record.append(element("div", "faint", "As it stands in the evidence:"), verbatim, facts, element("pre", "code", found.code),
      drawNear(found.near));
  }

  function drawNear({ total, rows, minutes, code: same }) {
    const part = element("section");
    const title = element("h4", "", "Around it");
    const cut = rows.length < total ? `the nearest ${count(rows.length)} of ` : "";
    title.append(element("span", "faint", `${cut}${count(total)} ${total === 1 ? "event" : "events"} from ${minutes} minutes before to `
      + `${minutes} minutes after it with the same identity, address, token or correlation id, of what is looked at`));
    const lines = rows.map((row) => cells([row.seconds, "number"], ...row.cells.map(([text, id]) => [text ? lead(id, text, "", "All that touches it") : "", ""]),
      [row.outcome, ""], [row.same, "faint"], [button("record", "The record as it stands in the evidence", () => ask("open", { id: row.id })), ""]));
    const frame = element("div", "scroll");
    if (rows.length) frame.append(table([["seconds", ""], ["operation", ""], ["identity", ""], ["address", ""], ["key", ""],
      ["client", ""], ["outcome", ""], ["the same", ""], ["bytes", ""]], lines));
    part.append(title, frame, element("pre", "code", same));
    return part;
  }

  const words = () => {
    message.textContent = model.get("message");
    code.textContent = model.get("code");
  };
  const hears = { "change:matches": offer, "change:view": draw, "change:tokens": drawTokens, "change:rows": drawRows, "change:selected": drawRows,
    "change:record": drawRecord, "change:message": words, "change:code": words };
  for (const [name, heard] of Object.entries(hears)) model.on(name, heard);
  draw();
  drawRows();
  drawRecord();
  words();
  return () => {
    clearTimeout(waiting);
    for (const [name, heard] of Object.entries(hears)) model.off(name, heard);
  };
}

export default { render };
