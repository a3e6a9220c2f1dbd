// Makes the table sortable and filterable. Without scripts it is a plain table.
(() => {
  "use strict";
  const table = document.querySelector("table.transfer-results");
  const body = table.tBodies[0];
  const rows = [...body.rows];
  const headers = [...table.tHead.rows[0].cells];
  const words = new Intl.Collator(undefined, { numeric: true, sensitivity: "base" });

  const isNumeric = (place) => "numeric" in headers[place].dataset;
  const isUnknown = (row, place) =>
    isNumeric(place) && !("value" in row.cells[place].dataset);

  function compare(a, b, place) {
    const [one, other] = [a.cells[place], b.cells[place]];
    return isNumeric(place)
      ? Number(one.dataset.value) - Number(other.dataset.value)
      : words.compare(one.textContent, other.textContent);
  }

  function sort(place) {
    const header = headers[place];
    const first = header.dataset.order ?? "ascending";
    const turned = first === "ascending" ? "descending" : "ascending";
    const order = header.getAttribute("aria-sort") === first ? turned : first;
    const sign = order === "ascending" ? 1 : -1;
    for (const other of headers) other.removeAttribute("aria-sort");
    header.setAttribute("aria-sort", order);
    // What is unknown stays at the end, whichever way the rest goes.
    const known = rows.filter((row) => !isUnknown(row, place));
    const unknown = rows.filter((row) => isUnknown(row, place));
    known.sort((a, b) => sign * compare(a, b, place));
    body.append(...known, ...unknown);
  }

  headers.forEach((header, place) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...header.childNodes);
    button.addEventListener("click", () => sort(place));
    header.append(button);
  });

  const form = document.createElement("form");
  form.className = "filter";
  form.setAttribute("role", "search");
  const label = document.createElement("label");
  const input = document.createElement("input");
  const count = document.createElement("output");
  input.type = "search";
  input.autocomplete = "off";
  label.append("Show rows with ", input);
  form.append(label, count);
  form.addEventListener("submit", (event) => event.preventDefault());
  input.addEventListener("input", () => {
    const wanted = input.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const row of rows) {
      const text = row.textContent.toLowerCase();
      row.hidden = !wanted.every((word) => text.includes(word));
      shown += row.hidden ? 0 : 1;
    }
    count.value = wanted.length ? `${shown} of ${rows.length} rows` : "";
  });
  table.closest("section").prepend(form);
})();
