// The map: parcels as vector tiles over a scene, coloured by one of the layers. The whole state is
// in the address; what is drawn comes from /api/{place}/map, nothing is computed here.
import * as maplibre from "/vendor/maplibre-gl.mjs";

const start = JSON.parse(document.getElementById("start").textContent);
const t = (key) => start.words[key];
const el = (id) => document.getElementById(id);
const address = new URLSearchParams(location.search);
const state = {
  layer: start.layers.includes(address.get("layer")) ? address.get("layer") : start.layers[0],
  hide: new Set((address.get("hide") || "").split(",").filter((n) => n !== "").map(Number)),
  date: address.get("date") || "",
  colours: address.get("colours") === "false" ? "false" : "true",
  opacity: Math.min(100, Math.max(0, Number(address.get("opacity") || 60))),
  parcel: address.get("parcel") || "",
  at: (address.get("at") || "").split(",").map(Number),
  q: address.get("q") || "",
  seen: address.get("seen") !== "0",
};
const REVIEW = "review"; // where people's reviews stand: told by the store, not by the tiles
const NEUTRAL = "#9e9e9e";
const NOTHING = { type: "FeatureCollection", features: [] };
let facts = null;
let map = null;

function keepAddress() {
  const kept = new URLSearchParams();
  if (address.get("lang")) kept.set("lang", address.get("lang"));
  if (state.layer !== start.layers[0]) kept.set("layer", state.layer);
  if (state.hide.size) kept.set("hide", [...state.hide].sort((a, b) => a - b).join(","));
  if (state.date) kept.set("date", state.date);
  if (state.colours !== "true") kept.set("colours", state.colours);
  if (state.opacity !== 60) kept.set("opacity", state.opacity);
  if (state.parcel) kept.set("parcel", state.parcel);
  if (state.q) kept.set("q", state.q);
  if (!state.seen) kept.set("seen", "0");
  if (map) {
    const c = map.getCenter();
    kept.set("at", `${c.lng.toFixed(5)},${c.lat.toFixed(5)},${map.getZoom().toFixed(2)}`);
  }
  history.replaceState(null, "", `${location.pathname}?${kept}`);
  for (const a of document.querySelectorAll("a[data-language]")) {
    kept.set("lang", a.dataset.language);
    a.href = `${location.pathname}?${kept}`;
  }
}

async function ask(path) {
  const answer = await fetch(path, { headers: { "Accept-Language": start.language } });
  const read = await answer.json();
  if (!answer.ok) throw new Error(read.error);
  return read;
}
const api = (rest) =>
  `/api/${start.place.split("/").map(encodeURIComponent).join("/")}/${rest}` +
  (rest.includes("?") ? "&" : "?") + `lang=${start.language}`;

const legend = () => facts.legends[state.layer];
const hidden = () => ["literal", [...state.hide]];
function classColours(property) {
  const pairs = legend().flatMap((entry, number) => [number, entry.colour]);
  return ["match", ["get", property], ...pairs, NEUTRAL];
}
// The class of a parcel in the reviews' layer, by the ids that the store told.
function reviewClass() {
  const pairs = facts.reviewed.flatMap((parcels, number) => (parcels.length ? [parcels.map((p) => p[0]), number + 1] : []));
  return pairs.length ? ["match", ["get", "id"], ...pairs, 0] : 0;
}
function outlineColour() {
  if (state.layer !== REVIEW) return classColours(state.layer);
  const pairs = facts.reviewed.flatMap((parcels, number) => (parcels.length ? [parcels.map((p) => p[0]), legend()[number + 1].colour] : []));
  return pairs.length ? ["match", ["get", "id"], ...pairs, legend()[0].colour] : legend()[0].colour;
}
function outlineFilter() {
  if (!state.hide.size) return null;
  return ["!", ["in", state.layer === REVIEW ? reviewClass() : ["get", state.layer], hidden()]];
}
// A cell shows its most frequent class that is not hidden.
const ranked = () => [state.layer, `${state.layer}_2`, `${state.layer}_3`];
const visible = (property) => ["all", [">=", ["get", property], 0], ["!", ["in", ["get", property], hidden()]]];
function cellColour() {
  if (state.layer === REVIEW) return legend()[0].colour;
  if (!state.hide.size) return classColours(state.layer);
  const cases = ranked().flatMap((property) => [visible(property), classColours(property)]);
  return ["case", ...cases, NEUTRAL];
}
function cellFilter() {
  if (!state.hide.size) return null;
  if (state.layer === REVIEW) return state.hide.has(0) ? ["==", 1, 0] : null;
  return ["any", ...ranked().map(visible)];
}
const cellLayers = () => facts.coarse.map((zoom) => `cells-${zoom}`);
const clickable = () => ["parcels-fill", "reviewed", ...cellLayers()];
function reviewedPoints() {
  if (state.layer !== REVIEW) return NOTHING;
  const features = facts.reviewed.flatMap((parcels, number) =>
    state.hide.has(number + 1) ? [] : parcels.map(([id, lng, lat]) => ({
      type: "Feature",
      properties: { id, colour: legend()[number + 1].colour, [REVIEW]: number + 1 },
      geometry: { type: "Point", coordinates: [lng, lat] },
    })),
  );
  return { type: "FeatureCollection", features };
}
function paint() {
  map.setPaintProperty("parcels-fill", "fill-color", outlineColour());
  map.setPaintProperty("parcels-fill", "fill-opacity", state.opacity / 100);
  map.setPaintProperty("parcels-line", "line-color", lineColour());
  for (const name of ["parcels-fill", "parcels-line"]) map.setFilter(name, outlineFilter());
  for (const name of cellLayers()) {
    map.setPaintProperty(name, "circle-color", cellColour());
    map.setFilter(name, cellFilter());
  }
  map.getSource("reviewed").setData(reviewedPoints());
  const shown = state.seen ? "visible" : "none";
  for (const name of ["seen-halo", "seen"]) if (map.getLayer(name)) map.setLayoutProperty(name, "visibility", shown);
}
const lineColour = () => (state.opacity < 40 ? outlineColour() : "#26332e");

