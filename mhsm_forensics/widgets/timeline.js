// A timeline on a canvas: draws what the kernel counted, and asks for more when one looks closer.
// Text from the log reaches the page as text only; nothing is fetched from anywhere.

const LEFT = 236, RIGHT = 14, TOP = 26, LANE = 44, FOOT = 62;
const SECOND = 1e6, MINUTE = 60 * SECOND, HOUR = 60 * MINUTE, DAY = 24 * HOUR;
const TICKS = [1, 2, 5, 10, 20, 50, 100, 200, 500].flatMap((n) => [n]).concat(
  [1, 2, 5, 10, 20, 50, 100, 200, 500].map((n) => n * 1e3),
  [1, 2, 5, 10, 15, 30].map((n) => n * SECOND), [1, 2, 5, 10, 15, 30].map((n) => n * MINUTE),
  [1, 2, 3, 6, 12].map((n) => n * HOUR), [1, 2, 4, 7, 14, 28, 91, 182, 365, 1461, 3652].map((n) => n * DAY),
);
const NEAREST = 40; // microseconds: no closer view than this
const PATIENCE = 15000; // milliseconds until a question is asked again
const SUCCESS = 0, ACCEPTED = 1, DENIED = 2;
const HELP = "Drag to select. Double click: the whole. Wheel after a click, or with Ctrl: zoom. Shift and drag: pan. " +
  "Alt and drag: one lane. Keys: arrows, plus, minus, Enter selects the view, Home the whole, Escape clears.";
const STEPS = { principal: "Same principal", key: "Same key", correlation_id: "Same correlation id" };

const numbers = (bytes, type) => new type(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength));
const grouped = (count) => count.toLocaleString("en");
const plural = (count, noun) => `${grouped(count)} ${noun}${count === 1 ? "" : "s"}`;

/** Element with attributes, and text or elements in it. */
function make(tag, attributes = {}, ...inside) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") node.addEventListener(name, value);
    else node.setAttribute(name, value);
  }
  node.append(...inside);
  return node;
}

/** Picture as it came over the wire, with its numbers as arrays. */
function unpacked(sent) {
  const { bars, acts, marks } = sent;
  const lanes = (of) => numbers(of.lane, Uint16Array), kinds = (of) => numbers(of.kind, Uint8Array);
  return {
    ...sent,
    bars: { lane: lanes(bars), kind: kinds(bars), bin: numbers(bars.bin, Int32Array),
      events: numbers(bars.events, Uint32Array), denied: numbers(bars.denied, Uint32Array) },
    acts: { lane: lanes(acts), kind: kinds(acts), state: numbers(acts.state, Uint8Array),
      events: numbers(acts.events, Uint32Array), first: numbers(acts.first, Float64Array),
      last: numbers(acts.last, Float64Array) },
    marks: { lane: lanes(marks), kind: kinds(marks), state: numbers(marks.state, Uint8Array),
      time: numbers(marks.time, Float64Array) },
  };
}

/** Times of the axis: microseconds since an origin that no plain number holds exactly. */
class Clock {
  constructor(origin, zone) {
    this.origin = BigInt(origin);
    this.zone = zone;
    const parts = { day: "2-digit", month: "short", hour: "2-digit", minute: "2-digit", second: "2-digit" };
    try {
      this.local = zone ? new Intl.DateTimeFormat("en-GB", { ...parts, hourCycle: "h23", timeZone: zone }) : null;
    } catch {
      this.local = null; // a browser that does not know the zone shows UTC
    }
  }

  date(offset) {
    const micros = this.origin + BigInt(Math.round(offset));
    const rest = ((micros % 1000n) + 1000n) % 1000n;
    return [new Date(Number((micros - rest) / 1000n)), Number(rest)];
  }

  utc(offset, unit) {
    const [date, micros] = this.date(offset);
    if (Number.isNaN(date.getTime())) return ["", ""];
    const text = date.toISOString();
    const [day, time] = [text.slice(0, text.indexOf("T")), text.slice(text.indexOf("T") + 1, -1)];
    const words = `${date.toLocaleDateString("en-GB", { timeZone: "UTC", weekday: "short", day: "2-digit", month: "short" })}`;
    const whole = time + String(micros).padStart(3, "0");
    const length = unit >= MINUTE ? 5 : unit >= SECOND ? 8 : unit >= 1000 ? 12 : 15;
    return unit >= DAY ? [words.replace(/^\w+,? /, ""), day.slice(0, -6)] : [whole.slice(0, length), `${words} ${day.slice(0, -6)}`];
  }

  stamp(offset) {
    const [date, micros] = this.date(offset);
    if (Number.isNaN(date.getTime())) return "";
    const text = date.toISOString().slice(0, -1).replace("T", " ") + (micros ? String(micros).padStart(3, "0") : "");
    return `${text.replace(/\.000$/, "")} UTC`;
  }

