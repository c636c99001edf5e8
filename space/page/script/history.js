  // ---- history: drafts with their results, in this browser alone ----

  const LAST = 10; // emails
  let picked = { draft: "" }; // of the history
  let shown = null; // the entry of the result on screen
  let coming = null; // the entry whose result is on its way back from the server

  // Room is short: the oldest results go first, then the oldest emails.
  function store(entries) {
    const kept = entries.slice(0, LAST).map((entry) => ({ ...entry }));
    while (!remember("history", kept)) {
      const heavy = kept.findLast((entry) => entry.saved);
      if (heavy) delete heavy.saved;
      else if (kept.length) kept.pop();
      else return;
    }
  }

  // A result with what was chosen and typed in it, for a reload and for the history.
  function keepResult() {
    if (!shown || !email()) return;
    shown.items = standing();
    shown.typed = isTyped();
    remember("result", shown, "sessionStorage");
    store(remembered("history", []).map((entry) => (entry.time === shown.time ? shown : entry)));
  }

  function listHistory() {
    const list = one("#history ol");
    if (!list) return;
    list.replaceChildren(...remembered("history", []).map((entry) => {
      const button = element("button", { type: "button", textContent: words.HISTORY_OPEN });
      button.addEventListener("click", () => {
        keepResult();
        picked = coming = remembered("history", []).find((each) => each.time === entry.time) ?? entry;
        one("#pick").click();
        one("#draft").scrollIntoView({ block: "nearest" });
      });
      const when = new Date(entry.time).toLocaleString(words.LANGUAGE, { dateStyle: "medium", timeStyle: "short" });
      const line = `${entry.subject ?? ""} ${entry.draft}`.trim().replace(/\s+/g, " ");
      const start = line.length > 80 ? `${line.slice(0, 80)}…` : line;
      button.setAttribute("aria-label", `${words.HISTORY_OPEN}: ${when}, ${start}`);
      return element("li", {}, button, ` ${when} · ${start}`);
    }));
    one("#history p").hidden = list.children.length > 0;
  }

  // What was typed a moment ago is kept before anything takes its place.
  let asked = {}; // the draft and subject of the run that was begun last
  document.addEventListener("click", (event) => {
    if (!event.target.closest("#run, #clear")) return;
    keepResult();
    asked = { subject: subject(), draft: area().value };
    if (!event.target.closest("#clear")) return;
    shown = null;
    remember("result", null, "sessionStorage"); // for a reload too
  }, true);
  addEventListener("pagehide", keepResult);

  document.addEventListener("click", (event) => {
    if (event.target.closest("#history")) setTimeout(listHistory, 50); // its content is made when it is opened
  });
