// The table of events. Text from the log is set as text, never as markup; what is asked for is answered by the kernel.

let made = 0;

function element(tag, name = "", text = "") {
  const found = document.createElement(tag);
  if (name) found.className = name;
  if (text) found.textContent = text;
  return found;
}

function button(text, tip, press) {
  const found = element("button", "", text);
  found.type = "button";
  found.title = tip;
  found.addEventListener("click", press);
  return found;
}

function render({ model, el }) {
  made += 1;
  const own = `mhsm-grid-${made}`;
  const say = (values) => {
    for (const [name, value] of Object.entries(values)) model.set(name, value);
    model.save_changes();
  };
  const page = () => model.get("page");
  let anchor = 0; // row from which a range is chosen
  let current = 0; // row that has the focus
  let focusAfter = null; // row to focus once the page that was asked for is here

  // --- above the table
  const search = element("input");
  search.type = "search";
  search.placeholder = 'words, "a phrase", column:value, -column:value';
  search.setAttribute("aria-label", "Search events: words, a phrase in quotes, column:value, a minus to leave out");
  let waiting;
  search.addEventListener("input", () => {
    clearTimeout(waiting);
    waiting = setTimeout(() => say({ search: search.value }), 250);
  });
  const chooser = element("details");
  const choices = element("div", "choices");
  chooser.append(element("summary", "", "Columns"), choices);
  chooser.addEventListener("keydown", (event) => {
    if (event.key === "Escape") { chooser.open = false; chooser.firstChild.focus(); }
  });
  for (const [name, meaning] of model.get("choices")) {
    const label = element("label");
    const box = element("input");
    box.type = "checkbox";
    box.value = name;
    box.addEventListener("change", () => {
      const chosen = model.get("columns").filter((one) => one !== name);
      say({ columns: box.checked ? [...chosen, name] : chosen });
    });
    label.title = meaning;
    label.append(box, name);
    choices.append(label);
  }
  const above = element("div", "bar");
  above.append(
    search, chooser,
    button("Select all found", "Select every event that was found, on all pages", () => model.send({ do: "all" })),
    button("Clear selection", "Select nothing", () => say({ selected: [] })),
    button("Copy as CSV", "Copy the selected rows; no cell is a formula", () => model.send({ do: "copy" })),
    button("Add to report", "Keep this search as a view, for the report", () => model.send({ do: "report" })),
  );

  // --- the table
  const frame = element("div", "frame");
  const table = element("table");
  const columns = element("colgroup");
  const head = element("thead");
  const body = element("tbody");
  table.setAttribute("role", "grid");
  table.setAttribute("aria-multiselectable", "true");
  table.setAttribute("aria-label", "Events. Arrow keys move, Space selects, Enter opens the record.");
  table.setAttribute("aria-describedby", `${own}-status`);
  table.append(columns, head, body);
  frame.append(table);

  // --- below the table
  const go = (start) => say({ start });
  const first = button("First", "First page", () => go(0));
  const previous = button("Previous", "Page before", () => go(page().start - page().size));
  const next = button("Next", "Next page", () => go(page().start + page().size));
  const last = button("Last", "Last page", () => go(Math.max(page().found - 1, 0)));
  const to = element("input");
  to.type = "number";
  to.min = 1;
  to.placeholder = "go to row";
  to.setAttribute("aria-label", "Go to row");
  to.addEventListener("change", () => { if (to.value) go(Number(to.value) - 1); to.value = ""; });
  const status = element("span", "words");
  status.id = `${own}-status`;
  status.setAttribute("role", "status");
  const problem = element("div", "problem");
  problem.setAttribute("role", "alert");
  const below = element("div", "bar");
  below.append(first, previous, next, last, to, status);
  const copied = element("div");
  const record = element("div", "record");
  const code = element("pre", "code");
  code.tabIndex = 0;
  code.setAttribute("aria-label", "The same as code");
  code.title = "the same as code";
  el.classList.add("mhsm-grid");
  el.addEventListener("keydown", (event) => { // the notebook has the same keys for its cells
    if (!event.ctrlKey && !event.metaKey && !event.altKey) event.stopPropagation();
  });
  el.append(above, problem, frame, below, copied, record, code);

  function place(cell, heads, index, left) {
    if (!heads[index].frozen) return;
    cell.classList.add("frozen");
    cell.style.left = `${left[index]}px`;
    if (!heads[index + 1]?.frozen) cell.classList.add("edge");
  }

  function drawHead(heads, left) {
    columns.replaceChildren();
    const line = element("tr");
    const all = [];
    heads.forEach((column, index) => {
      const col = element("col");
      col.style.width = `${column.width}px`;
      const cell = element("th");
      cell.scope = "col";
      const sorted = model.get("sort") === column.name && heads.findIndex((one) => one.name === column.name) === index;
      const down = model.get("descending");
      cell.setAttribute("aria-sort", sorted ? (down ? "descending" : "ascending") : "none");
      const press = button(column.label + (sorted ? (down ? " ▼" : " ▲") : ""), column.meaning, () =>
        say({ sort: column.name, descending: sorted ? !down : false }));
      cell.append(press);
      place(cell, heads, index, left);
      all.push([col, cell]);
    });
    const tags = element("th", "", "");
    tags.scope = "col";
    tags.append(button("tags", "tags in the analyst's record", () => {}));
    tags.firstChild.disabled = true;
    const col = element("col");
    col.style.width = "110px";
    all.splice(heads.filter((one) => one.frozen).length, 0, [col, tags]);
    columns.append(...all.map((one) => one[0]));
    line.append(...all.map((one) => one[1]));
    head.replaceChildren(line);
  }

  function drawRow(row, number, heads, left) {
    const line = element("tr");
    line.setAttribute("aria-rowindex", page().start + number + 2);
    line.tabIndex = number === current ? 0 : -1;
    const cells = row.cells.map((text, index) => {
      const cell = element("td", "", text);
      cell.title = text;
      place(cell, heads, index, left);
      return cell;
    });
    const tags = element("td");
    if (row.tags) tags.append(element("span", "tag", row.tags));
    tags.title = row.tags;
    cells.splice(heads.filter((one) => one.frozen).length, 0, tags);
    for (const cell of cells) cell.setAttribute("role", "gridcell");
    line.append(...cells);
    line.addEventListener("click", (event) => choose(number, event.shiftKey ? "range" : event.ctrlKey || event.metaKey ? "toggle" : "one"));
    line.addEventListener("dblclick", () => model.send({ do: "open", id: row.id }));
    return line;
  }

  function draw() {
    const { heads, rows, start, found, size } = page();
    const left = [];
    heads.reduce((sum, column) => { left.push(sum); return sum + column.width; }, 0);
    const had = body.contains(document.activeElement);
    current = Math.min(focusAfter ?? (had ? current : 0), Math.max(rows.length - 1, 0));
    drawHead(heads, left);
    body.replaceChildren(...rows.map((row, number) => drawRow(row, number, heads, left)));
    if ((had || focusAfter !== null) && body.children[current]) body.children[current].focus();
    focusAfter = null;
    table.setAttribute("aria-rowcount", found + 1);
    first.disabled = previous.disabled = start === 0;
    next.disabled = last.disabled = start + size >= found;
    to.max = found;
    for (const box of choices.querySelectorAll("input")) box.checked = model.get("columns").includes(box.value);
    marks();
  }

  function marks() {
    const chosen = new Set(model.get("selected"));
    page().rows.forEach((row, number) =>
      body.children[number]?.setAttribute("aria-selected", String(chosen.has(row.id))));
  }

  function choose(number, how) {
    const { rows } = page();
    if (!rows[number]) return;
    const chosen = new Set(how === "one" ? [] : model.get("selected"));
    if (how === "range") {
      const [low, high] = [Math.min(anchor, number), Math.max(anchor, number)];
      for (let one = low; one <= high; one += 1) if (rows[one]) chosen.add(rows[one].id);
    } else {
      if (chosen.has(rows[number].id)) chosen.delete(rows[number].id);
      else chosen.add(rows[number].id);
      anchor = number;
    }
    move(number);
    say({ selected: [...chosen] });
  }

  function move(number) {
    if (body.children[current]) body.children[current].tabIndex = -1;
    current = number;
    const line = body.children[current];
    if (!line) return;
    line.tabIndex = 0;
    line.focus({ preventScroll: true });
    line.scrollIntoView({ block: "nearest" });
  }

  body.addEventListener("keydown", (event) => {
    const { rows, start, found, size } = page();
    const end = rows.length - 1;
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step) {
      const number = current + step;
      if (number > end && start + size < found) { focusAfter = 0; go(start + size); }
      else if (number < 0 && start > 0) { focusAfter = size - 1; go(start - size); }
      else if (number >= 0 && number <= end) event.shiftKey ? choose(number, "range") : move(number);
    } else if (event.key === "PageDown") { if (start + size < found) { focusAfter = 0; go(start + size); } else move(end); }
    else if (event.key === "PageUp") { if (start > 0) { focusAfter = 0; go(start - size); } else move(0); }
    else if (event.key === "Home") move(0);
    else if (event.key === "End") move(end);
    else if (event.key === " ") choose(current, event.shiftKey ? "range" : "toggle");
    else if (event.key === "Enter") model.send({ do: "open", id: rows[current].id });
    else if (event.key === "Escape") model.get("record").id ? say({ record: {} }) : say({ selected: [] });
    else if (event.key === "ArrowRight") frame.scrollLeft += 80;
    else if (event.key === "ArrowLeft") frame.scrollLeft -= 80;
    else if ((event.ctrlKey || event.metaKey) && event.key === "c" && !String(getSelection())) model.send({ do: "copy" });
    else return;
    event.preventDefault();
  });

  function drawRecord() {
    const found = model.get("record");
    record.replaceChildren();
    if (!found.id) return;
    const bar = element("div", "bar");
    bar.append(element("strong", "", `Record ${found.id}`), element("span", "words", found.place ?? ""),
      button("Close", "Close the record", () => say({ record: {} })));
    record.append(bar);
    if (found.problem) { record.append(element("div", "problem", found.problem)); return; }
    const facts = element("dl");
    for (const [name, text] of found.facts) facts.append(element("dt", "", name), element("dd", "", text));
    const verbatim = element("pre", "", found.raw);
    verbatim.tabIndex = 0;
    verbatim.setAttribute("aria-label", "The record, verbatim");
    record.append(element("div", "words", "As it stands in the evidence:"), verbatim, facts, element("pre", "code", found.code));
  }

  async function copy({ csv, rows }) {
    copied.replaceChildren();
    try {
      await navigator.clipboard.writeText(csv);
      copied.append(element("span", "words", `${rows} copied as CSV.`));
    } catch { // the browser keeps its clipboard from pages without TLS
      const text = element("textarea");
      text.readOnly = true;
      text.value = csv;
      text.setAttribute("aria-label", "The rows as CSV");
      copied.append(element("div", "words", `${rows} as CSV: press Ctrl+C.`), text);
      text.select();
    }
  }

  const words = () => {
    status.textContent = model.get("status");
    problem.textContent = model.get("problem");
    code.textContent = model.get("code");
    if (document.activeElement !== search) search.value = model.get("search");
  };
  const received = (message) => { if (message.csv !== undefined) copy(message); };
  for (const name of ["status", "problem", "code", "search"]) model.on(`change:${name}`, words);
  model.on("change:page", draw);
  model.on("change:selected", marks);
  model.on("change:record", drawRecord);
  model.on("msg:custom", received);
  draw();
  words();
  drawRecord();
  return () => {
    clearTimeout(waiting);
    for (const name of ["status", "problem", "code", "search"]) model.off(`change:${name}`, words);
    model.off("change:page", draw);
    model.off("change:selected", marks);
    model.off("change:record", drawRecord);
    model.off("msg:custom", received);
  };
}

export default { render };