  there(offset, unit = SECOND) {
    if (!this.local) return "";
    const part = Object.fromEntries(this.local.formatToParts(this.date(offset)[0]).map((one) => [one.type, one.value]));
    const time = `${part.hour}:${part.minute}` + (unit < MINUTE ? `:${part.second}` : "");
    return unit >= DAY ? `${part.day} ${part.month} ${time}` : time;
  }

  /** Round times from one offset to another, no more than so many. */
  ticks(from, to, most) {
    const step = TICKS.find((one) => (to - from) / one <= most) ?? TICKS.at(-1);
    const past = Number(((this.origin % BigInt(step)) + BigInt(step)) % BigInt(step));
    const found = [];
    for (let at = Math.ceil((from + past) / step) * step - past; at <= to; at += step) found.push(at);
    return [found, step];
  }
}

/** Symbol of a group: filled, half where accepted, hollow where denied, struck through where it failed. */
function symbol(pen, shape, x, y, size, state, colour, page) {
  const path = new Path2D();
  if (shape === "circle") path.arc(x, y, size, 0, 7);
  else {
    const corners = {
      diamond: [[0, -1.25], [1.25, 0], [0, 1.25], [-1.25, 0]], square: [[-1, -1], [1, -1], [1, 1], [-1, 1]],
      "triangle-up": [[0, -1.2], [1.2, 1], [-1.2, 1]],
      x: [[-1.2, -0.6], [-0.6, -1.2], [0, -0.6], [0.6, -1.2], [1.2, -0.6], [0.6, 0], [1.2, 0.6], [0.6, 1.2], [0, 0.6],
        [-0.6, 1.2], [-1.2, 0.6], [-0.6, 0]],
    }[shape];
    corners.forEach(([dx, dy], i) => path[i ? "lineTo" : "moveTo"](x + dx * size, y + dy * size));
    path.closePath();
  }
  pen.lineJoin = "round";
  pen.strokeStyle = page;
  pen.lineWidth = size > 3 ? 4 : 1;
  pen.stroke(path);
  pen.fillStyle = state === SUCCESS ? colour : page;
  pen.fill(path);
  if (state === ACCEPTED) {
    pen.save();
    pen.clip(path);
    pen.fillStyle = colour;
    pen.fillRect(x - 2 * size, y - 2 * size, 2 * size, 4 * size);
    pen.restore();
  }
  pen.strokeStyle = colour;
  pen.lineWidth = 1.5;
  pen.stroke(path);
  if (state > DENIED) {
    pen.beginPath();
    pen.moveTo(x - size * 1.4, y + size * 1.4);
    pen.lineTo(x + size * 1.4, y - size * 1.4);
    pen.stroke();
  }
}

// Clusters of control acts: where they are, how wide, and whether two would cover each other.
const middle = (one) => (one.left + one.right) / 2;
const wideness = (one) => (one.events === 1 ? 14 : 26 + 7 * Math.min(grouped(one.events).length, 5));
const covers = (a, b) => a.lane === b.lane && middle(b) - middle(a) < (wideness(a) + wideness(b)) / 2 + 1;
const joined = (a, b) => ({ lane: a.lane, events: a.events + b.events, start: Math.min(a.start, b.start),
  end: Math.max(a.end, b.end), left: Math.min(a.left, b.left), right: Math.max(a.right, b.right),
  kinds: [...a.kinds, ...b.kinds], states: new Set([...a.states, ...b.states]) });

function luminance(colour) {
  const probe = document.createElement("canvas").getContext("2d");
  probe.fillStyle = colour;
  probe.fillRect(0, 0, 1, 1);
  const [red, green, blue] = probe.getImageData(0, 0, 1, 1).data;
  return (0.2126 * red + 0.7152 * green + 0.0722 * blue) / 255;
}

class Chart {
  constructor(model, el) {
    this.model = model;
    this.build(el);
    this.hits = [];
    this.lane = null; // the lane that the keyboard is at
    this.listen();
    this.takeAbout();
    this.takePicture();
    this.takeRecord();
    this.takeBrush();
  }

  build(el) {
    this.title = make("div", { class: "mf-title" });
    this.lanes = make("select", { change: () => this.set("by", this.lanes.value) });
    this.shown = make("span", { class: "mf-faint" });
    const button = (words, title, act) => make("button", { type: "button", title, click: act }, words);
    this.buttons = {
      whole: button("Whole", "Look at everything (Home)", () => this.look(...this.about.whole)),
      zoom: button("Zoom to selection", "Look closer at what is selected", () => this.look(this.brush.start, this.brush.end)),
      records: button("Records", "Open the records of what is selected", () => this.open({ ...this.brush })),
      only: button("Look only at this", "Keep the selection as the scope of the case", () => this.send("look")),
      add: button("Add to report", "Keep what is in view, for the report", () => this.send("add")),
    };
    const bar = make("div", { class: "mf-bar" },
      make("label", {}, "Lanes ", this.lanes), this.shown, make("span", { class: "mf-space" }), ...Object.values(this.buttons));
    this.legend = make("div", { class: "mf-legend mf-faint" });
    this.canvas = make("canvas", { tabindex: 0, role: "application", "aria-roledescription": "timeline" });
    this.tip = make("div", { class: "mf-tip", "aria-hidden": "true" });
    this.words = make("div", { class: "mf-words", role: "status", "aria-live": "polite" });
    this.chosen = make("div", { class: "mf-words mf-chosen", role: "status", "aria-live": "polite" });
    this.said = make("div", { class: "mf-words", role: "status", "aria-live": "polite" });
    this.code = make("code");
    const copy = button("Copy", "Copy the code", () => this.copy(copy));
    this.panel = make("section", { class: "mf-record", "aria-label": "Record" });
    this.frame = make("div", { class: "mf-frame" }, this.canvas, this.tip);
    this.root = make("div", { class: "mf-timeline", "data-lm-suppress-shortcuts": "true" },
      this.title, bar, this.legend, this.frame, this.words, this.chosen, this.said,
      make("div", { class: "mf-code" }, make("pre", {}, this.code), copy), this.panel);
    el.append(this.root);
  }

