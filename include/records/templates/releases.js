// The page is shown in a frame of Airflow's, which may not lead the window around it anywhere; a link in that window may.
const around = window.parent;
if (around !== window) {
  const dark = around.document.documentElement.classList.contains("dark");
  document.documentElement.dataset.theme = dark ? "dark" : "light";
  document.addEventListener("click", (event) => {
    const link = event.target.closest("a[target]");
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    const twin = around.document.createElement("a");
    twin.href = link.href;
    twin.rel = link.rel;
    twin.target = link.target === "_blank" ? "_blank" : "";
    around.document.body.append(twin);
    twin.click();
    twin.remove();
  });
}
// Times are in UTC; pointing at one shows it as the reader's clock has it.
for (const each of document.querySelectorAll("time[datetime]")) each.title = new Date(each.dateTime).toLocaleString(undefined, { dateStyle: "medium", timeStyle: "long" });
