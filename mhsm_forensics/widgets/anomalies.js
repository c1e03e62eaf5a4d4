// Small charts of what is out of the usual. Text from the log is set as text, never as markup.

const SVG = "http://www.w3.org/2000/svg";
const [WIDTH, HEIGHT, FOOT, HEAD] = [360, 118, 16, 12];

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

const stamp = (ms) => new Date(ms).toISOString().slice(5, 16).replace("T", " ");

function render({ model, el }) {
  el.classList.add("mhsm-odd");
  const choose = (row) => { model.set("chosen", row); model.save_changes(); };
  const bar = element("div", "bar");
  const labels = { measure: "What", by: "by", every: "each" };
  const selects = Object.entries(labels).map(([name, label]) => {
    const around = element("label", "faint", label);
    const select = element("select");
    for (const choice of model.get("choices")[name]) select.append(new Option(choice, choice));
    select.addEventListener("change", () => {
      status.textContent = "Counting …";
      model.set(name, select.value);
      model.save_changes();
    });
    around.append(select);
    bar.append(around);
    return [name, select];
  });
  const status = element("span", "faint");
  status.setAttribute("role", "status");
  bar.append(status);
  const problem = element("div", "problem");
  problem.setAttribute("role", "alert");
  const note = element("div", "faint", "Blue: the band in which 99 of 100 days stay, and what there was. Orange: out of it; click for its records. "
    + "By chance: how many of a hundred logs like this one would show the like without any cause.");
  const charts = element("div", "charts");
  const list = element("div", "scroll");
  el.append(bar, problem, note, charts, list);
  el.addEventListener("keydown", (event) => { // the notebook has the same keys for its cells
    if (!event.ctrlKey && !event.metaKey && !event.altKey) event.stopPropagation();
  });

  function chart(one) {
    const figure = element("figure");
    const caption = element("figcaption");
    caption.append(element("strong", "", one.title), element("span", "faint", `  ${one.count}`));
    const peak = Math.max(1e-9, ...one.value.map((value) => value ?? 0), ...one.high.map((value) => value ?? 0));
    const x = (ms) => (ms - one.from) / Math.max(one.to - one.from, 1) * WIDTH;
    const y = (value) => HEIGHT - FOOT - value / peak * (HEIGHT - FOOT - HEAD);
    const svg = drawn("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "group", "aria-label": `${one.title}, ${one.count}` });
    svg.append(drawn("line", { class: "rule", x1: 0, x2: WIDTH, y1: y(0), y2: y(0) }));
    const ends = one.at.map((ms, place) => Math.min(ms + one.step, one.at[place + 1] ?? one.to));
    let area = "";
    let course = "";
    one.at.forEach((ms, place) => {
      const [low, high, value] = [one.low[place], one.high[place], one.value[place]];
      if (low !== null && high !== null)
        area += `M${x(ms)} ${y(Math.max(low, 0))}V${y(high)}H${x(ends[place])}V${y(Math.max(low, 0))}Z`;
      if (value !== null)
        course += `${place && one.value[place - 1] !== null && ends[place - 1] === ms ? "L" : "M"}${x(ms)} ${y(value)}H${x(ends[place])}`;
    });
    svg.append(drawn("path", { class: "band", d: area || "M0 0" }), drawn("path", { class: "course", d: course || "M0 0" }));
    for (const odd of one.odd) {
      const left = Math.max(x(odd.start), 0);
      const wide = Math.max(x(odd.end) - left, 5);
      const stretch = drawn("rect", { class: "odd", x: Math.min(left, WIDTH - wide), y: HEAD - 8, width: wide, height: HEIGHT - FOOT - HEAD + 8,
        tabindex: 0, role: "button", "aria-label": `${odd.words}, ${stamp(odd.start)} UTC` });
      stretch.dataset.row = odd.row;
      stretch.append(drawn("title", {}, `${stamp(odd.start)} to ${stamp(odd.end)} UTC\n${odd.words}`));
      stretch.addEventListener("click", () => choose(odd.row));
      stretch.addEventListener("keydown", (event) => {
        if (event.key === "Enter" || event.key === " ") { choose(odd.row); event.preventDefault(); }
      });
      const right = left < WIDTH * 0.7;
      svg.append(stretch, drawn("text", { class: "told", x: right ? left + wide + 3 : left - 3, y: HEAD + 2, "text-anchor": right ? "start" : "end" }, odd.label));
    }
    svg.append(drawn("text", { x: 0, y: HEIGHT - 3 }, stamp(one.from)),
      drawn("text", { x: WIDTH, y: HEIGHT - 3, "text-anchor": "end" }, `${stamp(one.to)} UTC`),
      drawn("text", { x: 0, y: 9 }, `up to ${Number(peak.toPrecision(3)).toLocaleString("en-US")}`));
    figure.append(caption, svg);
    return figure;
  }

  function rows() {
    const heads = [["what", ""], ["how", ""], ["from (UTC)", "when"], ["to (UTC)", "when"], ["there was", "number"], ["expected", "number"],
      ["by chance, in a hundred", "number"], ["how sure", ""]];
    const table = element("table");
    const head = element("thead");
    const line = element("tr");
    for (const [text, name] of heads) { const cell = element("th", name, text); cell.scope = "col"; line.append(cell); }
    head.append(line);
    const body = element("tbody");
    for (const row of model.get("rows")) {
      const one = element("tr");
      one.dataset.row = row.row;
      const press = element("button", "", row.what);
      press.type = "button";
      press.title = "Show its records";
      press.addEventListener("click", () => choose(row.row));
      for (const [content, name] of [[press, ""], [row.kind, "when"], [row.start, "when"], [row.end, "when"], [row.value, "number"],
        [row.expected, "number"], [row.score, "number"], [row.sure, "faint"]]) {
        const cell = element("td", name);
        cell.append(content);
        one.append(cell);
      }
      body.append(one);
    }
    table.append(head, body);
    return table;
  }

  const mark = () => {
    for (const one of el.querySelectorAll("[data-row]")) one.classList.toggle("at", Number(one.dataset.row) === model.get("chosen"));
  };
  const words = () => {
    status.textContent = model.get("status");
    problem.textContent = model.get("problem");
    for (const [name, select] of selects) select.value = model.get(name);
  };
  const drawCharts = () => { charts.replaceChildren(...model.get("charts").map(chart)); mark(); };
  const drawRows = () => { list.replaceChildren(rows()); mark(); };
  const hears = { "change:charts": drawCharts, "change:rows": drawRows, "change:chosen": mark, "change:status": words,
    "change:problem": words, "change:by": words, "change:measure": words, "change:every": words };
  for (const [name, heard] of Object.entries(hears)) model.on(name, heard);
  drawCharts();
  drawRows();
  words();
  return () => { for (const [name, heard] of Object.entries(hears)) model.off(name, heard); };
}

export default { render };
