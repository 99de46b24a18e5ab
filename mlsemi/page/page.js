"use strict";
/* One result: molecule, surfaces, levels, spectrum and tables, tied to each other. */
const NM = 1239.841984, BLUE = "#0072b2", ORANGE = "#d55e00";
const $ = (id) => document.getElementById(id);
let unit = "nm", chosen = null, drawn = null;
const QUIET = { displaylogo: false, responsive: true, modeBarButtonsToRemove: ["toImage", "lasso2d", "select2d"] };
const LAYOUT = { margin: { l: 60, r: 60, t: 10, b: 45 }, font: { size: 12, color: "#222" }, showlegend: false,
  paper_bgcolor: "#fff", plot_bgcolor: "#fff" };

function cell(row, text, word) {
  const td = row.insertCell();
  td.textContent = text;
  if (word) td.className = "word";
}
function head(table, names) {
  table.replaceChildren();
  const row = table.createTHead().insertRow();
  for (const name of names) { const th = document.createElement("th"); th.textContent = name; row.append(th); }
  return table.createTBody();
}
const fixed = (value, digits) => value === null || value === undefined ? "" : value.toFixed(digits);
const orbital = (k) => { const d = k - PAGE.record.n_occupied;
  return d < 0 ? "HOMO" + (d < -1 ? d + 1 : "") : "LUMO" + (d ? "+" + d : ""); };
function states() {
  const all = PAGE.record.excitations || {}, out = [];
  (all.singlets || []).forEach((s, k) => out.push({ ...s, label: "S" + (k + 1) }));
  (all.triplets || []).forEach((s, k) => out.push({ ...s, label: "T" + (k + 1) }));
  return out;
}
const at = (ev) => unit === "nm" ? NM / ev : ev;

/* --- molecule and surfaces --- */
function molecule() {
  const { symbols, positions_angstrom: xyz } = PAGE.record.structure;
  const traces = [];
  const bonds = { x: [], y: [], z: [] };
  for (const [i, j] of PAGE.bonds) {
    ["x", "y", "z"].forEach((c, a) => bonds[c].push(xyz[i][a], xyz[j][a], null));
  }
  traces.push({ type: "scatter3d", mode: "lines", ...bonds, line: { color: "#8a8a8a", width: 7 }, hoverinfo: "skip" });
  traces.push({ type: "scatter3d", mode: "markers", x: xyz.map((r) => r[0]), y: xyz.map((r) => r[1]), z: xyz.map((r) => r[2]),
    marker: { size: PAGE.radii.map((r) => 9 + 12 * r), color: PAGE.colours, opacity: 1, line: { color: "#555", width: 1 } },
    text: symbols.map((s, k) => `${s}${k}  charge ${PAGE.record.charges_e[k].toFixed(3)}`), hoverinfo: "text" });
  return traces;
}
function decode(held) {
  const bytes = Uint8Array.from(atob(held.data), (c) => c.charCodeAt(0));
  const view = new DataView(bytes.buffer), n = bytes.length / 2, value = new Float32Array(n);
  for (let k = 0; k < n; k++) value[k] = view.getInt16(2 * k, true) / 32767;
  const [nx, ny, nz] = held.shape, x = new Float32Array(n), y = new Float32Array(n), z = new Float32Array(n);
  let p = 0;
  for (let i = 0; i < nx; i++) for (let j = 0; j < ny; j++) for (let k = 0; k < nz; k++, p++) {
    x[p] = held.origin[0] + i * held.spacing;
    y[p] = held.origin[1] + j * held.spacing;
    z[p] = held.origin[2] + k * held.spacing;
  }
  return { x, y, z, value };
}
function lobes(points, level) {
  const lobe = (sign, color) => ({ type: "isosurface", ...points, value: sign > 0 ? points.value : points.value.map((v) => -v),
    isomin: level, isomax: level, surface: { count: 1 }, caps: { x: { show: false }, y: { show: false }, z: { show: false } },
    colorscale: [[0, color], [1, color]], showscale: false, opacity: 0.8, hoverinfo: "skip", flatshading: false,
    lighting: { ambient: 0.6, diffuse: 0.6, specular: 0.15, roughness: 0.7 } });
  return [lobe(1, BLUE), lobe(-1, ORANGE)];
}
const SCENE = { aspectmode: "data", dragmode: "orbit" };
for (const c of ["xaxis", "yaxis", "zaxis"]) SCENE[c] = { visible: false, showspikes: false };
function view() {
  const traces = molecule();
  if (drawn) traces.push(...lobes(drawn.points, Number($("iso").value) / 100));
  const [, middle, normal] = PAGE.axes, along = (v) => ({ x: v[0], y: v[1], z: v[2] });
  const eye = normal.map((n, k) => 1.25 * (0.75 * n - 0.66 * middle[k]));
  const scene = { ...SCENE, camera: { eye: along(eye), up: along(middle) } };
  Plotly.react("view", traces, { ...LAYOUT, margin: { l: 0, r: 0, t: 0, b: 0 }, scene, uirevision: PAGE.name }, QUIET);
}
async function surfaceOf(name) {
  PAGE.surfaces = PAGE.surfaces || {};
  if (!PAGE.surfaces[name] && window.fetchSurface) PAGE.surfaces[name] = await window.fetchSurface(name);
  return PAGE.surfaces[name];
}
const TITLES = { hole: "hole of", electron: "electron of", transition: "transition density of" };
async function show(name) {
  const held = name && PAGE.drawable.includes(name) ? await surfaceOf(name) : null;
  drawn = held ? { name, points: decode(held) } : null;
  const [kind, what] = (name || ":").split(":");
  $("shown").textContent = !drawn ? "" : kind === "orbital" ? orbital(Number(what)) : `${TITLES[kind]} ${what}`;
  for (const b of $("kinds").children) b.classList.toggle("on", drawn !== null && b.dataset.name === name);
  view();
}

