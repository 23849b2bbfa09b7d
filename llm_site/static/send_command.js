// Show only the rows of a table that hold what is typed; the table may be swapped in later.
document.addEventListener("input", (event) => {
  const table = document.getElementById(event.target.dataset?.filters ?? "");
  if (table === null) return;
  const wanted = event.target.value.trim().toLowerCase();
  for (const row of table.tBodies[0].rows) row.hidden = !row.textContent.toLowerCase().includes(wanted);
});