function drawLegend() {
  el("legend").replaceChildren(
    ...facts.legends[state.layer].map((entry, number) => {
      const row = document.createElement("button");
      row.type = "button";
      row.className = "entry";
      row.dataset.key = entry.key;
      row.setAttribute("aria-pressed", String(!state.hide.has(number)));
      const box = document.createElement("i");
      box.style.background = entry.colour;
      const text = document.createElement("span");
      text.textContent = entry.text;
      const count = document.createElement("b");
      count.textContent = entry.count.toLocaleString(start.language);
      row.append(box, text, count);
      row.addEventListener("click", () => {
        state.hide.has(number) ? state.hide.delete(number) : state.hide.add(number);
        drawLegend();
        paint();
        keepAddress();
        el("legend").children[number].focus();
      });
      return row;
    }),
  );
  const unit = state.layer === "limit" ? t("map.unit_limit").replace("{currency}", facts.currency) : t(`map.unit_${state.layer}`);
  el("unit").textContent = unit;
  const shown = facts.legends[state.layer].reduce((n, e, k) => n + (state.hide.has(k) ? 0 : e.count), 0);
  el("shown").textContent = t("map.shown")
    .replace("{shown}", shown.toLocaleString(start.language))
    .replace("{all}", facts.parcels.toLocaleString(start.language));
}

function drawScene() {
  if (map.getLayer("scene")) map.removeLayer("scene");
  if (map.getSource("scene")) map.removeSource("scene");
  if (!state.date) return;
  const place = start.place.split("/").map(encodeURIComponent).join("/");
  map.addSource("scene", {
    type: "raster",
    tiles: [`${location.origin}/tiles/${place}/${state.date}/{z}/{x}/{y}.png?colours=${state.colours}`],
    tileSize: 256,
    maxzoom: 16,
  });
  map.addLayer({ id: "scene", type: "raster", source: "scene", paint: { "raster-fade-duration": 0, "raster-resampling": "nearest" } }, "parcels-fill");
}

async function choose(parcel, fly) {
  state.parcel = parcel;
  keepAddress();
  map.getSource("selected").setData(NOTHING);
  el("panel").hidden = !parcel;
  if (!parcel) return;
  try {
    const told = await ask(api(`parcels/${encodeURIComponent(parcel)}`));
    if (state.parcel !== parcel) return;
    el("panel-body").innerHTML = told.html;
    map.getSource("selected").setData(told.outline);
    if (fly) map.fitBounds(told.bounds, { padding: 120, maxZoom: 16, animate: false });
  } catch (error) {
    el("panel-body").textContent = error.message;
  }
}

