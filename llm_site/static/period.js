/* Shows the fields of the chosen kind of period only; without it all are shown, and the others do not count. Prints. */
const FIELDS = { month: ["month"], range: ["first", "last"] };

for (const form of document.querySelectorAll("[data-period]")) {
  const show = () => {
    const chosen = form.querySelector("[name=by]:checked")?.value ?? "month";
    for (const [kind, names] of Object.entries(FIELDS)) {
      for (const name of names) form.querySelector(`[data-field=${name}]`).hidden = kind !== chosen;
    }
  };
  form.addEventListener("change", show);
  show();
}

document.querySelector("[data-print]")?.addEventListener("click", () => print());
