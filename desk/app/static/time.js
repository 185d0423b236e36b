// The parcel's season: image chips by date above curve and weather, all on one time axis. What is
// under the pointer in one is marked in the others; the data come from the desk as they are stored.
import uPlot from "/vendor/uPlot.esm.js";

const start = JSON.parse(document.getElementById("start").textContent);
const t = (key) => start.words[key];
const el = (id) => document.getElementById(id);
const LEFT = 56;
const CHIP = [56, 76];
const seconds = (date) => Date.parse(`${date}T00:00:00Z`) / 1000;
const address = new URLSearchParams(location.search);
let pointed = false;
let data, span, plots = [], chosen = -1, colours = address.get("colours") === "false" ? "false" : "true";

const width = () => Math.max(820, el("time").clientWidth - 4);
const left = (x) => ((x - span[0]) / (span[1] - span[0])) * (width() - LEFT - 14);

function keep() {
  if (chosen >= 0) address.set("date", data.observed[chosen].date);
  colours === "false" ? address.set("colours", "false") : address.delete("colours");
  history.replaceState(null, "", `${location.pathname}?${address}`);
}

function drawChips() {
  const box = el("chips");
  const ends = [];
  box.replaceChildren();
  data.observed.forEach((row, number) => {
    const x = left(seconds(row.date)) - CHIP[0] / 2;
    let line = ends.findIndex((end) => end <= x);
    if (line < 0) line = ends.push(0) - 1;
    ends[line] = x + CHIP[0];
    const button = document.createElement("button");
    button.type = "button";
    button.className = row.clear ? "" : "cloudy";
    button.style.left = `${x}px`;
    button.style.top = `${line * CHIP[1]}px`;
    const image = new Image(50, 50);
    image.loading = "lazy";
    image.src = `${start.chips}${row.date}.png?colours=${colours}`;
    image.alt = "";
    const words = `${row.date} ${row.clear ? t("time.clear") : t("time.cloudy")}`;
    button.setAttribute("aria-label", words);
    button.title = words;
    button.append(image, row.date.slice(5));
    button.addEventListener("mouseenter", () => mark(number, true));
    button.addEventListener("focus", () => mark(number, true));
    box.append(button);
  });
  box.style.height = `${Math.max(1, ends.length) * CHIP[1] + 4}px`;
}

function mark(number, move) {
  if (number === chosen) return;
  chosen = number;
  [...el("chips").children].forEach((chip, k) => chip.classList.toggle("on", k === number));
  const row = data.observed[number];
  const picture = (kind) => {
    const image = new Image(220, 220);
    image.src = `${start.chips}${row.date}.png?colours=${kind}`;
    image.alt = t(`time.alt_${kind}`);
    return image;
  };
  const facts = document.createElement("div");
  const lines = [
    row.date,
    row.clear ? t("time.clear") : t("time.cloudy"),
    `NDVI ${row.ndvi === null ? t("time.none") : row.ndvi}`,
    `${t("time.valid")} ${Math.round(100 * row.valid)} %`,
    `${t("time.scene")} ${row.scene}`,
  ];
  for (const line of lines) {
    const p = document.createElement("p");
    p.textContent = line;
    facts.append(p);
  }
  el("big").replaceChildren(picture("true"), picture("false"), facts);
  if (move) for (const plot of plots) plot.setCursor({ left: plot.valToPos(seconds(row.date), "x"), top: 20 }, false);
  keep();
}
function nearest(plot) {
  // Cursors that were set by a chip or a key move late, too: only the pointer chooses here.
  if (!pointed || plot.cursor.left < 0 || !data.observed.length) return;
  const x = plot.posToVal(plot.cursor.left, "x");
  let best = 0;
  data.observed.forEach((row, k) => {
    if (Math.abs(seconds(row.date) - x) < Math.abs(seconds(data.observed[best].date) - x)) best = k;
  });
  mark(best, false);
}

function aligned(columns) {
  const days = [...new Set(columns.flatMap(([rows]) => rows.map((r) => r.date)))].sort();
  const place = new Map(days.map((day, k) => [day, k]));
  const series = columns.map(([rows, name]) => {
    const values = new Array(days.length).fill(null);
    for (const row of rows) values[place.get(row.date)] = row[name];
    return values;
  });
  return [days.map(seconds), ...series];
}

function drawMarks(plot) {
  const names = { sos: t("time.sos"), pos: t("time.pos"), eos: t("time.eos"), harvest_date: t("time.harvest") };
  const pen = plot.ctx;
  pen.save();
  pen.font = `${12 * devicePixelRatio}px system-ui, sans-serif`;
  pen.fillStyle = pen.strokeStyle = "#444";
  Object.entries(data.marks).forEach(([name, day], k) => {
    const x = plot.valToPos(seconds(day), "x", true);
    pen.setLineDash([4, 4]);
    pen.beginPath();
    pen.moveTo(x, plot.bbox.top);
    pen.lineTo(x, plot.bbox.top + plot.bbox.height);
    pen.stroke();
    pen.fillText(names[name], x + 4, plot.bbox.top + (14 + 15 * k) * devicePixelRatio);
  });
  pen.restore();
}