  listen() {
    const { model, canvas } = this;
    const heard = { about: "takeAbout", picture: "takePicture", bands: "takeBands", record: "takeRecord", brushed: "takeBrush",
      said: "takeSaid" };
    for (const [name, act] of Object.entries(heard)) model.on(`change:${name}`, () => this[act]());
    this.sizes = new ResizeObserver(() => this.resize());
    this.sizes.observe(this.frame);
    this.themes = new MutationObserver(() => requestAnimationFrame(() => this.takeAbout()));
    this.themes.observe(document.body, { attributes: true, attributeFilter: ["data-jp-theme-light", "data-jp-theme-name"] });
    const on = (name, act, options) => canvas.addEventListener(name, act, options);
    on("pointerdown", (event) => this.press(event));
    on("pointermove", (event) => this.move(event));
    on("pointerup", (event) => this.release(event));
    on("pointerleave", () => { this.tip.style.display = "none"; });
    on("dblclick", () => this.look(...this.about.whole));
    on("wheel", (event) => this.wheel(event), { passive: false });
    on("keydown", (event) => this.key(event));
    on("focus", () => { this.focused = true; });
    on("blur", () => { this.focused = false; });
  }

  stop() {
    this.sizes.disconnect();
    this.themes.disconnect();
    this.model.off();
  }

  // between the page and the kernel

  set(name, value) {
    this.model.set(name, value);
    this.model.save_changes();
  }

  send(ask, more = {}) {
    this.model.send({ ask, ...more });
  }

  takeAbout() {
    const about = this.about = this.model.get("about");
    const dark = luminance(getComputedStyle(document.body).getPropertyValue("--jp-layout-color0").trim() || "#fff") < 0.5;
    this.colours = about.themes[dark ? "dark" : "light"];
    for (const [name, colour] of Object.entries(this.colours)) this.root.style.setProperty(`--mf-${name}`, colour);
    this.clock = new Clock(about.origin, about.zone);
    this.title.textContent = about.title;
    this.shown.textContent = `${about.shown}`;
    this.lanes.replaceChildren(...Object.entries(about.choices).map(([name, words]) => make("option", { value: name }, words)));
    this.lanes.value = this.model.get("by");
    this.lane = null;
    this.explain();
    this.draw();
  }

  takePicture() {
    this.picture = unpacked(this.model.get("picture"));
    this.waiting = 0;
    if (this.picture.request === null || !this.view) this.view = [this.picture.start, this.picture.end];
    this.words.textContent = this.picture.words;
    this.code.textContent = this.picture.code;
    this.canvas.setAttribute("aria-label", `${this.about.title}. ${this.picture.words}. ${HELP}`);
    this.explain();
    this.draw();
  }

  takeBands() {
    this.explain();
    this.draw();
  }

  takeBrush() {
    const sent = this.model.get("brushed");
    this.brush = sent && sent.words ? sent : null;
    this.chosen.textContent = this.brush?.words ?? "";
    for (const name of ["zoom", "records", "only"]) this.buttons[name].disabled = !this.brush;
    this.draw();
  }

  takeSaid() {
    this.said.textContent = this.model.get("said");
  }

  get across() {
    return Math.max(this.width - LEFT - RIGHT, 60);
  }

  /** Whether the picture is of another view, or was counted for far fewer or more pixels. */
  get stale() {
    const { picture, view } = this;
    const apart = picture.start !== Math.round(view[0]) || picture.end !== Math.round(view[1]);
    return this.width > 0 && (apart || Math.abs(picture.width / this.across - 1) > 0.1);
  }

  ask() {
    if (Date.now() - this.waiting < PATIENCE) return;
    this.waiting = Date.now();
    this.asked = (this.asked ?? 0) + 1;
    this.send("view", { start: this.view[0], end: this.view[1], width: Math.round(this.across), request: this.asked });
  }

  resize() {
    if (!this.frame.clientWidth || this.frame.clientWidth === this.width) return;
    this.draw();
  }

