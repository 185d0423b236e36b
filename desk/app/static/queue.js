// Keys of the review queue and of one case: everything can be done without a mouse.
const rows = [...document.querySelectorAll("#queue a.open")];
const form = document.getElementById("decide");
const typing = (target) => ["INPUT", "SELECT", "TEXTAREA"].includes(target.tagName) && target.type !== "radio";

function move(by) {
  const here = rows.indexOf(document.activeElement);
  rows[Math.min(rows.length - 1, Math.max(0, here + by))]?.focus();
}
document.addEventListener("keydown", (event) => {
  if (form && event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
    event.preventDefault();
    return form.requestSubmit();
  }
  if (event.ctrlKey || event.metaKey || event.altKey || typing(event.target)) return;
  if (rows.length && (event.key === "j" || event.key === "k")) return move(event.key === "j" ? 1 : -1);
  if (event.key === "n") return document.querySelector("a.next")?.click();
  if (!form || (event.key !== "a" && event.key !== "d")) return;
  event.preventDefault();
  document.getElementById(event.key === "a" ? "approve" : "decline").checked = true;
  document.getElementById(event.key === "a" ? "amount" : "reason").focus();
});
