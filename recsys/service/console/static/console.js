// All pages work without this. It says that something is under way, and lets "/" go to the search.
document.addEventListener("submit", (event) => {
  const button = event.submitter;
  const said = document.getElementById("said");
  if (said) said.textContent = "Computing…";
  document.body.setAttribute("aria-busy", "true");
  // after the browser has read the form: a disabled button would not be sent
  setTimeout(() => { if (button) button.disabled = true; }, 0);
});
window.addEventListener("pageshow", () => {
  document.body.removeAttribute("aria-busy");
  for (const button of document.querySelectorAll("button[disabled]")) button.disabled = false;
  const said = document.getElementById("said");
  if (said) said.textContent = "";
});
document.addEventListener("keydown", (event) => {
  if (event.key !== "/" || /^(INPUT|TEXTAREA)$/.test(event.target.tagName)) return;
  const field = document.querySelector("input[type=search]");
  if (field) { event.preventDefault(); field.focus(); }
});
