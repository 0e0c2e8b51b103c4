// The table of all pairs, sorted by the column whose heading is pressed.
const pairTable = document.getElementById("pair-table");
if (pairTable) {
  const headings = [...pairTable.tHead.rows[0].cells];
  const body = pairTable.tBodies[0];
  const valueOf = (row, column) => {
    const text = row.cells[column].dataset.sort;
    return text === "" ? Number.NaN : Number(text);
  };
  headings.forEach((heading, column) => {
    const button = heading.querySelector("button");
    if (!button) return;
    button.addEventListener("click", () => {
      const direction = heading.getAttribute("aria-sort") === "ascending" ? -1 : 1;
      const rows = [...body.rows].sort((a, b) => {
        const [x, y] = [valueOf(a, column), valueOf(b, column)];
        if (Number.isNaN(x) || Number.isNaN(y)) return Number(Number.isNaN(x)) - Number(Number.isNaN(y));
        return direction * (x - y);
      });
      body.append(...rows);
      for (const other of headings) other.removeAttribute("aria-sort");
      heading.setAttribute("aria-sort", direction === 1 ? "ascending" : "descending");
    });
  });
}