  look(start, end) {
    const middle = (start + end) / 2, half = Math.max((end - start) / 2, NEAREST / 2);
    this.view = [Math.round(middle - half), Math.round(middle + half)];
    this.tip.style.display = "none";
    this.draw();
  }

  select(start, end, lane) {
    this.send("select", start === null ? { start } : { start: Math.min(start, end), end: Math.max(start, end), lane });
  }

  open(asked) {
    this.send("click", { start: asked.start, end: asked.end, lane: asked.lane ?? null, kind: asked.kind ?? null,
      state: asked.state ?? null, control: asked.control ?? null });
  }

  copy(button) {
    const before = button.textContent;
    navigator.clipboard?.writeText(this.code.textContent).then(() => {
      button.textContent = "Copied";
      setTimeout(() => { button.textContent = before; }, 1500);
    }, () => getSelection().selectAllChildren(this.code));
  }

  // what is drawn

  at(offset) {
    return LEFT + ((offset - this.view[0]) / (this.view[1] - this.view[0])) * this.across;
  }

  time(x) {
    return this.view[0] + ((x - LEFT) / this.across) * (this.view[1] - this.view[0]);
  }

  laneAt(y) {
    const lane = Math.floor((y - TOP) / LANE);
    return lane >= 0 && lane < this.about.lanes.length ? lane : null;
  }

  explain() {
    if (!this.picture) return;
    const { groups } = this.about, used = new Set();
    for (const part of ["bars", "acts", "marks"]) this.picture[part].kind.forEach((kind) => used.add(kind));
    const icon = (draw) => {
      const canvas = make("canvas", { width: 28, height: 28, "aria-hidden": "true" });
      const pen = canvas.getContext("2d");
      pen.scale(2, 2);
      draw(pen);
      return canvas;
    };
    const entry = (words, draw) => make("span", { class: "mf-entry" }, icon(draw), words);
    const { page, faint, accent } = this.colours;
    const items = groups.map((group, kind) => used.has(kind) && entry(group.name, (pen) => {
      if (group.symbol === "circle") {
        pen.fillStyle = group.colour;
        pen.fillRect(2, 2, 10, 10);
      } else symbol(pen, group.symbol, 7, 7, 4, SUCCESS, group.colour, page);
    })).filter(Boolean);
    const states = ["succeeded", "accepted", "denied", "failed or unknown"];
    const ends = states.map((words, state) => entry(words, (pen) => symbol(pen, "circle", 7, 7, 4, state, faint, page)));
    const refused = entry("denied, in a bar", (pen) => {
      pen.strokeStyle = accent;
      pen.strokeRect(3.5, 3.5, 7, 7);
    });
    const height = make("span", {}, `Bar height: events per ${this.picture.per}, log scale within each lane.`);
    const line = (words, colour) => entry(words, (pen) => {
      pen.fillStyle = colour;
      pen.fillRect(1, 9, 12, 2);
    });
    const shown = this.model.get("bands").sessions?.length ? [line("session", this.colours.calm)] : [];
    this.legend.replaceChildren(height, ...items, make("span", { class: "mf-rule" }), ...ends, refused, ...shown);
  }

  draw() {
    if (!this.picture || !this.about) return;
    cancelAnimationFrame(this.frameAsked);
    this.frameAsked = requestAnimationFrame(() => this.paint());
  }

  paint() {
    this.width = this.frame.clientWidth;
    if (!this.width) return;
    const began = performance.now(), ratio = Math.max(devicePixelRatio || 1, 1);
    const height = TOP + this.about.lanes.length * LANE + FOOT - (this.clock.local ? 0 : 18);
    this.height = height;
    Object.assign(this.canvas, { width: this.width * ratio, height: height * ratio });
    this.canvas.style.height = `${height}px`;
    const pen = this.canvas.getContext("2d");
    pen.scale(ratio, ratio);
    pen.font = "12.5px Inter, 'Segoe UI', 'Helvetica Neue', Arial, sans-serif";
    pen.textBaseline = "middle";
    pen.fillStyle = this.colours.page;
    pen.fillRect(0, 0, this.width, height);
    this.hits = [];
    this.paintBands(pen);
    this.paintAxis(pen);
    this.paintNames(pen);
    const within = (room, paint) => {
      pen.save();
      pen.beginPath();
      pen.rect(LEFT - room, 0, this.across + 2 * room, height);
      pen.clip();
      const drawn = paint();
      pen.restore();
      return drawn;
    };
    const drawn = within(0, () => this.paintBars(pen)) + within(4, () => this.paintMarks(pen)) +
      within(RIGHT, () => this.paintActs(pen));
    this.paintLines(pen);
    Object.assign(this.canvas.dataset, { drawn, events: this.picture.counts[0], fresh: String(!this.stale),
      milliseconds: (performance.now() - began).toFixed(1) });
    if (this.stale) this.ask();
  }

  get foot() {
    return TOP + this.about.lanes.length * LANE;
  }

