// Ticks the five password rules as one types (accounts/passwords.py judges in the end).
const RULES = {
  capital: (text) => /\p{Lu}/u.test(text),
  small: (text) => /\p{Ll}/u.test(text),
  digit: (text) => /\p{Nd}/u.test(text),
  length: (text) => [...text].length >= 8,
  symbol: (text) => /[^\p{L}\p{N}\s]/u.test(text),
  same: (text) => text !== "" && text === document.getElementById("id_new_password2").value,
};

function tick() {
  const text = document.getElementById("id_new_password1").value;
  for (const item of document.querySelectorAll("[data-rule]")) {
    const holds = RULES[item.dataset.rule](text);
    item.classList.toggle("met", holds);
    item.querySelector(".met-word").hidden = !holds;
    item.querySelector(".missing-word").hidden = holds;
  }
}

document.querySelector("form.password").addEventListener("input", tick);
tick();