function answer(...items) {
  el("found").replaceChildren(...items);
  el("found").inert = false;
}
async function find() {
  state.q = el("search").value;
  keepAddress();
  if (!state.q.trim()) return answer();
  const asked = state.q;
  const hits = await ask(api(`search?q=${encodeURIComponent(asked)}`));
  if (asked !== state.q) return;
  if (!hits.length) {
    const none = document.createElement("li");
    none.textContent = t("map.nothing_found");
    return answer(none);
  }
  answer(
    ...hits.map((hit) => {
      const item = document.createElement("li");
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = `${t(`map.kind_${hit.kind}`)} ${hit.name}` + (hit.kind === "parcel" ? "" : ` (${hit.parcels})`);
      button.addEventListener("click", () => {
        map.fitBounds(hit.bounds, { padding: 80, maxZoom: 16, animate: false });
        if (hit.kind === "parcel") choose(hit.name, false);
        if (hit.kind === "farmer") location.assign(pageOf("farmer", hit.name));
      });
      item.append(button);
      return item;
    }),
  );
}
function pageOf(kind, name) {
  const [season, county] = start.place.split("/").map(encodeURIComponent);
  const lang = address.get("lang") ? `?lang=${address.get("lang")}` : "";
  return `/${kind}/${season}/${county}/${encodeURIComponent(name)}${lang}`;
}

function step(by) {
  const dates = ["", ...facts.dates.map((d) => d.date)];
  const next = Math.min(dates.length - 1, Math.max(0, dates.indexOf(state.date) + by));
  el("date").value = dates[next];
  setDate();
}
function setDate() {
  state.date = el("date").value;
  drawScene();
  keepAddress();
}
function setLayer(layer) {
  state.layer = layer;
  state.hide.clear();
  el("layer").value = layer;
  drawLegend();
  paint();
  keepAddress();
}

function wire() {
  el("layer").value = state.layer;
  el("layer").addEventListener("change", () => setLayer(el("layer").value));
  el("opacity").value = state.opacity;
  el("opacity").addEventListener("input", () => {
    state.opacity = Number(el("opacity").value);
    paint();
    keepAddress();
  });
  const clouds = (d) => (d.cloud === null ? "" : ` · ${t("map.cloud").replace("{percent}", d.cloud)}`);
  for (const d of facts.dates) el("date").add(new Option(d.date + clouds(d), d.date));
  if (!facts.dates.some((d) => d.date === state.date)) state.date = "";
  el("date").value = state.date;
  el("date").addEventListener("change", setDate);
  el("earlier").addEventListener("click", () => step(-1));
  el("later").addEventListener("click", () => step(1));
  el("colours").value = state.colours;
  el("colours").addEventListener("change", () => {
    state.colours = el("colours").value;
    drawScene();
    keepAddress();
  });
  el("seen").checked = state.seen;
  el("seen").parentElement.hidden = !facts.seen;
  el("seen").addEventListener("change", () => {
    state.seen = el("seen").checked;
    paint();
    keepAddress();
  });
  el("search").value = state.q;
  let waiting;
  el("search").addEventListener("input", () => {
    el("found").inert = true; // what was found before is no answer to this
    clearTimeout(waiting);
    waiting = setTimeout(find, 150);
  });
  el("close").addEventListener("click", () => choose("", false));
  el("place").addEventListener("change", () => location.assign(el("place").value));
  document.addEventListener("keydown", keys);
}
function keys(event) {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "Escape") {
    choose("", false);
    return el("map").querySelector("canvas").focus();
  }
  if (["INPUT", "SELECT", "TEXTAREA"].includes(event.target.tagName)) return;
  const number = "1234567".indexOf(event.key);
  if (number >= 0) setLayer(start.layers[number]);
  else if (event.key === "/") {
    event.preventDefault();
    el("search").focus();
  } else if (event.key === "[" || event.key === "]") step(event.key === "]" ? 1 : -1);
  else if (event.key === "Enter" && state.parcel && event.target.tagName !== "BUTTON" && event.target.tagName !== "A")
    location.assign(pageOf("parcel", state.parcel));
}