  paintBands(pen) {
    const { gaps = [], intervals = [], sessions = [] } = this.model.get("bands");
    const band = ([start, end], colour, alpha) => {
      const [left, right] = [Math.max(this.at(start), LEFT), Math.min(this.at(end), LEFT + this.across)];
      if (right < left) return;
      pen.globalAlpha = alpha;
      pen.fillStyle = colour;
      pen.fillRect(left, TOP, Math.max(right - left, 1.5), this.foot - TOP);
      pen.globalAlpha = 1;
    };
    intervals.forEach((one) => band(one, this.colours.low, 0.22));
    gaps.forEach((one) => band(one, this.colours.gap, 1));
    pen.fillStyle = this.colours.calm;
    pen.globalAlpha = 0.6;
    for (const [lane, start, end] of sessions) {
      const [left, right] = [Math.max(this.at(start), LEFT), Math.min(this.at(end), LEFT + this.across)];
      if (right >= left) pen.fillRect(left, TOP + (lane + 1) * LANE - 3, Math.max(right - left, 2), 2);
    }
    pen.globalAlpha = 1;
    this.labels = [...gaps.map((one) => [one, this.colours.accent]), ...intervals.map((one) => [one, this.colours.ink])];
  }

  paintAxis(pen) {
    const { faint, rule } = this.colours;
    const [ticks, step] = this.clock.ticks(...this.view, Math.max(Math.floor(this.across / 96), 2));
    let before = "";
    pen.textAlign = "center";
    for (const tick of ticks) {
      const x = Math.round(this.at(tick)) + 0.5;
      pen.strokeStyle = rule;
      pen.beginPath();
      pen.moveTo(x, TOP);
      pen.lineTo(x, this.foot);
      pen.stroke();
      const [time, day] = this.clock.utc(tick, step);
      pen.fillStyle = faint;
      pen.fillText(time, x, this.foot + 14);
      if (day !== before) pen.fillText(day, x, this.foot + 30);
      before = day;
      pen.fillText(this.clock.there(tick, step), x, this.foot + 50);
    }
    pen.textAlign = "right";
    pen.fillText("UTC", LEFT - 30, this.foot + 14);
    if (this.clock.local) pen.fillText(this.clock.zone, LEFT - 30, this.foot + 50);
  }

  paintNames(pen) {
    const { ink, faint, rule, calm } = this.colours;
    pen.strokeStyle = rule;
    this.about.lanes.forEach((lane, place) => {
      const y = TOP + place * LANE, middle = y + LANE / 2 + 2;
      pen.beginPath();
      pen.moveTo(0, y + LANE + 0.5);
      pen.lineTo(LEFT + this.across, y + LANE + 0.5);
      pen.stroke();
      if (place === this.lane) {
        pen.fillStyle = calm;
        pen.fillRect(0, y + 5, 3, LANE - 8);
      }
      const count = grouped(this.picture.lanes[place] ?? 0);
      pen.textAlign = "right";
      pen.fillStyle = faint;
      pen.fillText(count, LEFT - 10, middle);
      const room = LEFT - 28 - pen.measureText(count).width;
      pen.fillStyle = ink;
      pen.font = pen.font.replace(/^(italic )?/, lane.known ? "" : "italic ");
      pen.fillText(this.fitting(pen, lane.name, room), LEFT - 18 - pen.measureText(count).width, middle);
      pen.font = pen.font.replace("italic ", "");
    });
  }

  /** As much of a text as fits, both of its ends. */
  fitting(pen, text, room) {
    if (pen.measureText(text).width <= room) return text;
    const signs = [...text];
    for (let length = Math.min(signs.length - 1, 60); length > 2; length -= 1) {
      const tail = Math.floor(length / 3);
      const cut = `${signs.slice(0, length - tail).join("")}…${signs.slice(signs.length - tail).join("")}`;
      if (pen.measureText(cut).width <= room) return cut;
    }
    return "…";
  }