/* --- spectrum --- */
function spectrum() {
  const held = PAGE.spectrum, panel = $("spectrum-panel");
  panel.hidden = !held;
  if (!held) return;
  const list = states().filter((s) => s.label[0] === "S" && s.energy_ev > 0);
  const sticks = { x: [], y: [] };
  for (const s of list) { sticks.x.push(at(s.energy_ev), at(s.energy_ev), null); sticks.y.push(0, s.oscillator_strength, null); }
  const colour = list.map((s) => s.label === chosen ? BLUE : ORANGE);
  const traces = [
    { x: held.energies_ev.map(at), y: held.extinction, mode: "lines", line: { color: BLUE, width: 2, dash: held.complete ? "solid" : "dash" },
      fill: "tozeroy", fillcolor: "rgba(0,114,178,0.10)", hovertemplate: "%{x:.4g} " + unit + ", %{y:.0f}<extra></extra>" },
    { ...sticks, mode: "lines", line: { color: ORANGE, width: 2 }, yaxis: "y2", hoverinfo: "skip" },
    { x: list.map((s) => at(s.energy_ev)), y: list.map((s) => s.oscillator_strength), mode: "markers", yaxis: "y2",
      marker: { color: colour, size: list.map((s) => s.label === chosen ? 13 : 8) }, customdata: list.map((s) => s.label),
      text: list.map((s) => `${s.label}  ${s.energy_ev.toFixed(3)} eV, ${(NM / s.energy_ev).toFixed(1)} nm<br>f = ${s.oscillator_strength.toFixed(4)}, ${s.character}`),
      hoverinfo: "text" },
  ];
  const strongest = Math.max(0.01, ...list.map((s) => s.oscillator_strength));
  const highest = Math.max(1, ...held.extinction);
  Plotly.react("spectrum", traces, { ...LAYOUT, hovermode: "closest", uirevision: unit,
    xaxis: { title: { text: unit === "nm" ? "wavelength / nm" : "photon energy / eV" }, zeroline: false },
    yaxis: { title: { text: "ε / (L mol⁻¹ cm⁻¹)", font: { color: BLUE } }, range: [0, 1.1 * highest], zeroline: false },
    yaxis2: { title: { text: "oscillator strength", font: { color: ORANGE } }, overlaying: "y", side: "right",
      tickmode: "auto", range: [0, 1.1 * strongest], showgrid: false, zeroline: false } }, QUIET);
}
function choose(label) {
  chosen = label;
  for (const row of document.querySelectorAll("tr.state")) {
    row.classList.toggle("chosen", row.dataset.label === label);
    if (row.dataset.label === label) row.scrollIntoView({ block: "nearest" });
  }
  $("kinds").replaceChildren();
  for (const kind of ["hole", "electron", "transition"]) {
    const name = `${kind}:${label}`;
    if (!PAGE.drawable.includes(name)) continue;
    const button = document.createElement("button");
    button.type = "button";
    button.dataset.name = name;
    button.textContent = kind === "transition" ? "transition density" : kind;
    button.onclick = () => show(name);
    $("kinds").append(button);
  }
  spectrum();
  return show(`hole:${label}`);
}