// Every layer is born with its colours and filter: one set later would have all tiles read again.
function drawnLayers() {
  const source = { source: "parcels", "source-layer": "parcels" };
  const filtered = (filter) => (filter ? { filter } : {});
  const fine = facts.fine;
  const cells = facts.coarse.map((zoom, number) => ({
    id: `cells-${zoom}`, type: "circle", source: "parcels", "source-layer": `cells_${zoom}`,
    ...(number ? { minzoom: zoom } : {}), maxzoom: zoom + 1, ...filtered(cellFilter()),
    paint: { "circle-color": cellColour(), "circle-radius": ["interpolate", ["linear"], ["zoom"], zoom, 1.6, zoom + 1, 3] },
  }));
  const seen = !facts.seen ? [] : [["seen-halo", "#10201a", 2.6, 0.55], ["seen", "#fff", 1.4, 1]].map(([id, colour, width, opacity]) => ({
    id, type: "line", source: "parcels", "source-layer": "seen", minzoom: Math.max(fine, 14),
    layout: { visibility: state.seen ? "visible" : "none" },
    paint: { "line-color": colour, "line-width": width, "line-opacity": opacity, ...(id === "seen" ? { "line-dasharray": [4, 2] } : {}) },
  }));
  return [
    { id: "ground", type: "background", paint: { "background-color": "#e7ece8" } },
    ...cells,
    { id: "parcels-fill", type: "fill", ...source, minzoom: fine, ...filtered(outlineFilter()), paint: { "fill-color": outlineColour(), "fill-opacity": state.opacity / 100, "fill-antialias": false } },
    { id: "parcels-line", type: "line", ...source, minzoom: Math.min(fine + 1, 14), ...filtered(outlineFilter()), paint: { "line-color": lineColour(), "line-width": ["interpolate", ["linear"], ["zoom"], 12, 0.3, 16, 1.2] } },
    ...seen,
    { id: "reviewed", type: "circle", source: "reviewed", maxzoom: fine + 1, paint: { "circle-color": ["get", "colour"], "circle-radius": 4, "circle-stroke-color": "#fff", "circle-stroke-width": 1 } },
    { id: "selected", type: "line", source: "selected", paint: { "line-color": "#d4002a", "line-width": 3 } },
    { id: "labels", type: "symbol", ...source, minzoom: 16.5, layout: { "text-field": ["get", "id"], "text-size": 11 }, paint: { "text-halo-color": "#fff", "text-halo-width": 1.5 } },
  ];
}
// Room around a county that is shown whole: the controls lie over the map's right side.
function beside() {
  const side = el("side").getBoundingClientRect().width;
  return { left: 40, top: 40, bottom: 40, right: side < innerWidth / 2 ? side + 30 : 40 };
}
function hitAt(point) {
  const hits = map.queryRenderedFeatures(point, { layers: clickable() });
  return hits.length ? hits[0].properties : null;
}
function namedClass(hit) {
  const number = state.layer === REVIEW ? facts.reviewed.findIndex((parcels) => parcels.some((p) => p[0] === hit.id)) + 1 : hit[state.layer];
  return legend()[number]?.text ?? "";
}
function drawMap() {
  maplibre.setWorkerUrl("/vendor/maplibre-gl-worker.mjs");
  const protocol = new globalThis.pmtiles.Protocol();
  maplibre.addProtocol("pmtiles", protocol.tile);
  const placed = state.at.length === 3 && state.at.every(Number.isFinite);
  map = new maplibre.Map({
    container: "map",
    attributionControl: false,
    fadeDuration: 0,
    ...(placed
      ? { center: state.at.slice(0, 2), zoom: state.at[2] }
      : { bounds: facts.bounds, fitBoundsOptions: { padding: beside() } }),
    style: {
      version: 8,
      sources: {
        parcels: { type: "vector", url: `pmtiles://${location.origin}${facts.tiles}` },
        selected: { type: "geojson", data: NOTHING },
        reviewed: { type: "geojson", data: reviewedPoints() },
      },
      layers: drawnLayers(),
    },
  });
  map.addControl(new maplibre.NavigationControl({ showCompass: false }), "top-left");
  map.addControl(new maplibre.ScaleControl(), "bottom-left");
  map.on("load", () => {
    drawScene();
    if (state.parcel) choose(state.parcel, !placed);
    if (state.q) find();
  });
  // When the first parcels are on the screen, and when the map rests: read by the measurements.
  map.on("sourcedata", (event) => {
    if (event.sourceId !== "parcels" || !event.tile || document.body.dataset.paint) return;
    map.once("render", () => (document.body.dataset.paint ||= String(Math.round(performance.now()))));
  });
  map.once("idle", () => {
    document.body.dataset.idle = String(Math.round(performance.now()));
  });
  map.on("moveend", keepAddress);
  map.on("click", (event) => {
    const hit = hitAt(event.point);
    if (hit && !hit.id) map.easeTo({ center: event.lngLat, zoom: map.getZoom() + 1.5, duration: 0 });
    else choose(hit ? hit.id : "", false);
  });
  map.on("mousemove", (event) => {
    const hit = hitAt(event.point);
    map.getCanvas().style.cursor = hit ? "pointer" : "";
    const name = hit && (hit.id || t("map.cell").replace("{parcels}", hit.n));
    el("hover").textContent = hit ? `${name} · ${namedClass(hit)}` : "";
  });
}

async function begin() {
  for (;;) {
    facts = await ask(api("map"));
    if (facts.tiles) break;
    el("status").textContent = t("map.making_tiles");
    await new Promise((done) => setTimeout(done, 1000));
  }
  el("status").textContent = facts.problem ? facts.problem : facts.running ? t("map.running").replace("{stage}", facts.running) : "";
  wire();
  drawLegend();
  drawMap();
  globalThis.desk = { map, state };
}
begin().catch((error) => {
  el("status").textContent = error.message;
  el("status").classList.add("bad");
});