  /** Bars: one per lane and bin, its groups on top of each other and what was denied on top of them, hollow. */
  paintBars(pen) {
    const { lane, bin, kind, events, denied } = this.picture.bars;
    const { base, step } = this.picture, { accent, page } = this.colours;
    const total = new Map(), peak = [];
    for (let i = 0; i < lane.length; i += 1) {
      const key = lane[i] * 2 ** 32 + bin[i], sum = total.get(key) ?? [0, 0];
      sum[0] += events[i];
      sum[1] += denied[i];
      total.set(key, sum);
      peak[lane[i]] = Math.max(peak[lane[i]] ?? 3, sum[0]);
    }
    const ratio = Math.max(devicePixelRatio || 1, 1), sharp = (x) => Math.round(x * ratio) / ratio;
    let drawn = 0, from = 0;
    while (from < lane.length) {
      let until = from;
      while (until < lane.length && lane[until] === lane[from] && bin[until] === bin[from]) until += 1;
      const [sum, refused] = total.get(lane[from] * 2 ** 32 + bin[from]);
      const start = base + bin[from] * step, left = sharp(this.at(start)), right = sharp(this.at(start + step));
      const foot = TOP + (lane[from] + 1) * LANE - 4, wide = Math.max(right - left, 1);
      const tall = Math.max((LANE - 14) * Math.log1p(sum) / Math.log1p(peak[lane[from]]), 3);
      const hollow = refused ? Math.min(Math.max(tall * refused / sum, 4), tall) : 0;
      let y = foot;
      const kinds = [];
      for (let i = from; i < until; i += 1) {
        const part = sum > refused ? (tall - hollow) * (events[i] - denied[i]) / (sum - refused) : 0;
        pen.fillStyle = this.about.groups[kind[i]].colour;
        pen.fillRect(left, y - part, wide, part);
        y -= part;
        kinds.push([kind[i], events[i], denied[i]]);
      }
      if (refused) {
        pen.fillStyle = page;
        pen.fillRect(left, y - hollow, wide, hollow);
        pen.strokeStyle = accent;
        pen.lineWidth = 1;
        pen.strokeRect(left + 0.5, y - hollow + 0.5, Math.max(wide - 1, 0.5), Math.max(hollow - 1, 0.5));
      }
      this.hits.push({ box: [left, TOP + lane[from] * LANE + 18, wide, LANE - 18], bar: true, control: 0, kinds,
        lane: lane[from], start: Math.max(start, this.picture.start), end: Math.min(start + step, this.picture.end) });
      drawn += sum;
      from = until;
    }
    return drawn;
  }

  /** Single events: each in the lowest row that is free, or was free longest ago. */
  paintMarks(pen) {
    const { lane, kind, state, time } = this.picture.marks, rows = [];
    for (let i = 0; i < lane.length; i += 1) {
      const x = this.at(this.picture.start + time[i]);
      const taken = rows[lane[i]] ??= [-99, -99, -99, -99, -99];
      const free = taken.findIndex((last) => x - last >= 7);
      const row = free >= 0 ? free : taken.indexOf(Math.min(...taken));
      taken[row] = x;
      const y = TOP + (lane[i] + 1) * LANE - 8 - row * 5.6, group = this.about.groups[kind[i]];
      symbol(pen, group.symbol, x, y, 2.6, state[i], group.colour, this.colours.page);
      const start = this.picture.start + time[i];
      this.hits.push({ box: [x - 4, y - 4, 8, 8], lane: lane[i], kind: kind[i], state: state[i], control: 0, start, end: start + 1,
        kinds: [[kind[i], 1, state[i] === DENIED ? 1 : 0]] });
    }
    return lane.length;
  }

  /** Control acts: the symbol of each, and one with a number where several would cover each other. */
  paintActs(pen) {
    const { lane, kind, state, events, first, last } = this.picture.acts, { start } = this.picture;
    const order = [...lane.keys()].sort((a, b) => lane[a] - lane[b] || first[a] - first[b] || last[a] - last[b]);
    const clusters = [];
    for (const i of order) {
      const [from, to] = [start + first[i], start + last[i]];
      let one = { lane: lane[i], events: events[i], start: from, end: to + 1, left: this.at(from), right: this.at(to),
        kinds: [[kind[i], events[i], state[i] === DENIED ? events[i] : 0]], states: new Set([state[i]]) };
      while (clusters.length && covers(clusters.at(-1), one)) one = joined(clusters.pop(), one);
      clusters.push(one);
    }
    return clusters.reduce((drawn, one) => drawn + this.paintCluster(pen, one), 0);
  }

  paintCluster(pen, one) {
    const worst = this.about.groups[Math.max(...one.kinds.map(([kind]) => kind))];
    const state = one.states.size === 1 ? [...one.states][0] : SUCCESS, y = TOP + one.lane * LANE + 10;
    const { page } = this.colours, x = middle(one), wide = wideness(one);
    if (one.events === 1) symbol(pen, worst.symbol, x, y, 5, state, worst.colour, page);
    else {
      const words = one.events < 10000 ? grouped(one.events) : `${(one.events / 1000).toFixed(0)}k`, font = pen.font;
      pen.font = font.replace(/^[\d.]+px/, "600 11px");
      const solid = state !== DENIED && state < 3;
      const ink = solid ? (luminance(worst.colour) > 0.47 ? "#1B2530" : "#FFFFFF") : worst.colour;
      pen.beginPath();
      pen.roundRect(x - wide / 2, y - 8, wide, 16, 8);
      pen.lineWidth = 4;
      pen.strokeStyle = page;
      pen.stroke();
      pen.fillStyle = solid ? worst.colour : page;
      pen.fill();
      pen.strokeStyle = worst.colour;
      pen.lineWidth = 1.5;
      pen.stroke();
      const ground = solid ? worst.colour : page;
      symbol(pen, worst.symbol, x - wide / 2 + 9, y, 3, state, ink, ground);
      pen.fillStyle = ink;
      pen.textAlign = "left";
      pen.fillText(words, x - wide / 2 + 17, y + 0.5);
      pen.font = font;
    }
    this.hits.push({ ...one, box: [x - wide / 2, y - 8, wide, 16], kind: null, state: null, control: 1 });
    return one.events;
  }

