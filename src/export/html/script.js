
"use strict";
(() => {
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  const one = (selector) => document.querySelector(selector);

  const theme = one("#theme");
  theme.hidden = false;
  theme.addEventListener("click", () => {
    const root = document.documentElement;
    const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
    root.dataset.theme = dark ? "light" : "dark";
  });

  const table = one("#devices");
  if (!table) return;
  const bodies = () => all("#devices > tbody");

  // Sorting: a device moves with its details.
  const collator = new Intl.Collator("en", { numeric: true, sensitivity: "base" });
  const key = (body, column) => {
    const cell = body.rows[0].cells[column];
    return cell.dataset.key ?? cell.textContent.trim();
  };
  all("thead th[data-sortable]", table).forEach((head) => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = head.textContent;
    head.replaceChildren(button);
    button.addEventListener("click", () => {
      const down = head.getAttribute("aria-sort") === "ascending";
      all("thead th[aria-sort]", table).forEach((other) => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      const column = head.cellIndex;
      const address = head.textContent === "Address";
      const compare = (a, b) => {
        const [x, y] = [key(a, column), key(b, column)];
        // Addresses are hexadecimal; empty cells stay at the end.
        if (!x || !y) return (x ? 0 : 1) - (y ? 0 : 1);
        const order = address ? (x < y ? -1 : x > y ? 1 : 0) : collator.compare(x, y);
        return down ? -order : order;
      };
      table.append(...bodies().sort(compare));
    });
  });

  // Filtering, by words and by how a device stands.
  const filter = one("#filter");
  const shown = one("#shown");
  const cards = all("button.card");
  const words = new Map(bodies().map((body) => [body, body.textContent.toLowerCase()]));
  let standing = "";
  const show = () => {
    const wanted = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
    let count = 0;
    bodies().forEach((body) => {
      const fits = (!standing || body.dataset.standing === standing) && wanted.every((w) => words.get(body).includes(w));
      body.hidden = !fits;
      count += fits ? 1 : 0;
    });
    shown.textContent = count === words.size ? "" : `${count} of ${words.size} shown`;
    cards.forEach((card) => card.setAttribute("aria-pressed", String(!!standing && card.dataset.standing === standing)));
  };
  filter.addEventListener("input", show);
  cards.forEach((card) => card.addEventListener("click", () => {
    standing = standing === card.dataset.standing ? "" : card.dataset.standing;
    show();
  }));
  one(".tools").hidden = false;

  // Details, all at once and on paper.
  const details = () => all("#devices details");
  const unfold = one("#unfold");
  unfold.addEventListener("click", () => {
    const open = details().some((d) => !d.open);
    details().forEach((d) => { d.open = open; });
    unfold.textContent = open ? "Close all details" : "Open all details";
  });
  let folded = [];
  addEventListener("beforeprint", () => {
    folded = all("details").filter((d) => !d.open);
    folded.forEach((d) => { d.open = true; });
  });
  addEventListener("afterprint", () => folded.forEach((d) => { d.open = false; }));

  // Pictures, enlarged.
  const dialog = one("#picture");
  all(".thumb").forEach((thumb) => thumb.addEventListener("click", () => {
    const [from, to] = [thumb.querySelector("img"), dialog.querySelector("img")];
    to.src = from.src;
    to.alt = from.alt;
    dialog.showModal();
  }));
  dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });
})();