const gap = { spanGaps: true, points: { show: false } };
const dots = (label, stroke, fill) => ({ label, stroke, width: 0, spanGaps: false, paths: () => null, points: { show: true, size: 7, fill, stroke } });
const month = new Intl.DateTimeFormat(start.language, { month: "short", timeZone: "UTC" });
const day = new Intl.DateTimeFormat(start.language, { month: "short", day: "numeric", timeZone: "UTC" });
function tick(ts) {
  const date = new Date(ts * 1e3);
  const words = date.getUTCDate() === 1 ? month.format(date) : day.format(date);
  return date.getUTCDate() === 1 && date.getUTCMonth() === 0 ? `${words}\n${date.getUTCFullYear()}` : words;
}
function base(height, series, axes, more) {
  return {
    width: width(),
    height,
    tzDate: (ts) => uPlot.tzDate(new Date(ts * 1e3), "Etc/UTC"),
    scales: { x: { range: () => span } },
    cursor: { sync: { key: "season" }, drag: { x: false, y: false } },
    axes: [{ values: (_, ticks) => ticks.map(tick) }, ...axes],
    series: [{ label: t("time.date"), value: "{YYYY}-{MM}-{DD}" }, ...series],
    hooks: { setCursor: [nearest] },
    padding: [8, 14, 0, 0],
    ...more,
  };
}

function draw() {
  const clear = data.observed.filter((r) => r.clear);
  const cloudy = data.observed.filter((r) => !r.clear && r.ndvi !== null);
  el("growth").replaceChildren();
  el("weather").replaceChildren();
  plots = [];
  const growth = base(
    300,
    [
      { label: t("time.norm_low"), stroke: "#9db8ac", width: 1, ...gap },
      { label: t("time.norm_mid"), stroke: "#6d8f80", dash: [6, 4], width: 1, ...gap },
      { label: t("time.norm_high"), stroke: "#9db8ac", width: 1, ...gap },
      { label: t("time.smoothed"), stroke: "#009e73", width: 2.5, ...gap },
      dots(t("time.clear"), "#0072b2", "#0072b2"),
      dots(t("time.cloudy"), "#777", "#fff"),
    ],
    [{ size: LEFT, label: "NDVI" }],
    { scales: { x: { range: () => span }, y: { range: [-0.1, 1] } }, bands: [{ series: [3, 1], fill: "#9db8ac44" }], hooks: { setCursor: [nearest], draw: [drawMarks] } },
  );
  plots.push(new uPlot(growth, aligned([[data.norm, "low"], [data.norm, "mid"], [data.norm, "high"], [data.curve, "ndvi"], [clear, "ndvi"], [cloudy, "ndvi"]]), el("growth")));
  if (data.weather.length) {
    const weather = base(
      170,
      [
        { label: t("time.rain"), scale: "mm", stroke: "#56b4e9", fill: "#56b4e9", paths: uPlot.paths.bars({ size: [1, 6] }), points: { show: false } },
        { label: t("time.tmin"), stroke: "#0072b2", width: 1, ...gap },
        { label: t("time.tmax"), stroke: "#d55e00", width: 1, ...gap },
      ],
      [{ size: LEFT, label: "°C" }, { scale: "mm", side: 1, size: 0, grid: { show: false } }],
    );
    plots.push(new uPlot(weather, aligned([[data.weather, "precip_mm"], [data.weather, "tmin_c"], [data.weather, "tmax_c"]]), el("weather")));
  }
  drawChips();
}

async function begin() {
  if (!el("time")) return;
  const answer = await fetch(start.api, { headers: { "Accept-Language": start.language } });
  data = await answer.json();
  if (!answer.ok) throw new Error(data.error);
  const days = [...data.observed, ...data.curve, ...data.weather].map((r) => seconds(r.date));
  span = [Math.min(...days), Math.max(...days)];
  el("chip-colours").value = colours;
  el("chip-colours").addEventListener("change", () => {
    colours = el("chip-colours").value;
    drawChips();
    keep();
  });
  draw();
  const asked = data.observed.findIndex((row) => row.date === address.get("date"));
  const first = asked >= 0 ? asked : data.observed.findIndex((row) => row.clear);
  if (first >= 0) mark(first, true);
  el("time").addEventListener("pointermove", (event) => {
    pointed = event.target.closest(".u-over") !== null;
  });
  el("time").addEventListener("keydown", (event) => {
    pointed = false;
    if (event.key !== "ArrowLeft" && event.key !== "ArrowRight") return;
    event.preventDefault();
    const next = chosen + (event.key === "ArrowRight" ? 1 : -1);
    if (next >= 0 && next < data.observed.length) mark(next, true);
  });
  addEventListener("resize", draw);
  document.body.dataset.idle = String(Math.round(performance.now()));
}
begin().catch((error) => {
  el("fault").textContent = error.message;
  document.body.dataset.idle = "fault";
});