  paintLines(pen) {
    const { ink, accent, calm, page } = this.colours, right = LEFT + this.across;
    const line = (offset, colour, dash) => {
      const x = Math.round(this.at(offset)) + 0.5;
      if (x < LEFT || x > right) return;
      pen.strokeStyle = colour;
      pen.lineWidth = 1.5;
      pen.setLineDash(dash);
      pen.beginPath();
      pen.moveTo(x, TOP - 4);
      pen.lineTo(x, this.foot);
      pen.stroke();
      pen.setLineDash([]);
    };
    const { t0 } = this.about, record = this.model.get("record");
    const labels = [...this.labels];
    if (t0 !== null) {
      line(t0, accent, [6, 3]);
      labels.unshift([[t0, t0, `T0 ${this.clock.stamp(t0)}`], accent]);
    }
    if (record.event_id) line(record.t, ink, [1, 2]);
    if (this.brush || this.dragged) {
      const { start, end, lane } = this.dragged ?? this.brush;
      const [a, b] = [Math.max(this.at(start), LEFT), Math.min(this.at(end), right)];
      const [top, tall] = lane === null || lane === undefined ? [TOP, this.foot - TOP] : [TOP + lane * LANE, LANE];
      pen.fillStyle = calm;
      pen.globalAlpha = 0.16;
      if (b > a) pen.fillRect(a, top, b - a, tall);
      pen.globalAlpha = 1;
      pen.strokeStyle = calm;
      pen.lineWidth = 1.5;
      if (b > a) pen.strokeRect(a, top + 0.5, b - a, tall - 1);
    }
    const taken = [];
    for (const [[start, end, words], colour] of labels) {
      const [a, b] = [this.at(start), this.at(end)];
      if (b < LEFT || a > right) continue;
      const wide = pen.measureText(words).width;
      const left = Math.min(Math.max((Math.max(a, LEFT) + Math.min(b, right)) / 2 - wide / 2, LEFT), right - wide);
      if (taken.some(([from, to]) => left < to + 10 && left + wide > from - 10)) continue;
      taken.push([left, left + wide]);
      pen.textAlign = "left";
      pen.fillStyle = page;
      pen.fillRect(left - 3, 4, wide + 6, 16);
      pen.fillStyle = colour;
      pen.fillText(words, left, 12);
    }
  }

  // mouse and keyboard

  hit(x, y) {
    return this.hits.findLast(({ box: [left, top, wide, tall] }) => x >= left && x < left + wide && y >= top && y < top + tall);
  }

  press(event) {
    if (event.button !== 0) return;
    this.canvas.setPointerCapture(event.pointerId);
    this.drag = { x: event.offsetX, y: event.offsetY, pan: event.shiftKey, view: [...this.view],
      lane: event.altKey ? this.laneAt(event.offsetY) : null };
  }

  move(event) {
    const { offsetX: x, offsetY: y } = event, { drag } = this;
    if (!drag) return this.hover(x, y);
    if (Math.abs(x - drag.x) < 4 && !drag.moved) return undefined;
    drag.moved = true;
    this.tip.style.display = "none";
    if (drag.pan) {
      const by = ((x - drag.x) / this.across) * (drag.view[1] - drag.view[0]);
      return this.look(drag.view[0] - by, drag.view[1] - by);
    }
    const within = (one) => Math.min(Math.max(one, LEFT), LEFT + this.across);
    const [start, end] = [this.time(within(drag.x)), this.time(within(x))].sort((a, b) => a - b);
    this.dragged = { start, end, lane: drag.lane };
    return this.draw();
  }

  release(event) {
    const { drag, dragged } = this;
    this.drag = this.dragged = null;
    if (!drag) return;
    if (dragged) this.select(dragged.start, dragged.end, dragged.lane);
    else if (!drag.moved) this.click(event.offsetX, event.offsetY);
  }

  click(x, y) {
    const found = this.hit(x, y), lane = this.laneAt(y);
    if (found) this.open(found);
    else if (x < LEFT && lane !== null) {
      this.lane = lane;
      this.select(...this.view, lane);
    } else this.select(null);
    this.draw();
  }

  hover(x, y) {
    const found = this.hit(x, y);
    this.tip.style.display = found ? "block" : "none";
    this.canvas.style.cursor = found ? "pointer" : x < LEFT ? "default" : "crosshair";
    if (!found) return;
    const counts = new Map();
    for (const [kind, events, denied] of found.kinds) {
      const sum = counts.get(kind) ?? [0, 0];
      counts.set(kind, [sum[0] + events, sum[1] + denied]);
    }
    const single = found.end - found.start <= 1;
    const times = single ? [this.clock.stamp(found.start)] : [this.clock.stamp(found.start), `to ${this.clock.stamp(found.end)}`];
    const there = this.clock.there(found.start);
    const parts = [...counts].map(([kind, [events, denied]]) =>
      `${plural(events, "event")}: ${this.about.groups[kind].name}${denied ? `, ${grouped(denied)} denied` : ""}`);
    const named = [this.about.lanes[found.lane].name, ...(found.control ? ["Control acts"] : [])];
    this.tip.textContent = [...named, ...times, ...(there ? [`${there} ${this.clock.zone}`] : []), ...parts].join("\n");
    const right = x > LEFT + this.across * 0.6;
    Object.assign(this.tip.style, { top: `${y + 14}px`, left: right ? "" : `${x + 14}px`,
      right: right ? `${this.width - x + 14}px` : "" });
  }