/* --- levels --- */
function levels() {
  const list = PAGE.levels, x = { x: [], y: [] };
  const lines = (occupied) => {
    const out = { x: [], y: [] };
    for (const l of list) if (l.occupied === occupied) { out.x.push(0, 1, null); out.y.push(l.energy_ev, l.energy_ev, null); }
    return { ...out, mode: "lines", line: { color: occupied ? BLUE : ORANGE, width: 2.5 }, hoverinfo: "skip" };
  };
  const marks = { x: list.map(() => 0.5), y: list.map((l) => l.energy_ev), mode: "markers", customdata: list.map((l) => l.surface),
    marker: { size: 14, opacity: list.map((l) => l.surface ? 0.35 : 0), color: list.map((l) => l.occupied ? BLUE : ORANGE) },
    text: list.map((l) => `${l.name}  ${l.energy_ev.toFixed(3)} eV`), hoverinfo: "text" };
  const names = list.filter((l) => l.name === "HOMO" || l.name === "LUMO").map((l) => ({ x: 1.02, y: l.energy_ev, text: `${l.name} ${l.energy_ev.toFixed(2)}`,
    showarrow: false, xanchor: "left" }));
  Plotly.react("levels", [lines(true), lines(false), marks], { ...LAYOUT, margin: { l: 60, r: 110, t: 10, b: 20 }, annotations: names, hovermode: "closest",
    xaxis: { visible: false, range: [-0.1, 1.1] }, yaxis: { title: { text: "orbital energy / eV" }, zeroline: false } }, QUIET);
}

/* --- tables --- */
function tables() {
  const r = PAGE.record, list = states();
  let body = head($("states"), ["state", "E / eV", "nm", "f", "character", "contributions"]);
  for (const s of list) {
    const row = body.insertRow();
    row.className = "state";
    row.dataset.label = s.label;
    row.onclick = () => choose(s.label);
    cell(row, s.label); cell(row, s.energy_ev.toFixed(3)); cell(row, fixed(s.wavelength_nm, 1));
    cell(row, s.label[0] === "S" ? s.oscillator_strength.toFixed(4) : ""); cell(row, s.character, true);
    const heavy = [...s.contributions].sort((a, b) => b.weight - a.weight).slice(0, 3);
    cell(row, heavy.map((c) => `${orbital(c.from)} → ${orbital(c.to)} ${(100 * c.weight).toFixed(0)}%`).join(", "), true);
  }
  body = head($("atoms"), ["atom", "charge / e", "x", "y", "z / Å"]);
  r.structure.symbols.forEach((s, k) => {
    const row = body.insertRow();
    cell(row, `${k} ${s}`); cell(row, r.charges_e[k].toFixed(3));
    r.structure.positions_angstrom[k].forEach((v) => cell(row, v.toFixed(4)));
  });
  body = head($("bonds"), ["bond", "order"]);
  for (const [i, j, order] of PAGE.bonds) {
    const row = body.insertRow();
    cell(row, `${r.structure.symbols[i]}${i}-${r.structure.symbols[j]}${j}`); cell(row, order.toFixed(2));
  }
}

