// The state in the header, and the word when the stream is lost. htmx swaps the rest; curve.js draws.
const LOST_AFTER_MS = 3000; // a stream that only reconnects is not lost
const DONE = 204;
const CLICK_MS = 1500; // longer than that, nobody clicks
const overview = document.getElementById("overview");
const toMinute = new Intl.DateTimeFormat(document.documentElement.lang, {
  hour: "2-digit", minute: "2-digit", hourCycle: "h23", timeZone: document.getElementById("curve").dataset.timeZone });

let lost = null;
let heardAt = new Date();
let pressedAt = 0; // a click needs its button to stay between down and up

function tellState() {
  const header = document.getElementById("header-state");
  const now = document.getElementById("state");
  if (header.textContent.trim() === now.textContent.trim()) return; // a live region speaks at every change
  header.className = now.className;
  header.innerHTML = now.innerHTML;
  const menu = document.getElementById("menu-state");
  menu.className = now.className.replace("chip", "manager");
  menu.innerHTML = now.innerHTML;
}

function showLost() {
  const notice = document.getElementById("lost");
  notice.querySelector("time").textContent = toMinute.format(heardAt);
  notice.hidden = false;
}

overview.addEventListener("pointerdown", () => { pressedAt = Date.now(); });
for (const name of ["pointerup", "pointercancel"]) addEventListener(name, () => setTimeout(() => { pressedAt = 0; }));
document.addEventListener("htmx:sseBeforeMessage", (event) => {
  if (Date.now() - pressedAt < CLICK_MS) event.preventDefault();
});
document.addEventListener("htmx:afterRequest", ({ detail }) => {
  document.getElementById("not-done").hidden = detail.xhr.status === DONE;
});
document.addEventListener("htmx:sseOpen", () => {
  clearTimeout(lost);
  lost = null;
  document.getElementById("lost").hidden = true;
});
document.addEventListener("htmx:sseError", () => { lost ??= setTimeout(showLost, LOST_AFTER_MS); });
document.addEventListener("htmx:sseMessage", () => { heardAt = new Date(); tellState(); });
document.addEventListener("htmx:sseClose", ({ detail }) => {
  if (detail.type === "message") location.reload(); // signed out: leads to the sign-in page
});