  wheel(event) {
    if (!(event.ctrlKey || event.metaKey || event.altKey || this.focused)) return;
    event.preventDefault();
    event.stopPropagation();
    const span = this.view[1] - this.view[0];
    if (Math.abs(event.deltaX) > Math.abs(event.deltaY)) {
      const by = (event.deltaX / this.across) * span;
      this.look(this.view[0] + by, this.view[1] + by);
    } else this.zoom(Math.exp(event.deltaY * 0.0022), this.time(Math.max(event.offsetX, LEFT)));
  }

  zoom(by, around = (this.view[0] + this.view[1]) / 2) {
    const most = 4 * (this.about.whole[1] - this.about.whole[0]);
    const span = Math.min(Math.max((this.view[1] - this.view[0]) * by, NEAREST), most);
    const share = (around - this.view[0]) / (this.view[1] - this.view[0]);
    this.look(around - span * share, around + span * (1 - share));
  }

  key(event) {
    const span = this.view[1] - this.view[0], count = this.about.lanes.length;
    const walk = (by) => {
      const next = (this.lane ?? (by > 0 ? -1 : count)) + by;
      this.lane = next < 0 || next >= count ? null : next;
      const lane = this.lane === null ? "All lanes" : this.about.lanes[this.lane].name;
      this.said.textContent = this.lane === null ? lane : `${lane}: ${plural(this.picture.lanes[this.lane], "event")} in view`;
      this.draw();
    };
    const act = {
      ArrowLeft: () => this.look(this.view[0] - span * 0.15, this.view[1] - span * 0.15),
      ArrowRight: () => this.look(this.view[0] + span * 0.15, this.view[1] + span * 0.15),
      ArrowUp: () => walk(-1), ArrowDown: () => walk(1),
      "+": () => this.zoom(0.6), "=": () => this.zoom(0.6), "-": () => this.zoom(1 / 0.6),
      Home: () => this.look(...this.about.whole), Enter: () => this.select(...this.view, this.lane), Escape: () => {
        this.lane = null;
        this.said.textContent = "";
        this.select(null);
      },
    }[event.key];
    if (!act || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    event.stopPropagation();
    act();
  }

  // the record that was clicked

  takeRecord() {
    const record = this.model.get("record");
    this.draw();
    if (!record.event_id) {
      this.panel.replaceChildren();
      return;
    }
    const kept = this.panel.contains(document.activeElement) ? document.activeElement.dataset.name : null;
    const button = (name, words, label, act) =>
      make("button", { type: "button", "aria-label": label, "data-name": name, ...(act ? { click: act } : { disabled: "" }) }, words);
    const turn = (by, label) => {
      const next = record.place + by;
      return button(`turn${by}`, by < 0 ? "‹" : "›", label, next >= 0 && next < record.of && (() => this.send("event", { place: next })));
    };
    const head = make("div", { class: "mf-bar" }, make("b", {}, "Record"),
      ...(record.of > 1 ? [turn(-1, "Previous of those clicked"), `${grouped(record.place + 1)} of ${grouped(record.of)} clicked`,
        turn(1, "Next of those clicked")] : []),
      make("span", { class: "mf-space" }), button("close", "Close", "Close the record", () => this.send("close")));
    const steps = Object.entries(STEPS).filter(([by]) => record.steps[by]).map(([by, words]) => {
      const step = record.steps[by];
      const go = (way) => step[way] && (() => this.send("step", { by, way }));
      return make("span", { class: "mf-step" }, button(`${by}-before`, "‹", `Previous event of the ${words.toLowerCase()}`, go("before")),
        `${words}: ${step.words}`, button(`${by}-after`, "›", `Next event of the ${words.toLowerCase()}`, go("after")));
    });
    const facts = make("dl", {}, ...record.facts.flatMap(([name, words]) => [make("dt", {}, name), make("dd", {}, words)]));
    this.panel.replaceChildren(head, make("div", { class: "mf-steps" }, ...steps), facts,
      make("div", { class: "mf-faint" }, `${record.note} (${record.event_id})`), make("pre", { tabindex: 0 }, record.raw));
    if (kept) this.panel.querySelector(`[data-name="${kept}"]`)?.focus();
  }
}

export default {
  render({ model, el }) {
    const chart = new Chart(model, el);
    return () => chart.stop();
  },
};
