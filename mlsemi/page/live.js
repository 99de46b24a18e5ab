/* The live page asks the server it came from, and nobody else. */
async function ask(path, what) {
  const answer = await fetch(path, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(what) });
  const found = await answer.json();
  if (!answer.ok) throw new Error(found.error);
  return found;
}
const number = (id) => $(id).value === "" ? null : Number($(id).value);
window.fetchSurface = (name) => ask("/surface", { id: PAGE.id, name });
async function compute() {
  const said = $("said"), start = performance.now();
  said.className = "";
  said.textContent = "computing ...";
  try {
    PAGE = await ask("/compute", { text: $("text").value, charge: number("charge"), multiplicity: number("multiplicity"),
      solvent: $("solvent").value, singlets: number("singlets"), triplets: number("triplets"), relax: $("relax").checked });
    said.textContent = `computed in ${((performance.now() - start) / 1000).toFixed(2)} s`;
    for (const id of ["view", "spectrum", "levels"]) Plotly.purge(id);
    await render();
  } catch (error) {
    said.className = "error";
    said.textContent = error.message;
  }
}
$("ask").onsubmit = (event) => { event.preventDefault(); compute(); };
