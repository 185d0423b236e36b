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
};
const FILLS = ["parcels-fill", "parcels-line", "points"];
let facts = null;
let map = null;
let hovered = null;

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

function colourOf(layer) {
  const pairs = facts.legends[layer].flatMap((entry, number) => [number, entry.colour]);
  return ["match", ["get", layer], ...pairs, "#9e9e9e"];
}
function shownFilter() {
  return ["!", ["in", ["get", state.layer], ["literal", [...state.hide]]]];
}
function paint() {
  const colour = colourOf(state.layer);
  map.setPaintProperty("parcels-fill", "fill-color", colour);
  map.setPaintProperty("points", "circle-color", colour);
  map.setPaintProperty("parcels-fill", "fill-opacity", state.opacity / 100);
  map.setPaintProperty("parcels-line", "line-color", state.opacity < 40 ? colour : "#26332e");
  for (const name of FILLS) map.setFilter(name, state.hide.size ? shownFilter() : null);
  map.setFilter("selected", ["==", ["get", "id"], state.parcel]);
}

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
  paint();
  el("panel").hidden = !parcel;
  if (!parcel) return;
  try {
    const told = await ask(api(`parcels/${encodeURIComponent(parcel)}`));
    if (state.parcel !== parcel) return;
    el("panel-body").innerHTML = told.html;
    if (fly) map.fitBounds(told.bounds, { padding: 120, maxZoom: 16, animate: false });
  } catch (error) {
    el("panel-body").textContent = error.message;
  }
}

async function find() {
  state.q = el("search").value;
  keepAddress();
  const list = el("found");
  if (!state.q.trim()) return list.replaceChildren();
  const asked = state.q;
  const hits = await ask(api(`search?q=${encodeURIComponent(asked)}`));
  if (asked !== state.q) return;
  list.replaceChildren(
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
  if (!hits.length) {
    const none = document.createElement("li");
    none.textContent = t("map.nothing_found");
    list.append(none);
  }
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
  el("search").value = state.q;
  let waiting;
  el("search").addEventListener("input", () => {
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
  const number = "123456".indexOf(event.key);
  if (number >= 0) setLayer(start.layers[number]);
  else if (event.key === "/") {
    event.preventDefault();
    el("search").focus();
  } else if (event.key === "[" || event.key === "]") step(event.key === "]" ? 1 : -1);
  else if (event.key === "Enter" && state.parcel && event.target.tagName !== "BUTTON" && event.target.tagName !== "A")
    location.assign(pageOf("parcel", state.parcel));
}

function drawMap() {
  maplibre.setWorkerUrl("/vendor/maplibre-gl-worker.mjs");
  const protocol = new globalThis.pmtiles.Protocol();
  maplibre.addProtocol("pmtiles", protocol.tile);
  const source = { source: "parcels", "source-layer": "parcels" };
  const placed = state.at.length === 3 && state.at.every(Number.isFinite);
  map = new maplibre.Map({
    container: "map",
    attributionControl: false,
    fadeDuration: 0,
    ...(placed
      ? { center: state.at.slice(0, 2), zoom: state.at[2] }
      : { bounds: facts.bounds, fitBoundsOptions: { padding: 40 } }),
    style: {
      version: 8,
      sources: { parcels: { type: "vector", url: `pmtiles://${location.origin}${facts.tiles}`, promoteId: "id" } },
      layers: [
        { id: "ground", type: "background", paint: { "background-color": "#e7ece8" } },
        { id: "parcels-fill", type: "fill", ...source, minzoom: start.pointsBelow, paint: { "fill-color": "#9e9e9e" } },
        { id: "parcels-line", type: "line", ...source, minzoom: 12, paint: { "line-width": ["interpolate", ["linear"], ["zoom"], 12, 0.3, 16, 1.2] } },
        { id: "points", type: "circle", source: "parcels", "source-layer": "points", maxzoom: start.pointsBelow, paint: { "circle-radius": ["interpolate", ["linear"], ["zoom"], 8, 1.2, 11, 2.2] } },
        { id: "selected", type: "line", ...source, paint: { "line-color": "#d4002a", "line-width": 3 } },
        { id: "labels", type: "symbol", ...source, minzoom: 16.5, layout: { "text-field": ["get", "id"], "text-size": 11 }, paint: { "text-halo-color": "#fff", "text-halo-width": 1.5 } },
      ],
    },
  });
  map.addControl(new maplibre.NavigationControl({ showCompass: false }), "top-left");
  map.addControl(new maplibre.ScaleControl(), "bottom-left");
  map.on("load", () => {
    paint();
    drawScene();
    if (state.parcel) choose(state.parcel, !placed);
    if (state.q) find();
  });
  map.once("idle", () => {
    document.body.dataset.idle = String(Math.round(performance.now()));
  });
  map.on("moveend", keepAddress);
  map.on("click", (event) => {
    const hits = map.queryRenderedFeatures(event.point, { layers: ["parcels-fill", "points"] });
    choose(hits.length ? hits[0].properties.id : "", false);
  });
  map.on("mousemove", (event) => {
    const hits = map.queryRenderedFeatures(event.point, { layers: ["parcels-fill", "points"] });
    map.getCanvas().style.cursor = hits.length ? "pointer" : "";
    hovered = hits.length ? hits[0].properties : null;
    el("hover").textContent = hovered ? `${hovered.id} · ${facts.legends[state.layer][hovered[state.layer]].text}` : "";
  });
}

async function begin() {
  for (;;) {
    facts = await ask(api("map"));
    if (facts.tiles) break;
    el("status").textContent = t("map.making_tiles");
    await new Promise((done) => setTimeout(done, 1000));
  }
  el("status").textContent = facts.running ? t("map.running").replace("{stage}", facts.running) : "";
  wire();
  drawLegend();
  drawMap();
  globalThis.desk = { map, state };
}
begin().catch((error) => {
  el("status").textContent = error.message;
  el("status").classList.add("bad");
});
