"use strict";
// Figures that stand inside closed details: opened by a link to them, and for print.
function reveal() {
  const target = location.hash.length > 1 && document.getElementById(location.hash.slice(1));
  const closed = target && target.closest("details");
  if (closed) { closed.open = true; target.scrollIntoView(); }
}
addEventListener("hashchange", reveal);
addEventListener("beforeprint", () => {
  for (const one of document.querySelectorAll("#lights details, #claims details")) one.open = true;
});
reveal();

const source = document.getElementById("data");
if (source) browse(JSON.parse(source.textContent));

function browse(data) {
  const find = id => document.getElementById(id);
  const MARKS = { changed: "≠", undecidable: "?", off: "○" };
  const WORDS = { changed: `of another class than ${data.first}`, undecidable: "undecidable",
    off: "off the manifold" };
  let group = data.groups[0], models = [], rows = [], place = { row: 0, column: 0 };

  // Every sprite is one rule of style, so that the browser decodes it once.
  const sheet = document.createElement("style");
  sheet.textContent = data.groups.map((group, g) => [
    ...group.models.map((model, m) => `.s${g}-${m}{background-image:url(${model.sprite})}`),
    `.t${g}{background-image:url(${group.nearest})}`].join("\n")).join("\n");
  document.head.append(sheet);

  function element(name, parent, text = "", attributes = {}) {
    const made = document.createElement(name);
    made.textContent = text;
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    parent.append(made);
    return made;
  }
  function paint(image, kind, index, count) {
    const lines = Math.ceil(count / data.columns), line = Math.floor(index / data.columns);
    image.className = `image ${kind}`;
    image.style.backgroundSize = `${100 * data.columns}% ${100 * lines}%`;
    image.style.backgroundPosition =
      `${100 * (index % data.columns) / (data.columns - 1)}% ${lines > 1 ? 100 * line / (lines - 1) : 0}%`;
  }
  const flags = (model, noise) => group.flags.filter(name => model[name][noise]);
  const noiseName = noise => {
    const [seed, index] = group.noises[noise];
    return group.noises.some(one => one[0] !== group.noises[0][0]) ? `${seed}/${index}` : `${index}`;
  };
  function describe(model, noise) {
    const sure = Math.round(100 * model.probabilities[noise]);
    return [`${model.architecture}, seed ${model.seed}, ${group.unit} ${noiseName(noise)}:`,
      `${data.classes[model.labels[noise]]} (${sure} %)`,
      ...flags(model, noise).map(name => `${MARKS[name]} ${WORDS[name]}`)].join(" · ").replace(": · ", ": ");
  }
  const kinds = () => {
    const g = find("group").selectedIndex;
    return { sprite: m => `s${g}-${m}`, near: `t${g}` };
  };
  const starts = m => m === 0 || models[m].architecture !== models[m - 1].architecture;

  function heading(table) {
    const head = element("thead", table), names = element("tr", head), seeds = element("tr", head);
    element("th", names, "", { scope: "col" });
    element("th", seeds, group.unit, { scope: "col" });
    models.forEach((model, m) => {
      if (starts(m)) {
        const span = models.filter(one => one.architecture === model.architecture).length;
        element("th", names, model.architecture, { scope: "colgroup", colspan: span, class: "first" });
      }
      element("th", seeds, `seed ${model.seed}`, { scope: "col", class: starts(m) ? "first" : "" });
    });
  }
  function footing(table) {
    const foot = element("tfoot", table);
    for (const name of group.flags) {
      const line = element("tr", foot);
      element("th", line, `${MARKS[name]} of all ${group.images}`, { scope: "row", title: WORDS[name] });
      models.forEach((model, m) => element("td", line, `${(100 * model.shares[name]).toFixed(1)} %`,
        { class: starts(m) ? "first" : "" }));
    }
  }
  function cell(line, m, noise, row) {
    const model = models[m], kind = kinds(), found = flags(model, noise);
    const box = element("td", line, "", { role: "gridcell", class: starts(m) ? "first" : "" });
    const button = element("button", box, "", { type: "button", tabindex: "-1", "aria-pressed": "false",
      "aria-label": describe(model, noise), class: ["cell", ...found].join(" ") });
    const pair = element("span", button, "", { class: "pair" });
    paint(element("span", pair), kind.sprite(m), noise, group.noises.length);
    const near = element("span", pair);
    paint(near, kind.near, model.nearest[noise], group.near);
    near.classList.add("near");
    element("span", button, [data.classes[model.labels[noise]], ...found.map(name => MARKS[name])].join(" "),
      { class: "mark" });
    button.addEventListener("click", () => choose(row, m));
  }
  function draw() {
    group = data.groups[find("group").selectedIndex];
    models = group.models;
    const boxes = [...document.querySelectorAll("#filters fieldset input")];
    for (const box of boxes) box.parentElement.hidden = !group.flags.includes(box.value);
    const wanted = boxes.filter(box => box.checked).map(box => box.value).filter(name => group.flags.includes(name));
    rows = group.noises.map((_, noise) => noise)
      .filter(noise => wanted.every(name => models.some(model => model[name][noise])));
    const table = find("grid"), body = document.createElement("tbody");
    table.replaceChildren();
    heading(table);
    table.append(body);
    rows.forEach((noise, row) => {
      const line = element("tr", body);
      element("th", line, noiseName(noise), { scope: "row" });
      models.forEach((_, m) => cell(line, m, noise, row));
    });
    footing(table);
    find("count").textContent = `${rows.length} of the first ${group.noises.length} ${group.unit}s, of ${group.images}`;
    find("chosen").hidden = true;
    place = { row: 0, column: 0 };
    const first = button(0, 0);
    if (first) first.tabIndex = 0;
  }
  const button = (row, column) =>
    (find("grid").tBodies[0].rows[row]?.cells[column + 1] || {}).firstElementChild;
  function choose(row, column) {
    const old = button(place.row, place.column), now = button(row, column), noise = rows[row];
    old.tabIndex = -1;
    old.setAttribute("aria-pressed", "false");
    place = { row, column };
    now.tabIndex = 0;
    now.setAttribute("aria-pressed", "true");
    const kind = kinds(), model = models[column];
    paint(find("large"), kind.sprite(column), noise, group.noises.length);
    paint(find("training"), kind.near, model.nearest[noise], group.near);
    find("told").textContent = describe(model, noise);
    find("chosen").hidden = false;
    now.focus({ preventScroll: false });
  }
  find("grid").addEventListener("keydown", event => {
    const last = { row: rows.length - 1, column: models.length - 1 };
    const step = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1],
      PageUp: [-10, 0], PageDown: [10, 0], Home: [0, -models.length], End: [0, models.length] }[event.key];
    if (!step || event.ctrlKey || event.metaKey || event.altKey || !rows.length) return;
    event.preventDefault();
    const within = (value, most) => Math.min(Math.max(value, 0), most);
    choose(within(place.row + step[0], last.row), within(place.column + step[1], last.column));
  });
  find("beside").addEventListener("change", () =>
    find("grid").classList.toggle("beside", find("beside").checked));
  for (const one of data.groups) element("option", find("group"), one.title);
  find("group").addEventListener("change", draw);
  for (const box of document.querySelectorAll("#filters fieldset input")) box.addEventListener("change", draw);
  find("filters").hidden = false;
  draw();
}
