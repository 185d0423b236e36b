// The county report: charts by plotly, and a map that zooms, answers clicks and finds every farmer.
// Everything it shows stands in the page; nothing is fetched and nothing is computed of a decision.
"use strict";
(() => {
  const start = JSON.parse(document.getElementById("start").textContent);
  const el = (id) => document.getElementById(id);
  const SVG = "http://www.w3.org/2000/svg";
  const LANGUAGES = ["en", "zh"];
  const LEAST_PX = 6; // a parcel smaller than this on the screen is shown as a mark
  const LEAST_M = 60; // the map shows at least this much
  const asked = new URLSearchParams(location.hash.slice(1));
  const state = {
    language: LANGUAGES.includes(asked.get("lang")) ? asked.get("lang") : "en",
    layer: Math.max(0, start.map ? start.map.layers.indexOf(asked.get("layer")) : 0),
    hidden: new Set(),
    parcel: asked.get("parcel") || "",
    farmer: asked.get("farmer") || "",
    view: null,
  };
  const at = () => LANGUAGES.indexOf(state.language);
  const t = (key) => start.words[state.language][key];
  const make = (name, attributes = {}, text) => {
    const made = document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    if (text !== undefined) made.textContent = text;
    return made;
  };
  const draw = (name, attributes = {}, text) => {
    const made = document.createElementNS(SVG, name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    if (text !== undefined) made.textContent = text;
    return made;
  };

  function drawCharts() {
    for (const [name, chart] of Object.entries(start.charts[state.language]))
      if (chart) globalThis.Plotly.react(`chart-${name}`, chart.data, chart.layout, { displaylogo: false, responsive: true });
  }
  function setLanguage(language) {
    state.language = language;
    document.documentElement.lang = language === "zh" ? "zh" : "en";
    for (const button of document.querySelectorAll("button[data-language]"))
      button.setAttribute("aria-pressed", String(button.dataset.language === language));
    drawCharts();
    if (start.map) sayMap();
    keepAddress();
  }
  function keepAddress() {
    const kept = new URLSearchParams();
    if (state.language !== "en") kept.set("lang", state.language);
    if (state.layer) kept.set("layer", start.map.layers[state.layer]);
    if (state.parcel) kept.set("parcel", state.parcel);
    if (state.farmer) kept.set("farmer", state.farmer);
    const hash = kept.toString();
    if (location.hash.slice(1) !== hash) history.replaceState(null, "", hash ? `#${hash}` : "#");
  }

  // --- the map ---
  const doc = start.map;
  const svg = el("map");
  const parcels = new Map();
  const farmers = new Map();

  function build() {
    const ground = draw("g");
    for (const p of doc.pictures)
      ground.append(draw("image", { href: p.href, x: p.x, y: p.y, width: p.w, height: p.h, preserveAspectRatio: "none" }));
    const outlines = draw("g");
    const seen = draw("g", { class: "seen" });
    const marks = draw("g");
    // A dark line below the dashes: they are to be seen on bare soil and on a dark crop.
    for (const name of ["halo", "dashes"]) seen.append(draw("path", { d: doc.seen.join(""), class: name }));
    for (const p of doc.parcels) {
      const shape = draw("path", { d: p.path, class: "parcel" });
      const [x, y, w, h] = p.box;
      const mark = draw("circle", { cx: x + w / 2, cy: y + h / 2, class: "mark" });
      shape.dataset.parcel = mark.dataset.parcel = p.id;
      outlines.append(shape);
      marks.append(mark);
      parcels.set(p.id, { ...p, shape, mark });
    }
    for (const f of doc.farmers) farmers.set(f.id, f);
    svg.append(ground, outlines, seen, marks);
    for (const name of doc.layers) el("layer").add(new Option("", name));
    el("layer").selectedIndex = state.layer;
    el("seen").parentElement.hidden = !doc.seen.length;
    whole();
  }
  function shape() {
    const box = svg.getBoundingClientRect();
    return [box.width || 1, box.height || 1];
  }
  function whole() {
    show([0, 0, doc.size[0], doc.size[1]]);
  }
  // Show a part of the map, in metres: x, y, width, height; widened to the shape of the picture.
  function show([x, y, w, h]) {
    const [pxW, pxH] = shape();
    const scale = Math.max(w / pxW, h / pxH, LEAST_M / pxW);
    const [width, height] = [scale * pxW, scale * pxH];
    state.view = [x + w / 2 - width / 2, y + h / 2 - height / 2, width, height];
    svg.setAttribute("viewBox", state.view.map((v) => v.toFixed(2)).join(" "));
    for (const p of parcels.values()) {
      const small = Math.max(p.box[2], p.box[3]) < LEAST_PX * scale;
      const gone = state.hidden.has(p.classes[state.layer]);
      p.mark.classList.toggle("gone", gone || !small);
      p.shape.classList.toggle("gone", gone);
      p.mark.setAttribute("r", ((p.id === state.parcel ? 8 : 4.5) * scale).toFixed(2));
    }
    drawScale(scale);
  }
  function drawScale(metresPerPixel) {
    const most = 120 * metresPerPixel;
    const ten = 10 ** Math.floor(Math.log10(most));
    const length = [5, 2, 1].map((n) => n * ten).find((m) => m <= most) ?? ten;
    el("scale").firstElementChild.style.width = `${length / metresPerPixel}px`;
    el("scale").lastElementChild.textContent = length >= 1000 ? `${length / 1000} km` : `${length} m`;
  }
  function zoom(by, fx = 0.5, fy = 0.5) {
    const [x, y, w, h] = state.view;
    const most = 3 * Math.max(...doc.size);
    const factor = w * by > most ? most / w : by;
    show([x + w * fx * (1 - factor), y + h * fy * (1 - factor), w * factor, h * factor]);
  }
  function pan(fx, fy) {
    const [x, y, w, h] = state.view;
    show([x + w * fx, y + h * fy, w, h]);
  }
  function fit(list) {
    const boxes = list.map((id) => parcels.get(id)?.box).filter(Boolean);
    if (!boxes.length) return;
    const west = Math.min(...boxes.map((b) => b[0]));
    const north = Math.min(...boxes.map((b) => b[1]));
    const east = Math.max(...boxes.map((b) => b[0] + b[2]));
    const south = Math.max(...boxes.map((b) => b[1] + b[3]));
    const room = Math.max(60, 0.6 * Math.max(east - west, south - north));
    show([west - room, north - room, east - west + 2 * room, south - north + 2 * room]);
    if (state.parcel || state.farmer) pan(0.16, 0); // the panel lies over the right side
  }
  function paint() {
    const legend = doc.legends[doc.layers[state.layer]];
    const strength = Number(el("strength").value) / 100;
    const own = new Set(farmers.get(state.farmer)?.parcels ?? []);
    for (const p of parcels.values()) {
      const colour = legend[p.classes[state.layer]].colour;
      for (const part of [p.shape, p.mark]) {
        part.setAttribute("fill", colour);
        part.classList.toggle("chosen", p.id === state.parcel || own.has(p.id));
      }
      p.shape.setAttribute("stroke", colour);
      p.shape.setAttribute("fill-opacity", strength);
    }
    show(state.view);
  }
  function drawLegend() {
    el("legend").replaceChildren(
      ...doc.legends[doc.layers[state.layer]].map((entry, number) => {
        const button = make("button", { type: "button", "aria-pressed": String(!state.hidden.has(number)) });
        const box = make("i");
        box.style.background = entry.colour;
        button.append(box, `${entry.text[at()]} `, make("b", {}, entry.count.toLocaleString("en")));
        button.addEventListener("click", () => {
          state.hidden.has(number) ? state.hidden.delete(number) : state.hidden.add(number);
          drawLegend();
          paint();
          el("legend").children[number].focus();
        });
        return button;
      }),
    );
    el("unit").textContent = t(`map.unit_${doc.layers[state.layer]}`).replace("{currency}", doc.currency);
  }
  function sayMap() {
    [...el("layer").options].forEach((option) => (option.textContent = t(`layer.${option.value}`)));
    el("legend").setAttribute("aria-label", t("map.legend"));
    svg.setAttribute("aria-label", t("report.map_label"));
    el("search").placeholder = t("map.search_hint");
    for (const [id, key] of [["in", "report.zoom_in"], ["out", "report.zoom_out"], ["whole", "report.zoom_whole"], ["close", "map.close"]])
      el(id).setAttribute("aria-label", t(key));
    el("panel").setAttribute("aria-label", t("map.panel"));
    drawLegend();
    tell();
    find();
  }

  // --- what is told of a parcel or a farmer ---
  function choose(parcel, farmer) {
    state.parcel = parcel;
    state.farmer = farmer;
    paint();
    tell();
    keepAddress();
  }
  function list(texts) {
    const made = make("ul");
    made.append(...texts.map((text) => make("li", {}, text)));
    return made;
  }
  function pairs(labels, values) {
    const made = make("dl");
    labels.forEach((label, k) => made.append(make("dt", {}, label), make("dd", {}, values[k])));
    return made;
  }
  function curveOf(curve) {
    const made = draw("svg", { viewBox: "0 0 360 110", role: "img", "aria-label": t("report.curve") });
    const day = (text) => Date.parse(`${text}T00:00:00Z`) / 864e5;
    const first = day(curve.start);
    const last = first + curve.step * (curve.ndvi.length - 1);
    const x = (d) => 26 + (330 * (d - first)) / Math.max(1, last - first);
    const y = (v) => 92 - 0.84 * Math.max(0, v);
    for (const v of [0, 50, 100])
      made.append(draw("line", { x1: 26, x2: 356, y1: y(v), y2: y(v), class: "axis", "stroke-opacity": 0.4 }), draw("text", { x: 2, y: y(v) + 3 }, (v / 100).toFixed(1)));
    for (let d = new Date(first * 864e5); d.getTime() / 864e5 <= last; d.setUTCDate(d.getUTCDate() + 1))
      if (d.getUTCDate() === 1 && d.getUTCMonth() % 2 === 0) made.append(draw("text", { x: x(d.getTime() / 864e5), y: 105 }, d.toISOString().slice(0, 7)));
    if (curve.harvest) {
      const cut = x(day(curve.harvest));
      if (cut >= 26 && cut <= 356) made.append(draw("line", { x1: cut, x2: cut, y1: 6, y2: 92, class: "harvest" }));
    }
    made.append(draw("polyline", { class: "curve", points: curve.ndvi.map((v, k) => `${x(first + k * curve.step).toFixed(1)},${y(v).toFixed(1)}`).join(" ") }));
    return made;
  }
  function tell() {
    const parcel = parcels.get(state.parcel);
    const farmer = farmers.get(state.farmer || parcel?.farmer);
    el("panel").hidden = !parcel && !farmer;
    const parts = [];
    if (parcel) {
      parts.push(make("h3", {}, parcel.id), pairs(doc.labels[state.language], parcel.rows[at()]));
      if (parcel.codes[at()].length) parts.push(list(parcel.codes[at()]));
      if (parcel.curve) parts.push(make("h4", {}, t("report.curve")), curveOf(parcel.curve));
    }
    if (farmer) {
      parts.push(make(parcel ? "h4" : "h3", {}, `${t("panel.farmer")} ${farmer.id}`));
      parts.push(pairs([t("farmer.decision"), t("farmer.limit"), t("farmer.rate")], farmer.figures[at()]));
      if (farmer.reasons[at()].length) parts.push(list(farmer.reasons[at()]));
      const own = make("p", { class: "chips" });
      own.append(
        ...farmer.parcels.map((id) => {
          const button = make("button", { type: "button" }, id);
          button.addEventListener("click", () => {
            choose(id, "");
            fit([id]);
          });
          return button;
        }),
      );
      if (!farmer.parcels.length) own.textContent = t("report.no_parcel");
      parts.push(own);
    }
    el("told").replaceChildren(...parts);
    el("panel").scrollTop = 0;
  }

  // --- search ---
  function hits(wanted) {
    const found = [];
    const villages = new Map();
    for (const f of farmers.values()) if (f.id.toLowerCase().includes(wanted)) found.push(["farmer", f.id, f.parcels]);
    for (const p of parcels.values()) {
      if (p.village && p.village.toLowerCase().includes(wanted)) villages.set(p.village, [...(villages.get(p.village) ?? []), p.id]);
      if (p.id.toLowerCase().includes(wanted)) found.push(["parcel", p.id, [p.id]]);
    }
    for (const [name, own] of villages) found.push(["village", name, own]);
    return found.sort((a, b) => Number(b[1].toLowerCase().startsWith(wanted)) - Number(a[1].toLowerCase().startsWith(wanted)));
  }
  function find() {
    const wanted = el("search").value.trim().toLowerCase();
    const found = wanted ? hits(wanted) : [];
    el("found").replaceChildren(
      ...found.slice(0, 20).map(([kind, name, own]) => {
        const item = make("li");
        const button = make("button", { type: "button" }, `${t(`map.kind_${kind}`)} ${name}` + (kind === "parcel" ? "" : ` (${own.length})`));
        button.addEventListener("click", () => {
          choose(kind === "parcel" ? name : "", kind === "farmer" ? name : "");
          fit(own);
        });
        item.append(button);
        return item;
      }),
      ...(wanted && !found.length ? [make("li", {}, t("map.nothing_found"))] : []),
    );
  }

  // --- hands and keys ---
  function wire() {
    const pointers = new Map();
    let moved = false;
    const where = (event) => {
      const box = svg.getBoundingClientRect();
      return [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height];
    };
    svg.addEventListener("wheel", (event) => {
      event.preventDefault();
      zoom(Math.exp(Math.max(-1, Math.min(1, event.deltaY / 400))), ...where(event));
    }, { passive: false });
    svg.addEventListener("pointerdown", (event) => {
      pointers.set(event.pointerId, where(event));
      if (pointers.size === 1) moved = false;
    });
    svg.addEventListener("pointermove", (event) => {
      const before = pointers.get(event.pointerId);
      if (!before) return;
      const now = where(event);
      const far = Math.hypot(...now.map((v, k) => (v - before[k]) * shape()[k]));
      if (!moved && far < 4) return;
      if (!moved) svg.setPointerCapture(event.pointerId);
      moved = true;
      svg.classList.add("dragged");
      const other = [...pointers].find(([id]) => id !== event.pointerId)?.[1];
      if (other) {
        const apart = (p) => Math.max(0.01, Math.hypot(p[0] - other[0], p[1] - other[1]));
        zoom(apart(before) / apart(now), (now[0] + other[0]) / 2, (now[1] + other[1]) / 2);
      } else pan(before[0] - now[0], before[1] - now[1]);
      pointers.set(event.pointerId, now);
    });
    for (const name of ["pointerup", "pointercancel"])
      svg.addEventListener(name, (event) => {
        pointers.delete(event.pointerId);
        svg.classList.remove("dragged");
      });
    svg.addEventListener("click", (event) => {
      if (!moved) choose(event.target.dataset.parcel ?? "", "");
    });
    svg.addEventListener("keydown", (event) => {
      const steps = { ArrowLeft: [-0.15, 0], ArrowRight: [0.15, 0], ArrowUp: [0, -0.15], ArrowDown: [0, 0.15] };
      if (steps[event.key]) pan(...steps[event.key]);
      else if (event.key === "+" || event.key === "=") zoom(0.6);
      else if (event.key === "-") zoom(1 / 0.6);
      else if (event.key === "0") whole();
      else if (event.key === "Escape") choose("", "");
      else return;
      event.preventDefault();
    });
    el("in").addEventListener("click", () => zoom(0.6));
    el("out").addEventListener("click", () => zoom(1 / 0.6));
    el("whole").addEventListener("click", whole);
    el("close").addEventListener("click", () => choose("", ""));
    el("search").addEventListener("input", find);
    el("strength").addEventListener("input", paint);
    el("seen").addEventListener("change", () => svg.querySelector(".seen").classList.toggle("gone", !el("seen").checked));
    el("layer").addEventListener("change", () => {
      state.layer = el("layer").selectedIndex;
      state.hidden.clear();
      drawLegend();
      paint();
      keepAddress();
    });
    addEventListener("resize", () => show(state.view));
  }

  for (const button of document.querySelectorAll("button[data-language]"))
    button.addEventListener("click", () => setLanguage(button.dataset.language));
  if (doc) {
    build();
    wire();
    paint();
    if (parcels.has(state.parcel)) fit([state.parcel]);
    else if (farmers.has(state.farmer)) fit(farmers.get(state.farmer).parcels);
  }
  setLanguage(state.language);
  addEventListener("load", () => dispatchEvent(new Event("resize")));
})();