/* --- downloads --- */
function save(name, text) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type: "text/plain" }));
  link.download = name;
  link.click();
  URL.revokeObjectURL(link.href);
}
function xyzText() {
  const { symbols, positions_angstrom: xyz, charge, multiplicity } = PAGE.record.structure;
  const rows = symbols.map((s, k) => `${s} ${xyz[k].map((v) => v.toFixed(8)).join(" ")}`);
  return `${symbols.length}\ncharge=${charge} multiplicity=${multiplicity}\n${rows.join("\n")}\n`;
}
const stem = () => PAGE.name.replace(/[^\w.-]+/g, "_").slice(0, 60) || "molecule";
$("get-json").onclick = () => save(`${stem()}.json`, JSON.stringify(PAGE.record));
$("get-xyz").onclick = () => save(`${stem()}.xyz`, xyzText());
$("get-csv").onclick = () => save(`${stem()}.csv`, "energy_ev,wavelength_nm,epsilon_l_per_mol_cm\n" +
  PAGE.spectrum.energies_ev.map((e, k) => `${e},${(NM / e).toFixed(3)},${PAGE.spectrum.extinction[k]}`).join("\n") + "\n");
$("iso").oninput = view;
$("none").onclick = () => show(null);
$("axis").onclick = () => { unit = unit === "nm" ? "ev" : "nm"; $("axis").textContent = unit === "nm" ? "eV" : "nm"; spectrum(); };

async function render() {
  const r = PAGE.record, dipole = Math.hypot(...r.dipole_e_angstrom) * 4.80320471;
  $("name").textContent = PAGE.name;
  const facts = [PAGE.formula, `charge ${r.structure.charge}`];
  if (r.structure.multiplicity > 1) facts.push(`multiplicity ${r.structure.multiplicity}`);
  if (r.solvent) facts.push(`in ${r.solvent.name}`);
  if (r.gap_ev !== null) facts.push(`gap ${r.gap_ev.toFixed(2)} eV`);
  facts.push(`dipole ${dipole.toFixed(2)} D`);
  if (r.energy_ev !== undefined) facts.push(`energy ${r.energy_ev.toFixed(4)} eV`);
  $("facts").textContent = facts.join(" · ");
  const colour = PAGE.spectrum && PAGE.spectrum.colour;
  $("swatch").hidden = !colour;
  if (colour) $("swatch").style.background = colour;
  $("warnings").hidden = !r.warnings.length;
  $("warnings").replaceChildren(...r.warnings.map((w) => { const p = document.createElement("div"); p.textContent = "⚠ " + w; return p; }));
  $("command").textContent = PAGE.command;
  $("made").textContent = `mlsemi ${r.mlsemi_version}, parameters ${r.parameters.name} (${r.parameters.checksum.slice(0, 8)})`;
  $("get-csv").hidden = !PAGE.spectrum;
  $("panels").hidden = false;
  chosen = null; drawn = null;
  $("kinds").replaceChildren();
  tables(); levels(); spectrum(); view();
  const bright = states().filter((s) => s.label[0] === "S"), most = Math.max(...bright.map((s) => s.oscillator_strength));
  const first = bright.find((s) => s.oscillator_strength >= 0.3 * most);
  if (first && PAGE.drawable.includes(`hole:${first.label}`)) await choose(first.label);
  else await show(`orbital:${r.n_occupied - 1}`);
  if (PAGE.spectrum) $("spectrum").on("plotly_click", (event) => { const p = event.points.find((q) => q.customdata); if (p) choose(p.customdata); });
  $("levels").on("plotly_click", (event) => { const p = event.points[0]; if (p.customdata) show(p.customdata); });
  document.body.dataset.ready = "yes";
}
if (PAGE) render();
