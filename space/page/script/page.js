  // ---- keys ----

  const inField = (each) => each.matches?.("input, textarea") || each.isContentEditable;

  document.addEventListener("keydown", (event) => {
    const { key, target } = event;
    const command = event.ctrlKey || event.metaKey;
    const reviewing = target.closest("#result, #changes, #popover");
    // Ctrl+Enter starts from anywhere but the feedback form, where it would throw the form away.
    if (key === "Enter" && command) {
      if (target.closest("#feedback, #send")) return;
      event.preventDefault();
      one("#run:not([disabled])")?.click();
    } else if (command && ["z", "y"].includes(key.toLowerCase()) && (reviewing || (email() && !inField(target)))) {
      event.preventDefault();
      undo(key.toLowerCase() === "z" && !event.shiftKey);
    } else if (key === "Enter" && event.altKey && target === area()) {
      if (offerAtCaret()) popover.focus();
    } else if (key === "Escape") {
      closePopover(true);
    } else if (target.matches(".pr-change[role=button]") && ["Enter", " "].includes(key)) {
      event.preventDefault();
      target.click();
    } else if (reviewing && !command && !event.altKey && !inField(target)) {
      if (!marks().length) return;
      const now = marks().find((mark) => mark.classList.contains("pr-now"));
      if (key === "n" || key === "p") {
        closePopover(false);
        go(beside(key === "n" ? 1 : -1)).focus({ preventScroll: true });
      } else if (now && (key === "a" || key === "r")) {
        choose([numberOf(now)], key === "a" ? 1 : 0);
        closePopover(true);
      }
    }
  });

  // A mark that is reached by Tab is the one that the keys are for.
  document.addEventListener("focusin", (event) => {
    if (event.target.matches(".pr-change[data-side]")) go(event.target);
  });

  // Gradio takes Shift+Enter for "submit" and swallows the new line; in an email it is one.
  document.addEventListener("keypress", (event) => {
    if (event.key === "Enter" && event.shiftKey) event.stopPropagation();
  }, true);

  // On a phone, or at twice the size, what happens next is below the window.
  function bring(selector) {
    if (one(selector).getBoundingClientRect().top < innerHeight * 0.5) return;
    const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
    one(selector).scrollIntoView({ block: "start", behavior: still ? "auto" : "smooth" });
  }

  // The email without the subject that was given beside it.
  const body = () => (shown?.subject?.trim() ? text().replace(/^Subject: .*\n\n/, "") : text());

  window.proofreader = {
    text,

    // Of each new draft, typed or not: keeps it for a reload of this page, and measures it after a pause.
    // Characters are code points, as Python counts them.
    count(draft) {
      remember("draft", { draft, subject: subject() }, "sessionStorage");
      judge();
      lift();
      ask("#live", 200);
      ask("#measure", 500);
      const count = (draft.match(/\S+/g) || []).length;
      const form = count > words.MAX_WORDS ? words.COUNT_OVER : words.COUNT;
      return fill(form, { characters: [...draft].length, words: count, limit: words.MAX_WORDS });
    },

    underline(found) {
      underline(JSON.parse(found || "[]"));
    },

    // The values of a handler, with what was chosen and typed in the result as the last one.
    withChoices: (...values) => [...values.slice(0, -1), JSON.stringify({
      sides: fresh.map((_, number) => markOf(number)?.dataset.side ?? "").map((side) => (side === "" ? null : Number(side))),
      text: email() && isTyped() ? text() : null,
    })],

    // The values of a handler, with what was picked out of the history as the last three.
    withPicked: (...values) => [...values.slice(0, -3), picked.subject ?? "", picked.draft, picked.saved ?? ""],

    // Another tab may have added words since this one was opened.
    withIgnored: (terms) => [...new Set([...terms.split("\n"), ...(remembered("settings", {}).terms ?? "").split("\n"), ignored])].filter((term) => term.trim()).join("\n"),

    // A result has come, new or again: puts choices that were made before in their place, and a new one on top of the history.
    arrived(saved) {
      if (!saved && email()) return; // there was nothing to bring back when the page was opened, and a run was faster
      const old = coming?.saved && coming.saved === saved ? coming : null;
      coming = null;
      // Gradio leaves what is on screen as it is when the same result comes again.
      if (!saved || saved !== shown?.saved) fresh = marks().map((mark) => mark.cloneNode(true));
      past = [];
      future = [];
      shown = null;
      if (!saved) remember("result", null, "sessionStorage");
      if (email() && saved) {
        if (old?.items) put(old.items);
        else for (const mark of marks()) if (decided[keyOf(numberOf(mark))] !== undefined) show(numberOf(mark), decided[keyOf(numberOf(mark))]);
        shown = old ?? { time: Date.now(), ...asked, saved };
        const others = remembered("history", []).filter((entry) => entry.time !== shown.time && (entry.draft !== shown.draft || entry.typed));
        store([shown, ...others]);
        keepResult();
        if (!old) listHistory(); // else a click on the list that is being made anew would be lost
        if (marks().some((mark) => mark.dataset.side !== fresh[numberOf(mark)].dataset.side) || old?.items) ask("#rescore", 0);
      }
      hideDismissed();
      follow();
      judge();
      if (email() && !old) bring("#result");
    },

    clearHistory() {
      remember("history", []);
      listHistory();
    },

    remember: (terms, dialect) => remember("settings", { terms, dialect }),

    // What was remembered: the draft, unless there is one already, the settings that are given back, and the last result.
    recall() {
      const { terms = "", dialect = "" } = remembered("settings", {});
      const { draft = "", subject: line = "" } = remembered("draft", {}, "sessionStorage");
      // A bookmarklet hands over its selection behind the "#", which no browser sends to a server (docs/clients.md).
      const given = new URLSearchParams(location.hash.slice(1)).get("draft");
      if (given) history.replaceState(null, "", location.pathname + location.search);
      for (const [box, value] of [[area(), given || draft], [one("#subject :is(input, textarea)"), line]]) {
        if (!value || !box || box.value) continue;
        box.value = value;
        box.dispatchEvent(new Event("input", { bubbles: true }));
      }
      listHistory();
      coming = remembered("result", null, "sessionStorage");
      return [terms, dialect, coming?.saved ?? ""];
    },

    judge,

    hideMarks: () => (one("#result").classList.toggle("pr-clean-view") ? words.SHOW_MARKS : words.HIDE_MARKS),

    // navigator.clipboard exists on https and on localhost only; elsewhere the text is selected and copied.
    async copy() {
      const copied = body();
      try {
        await navigator.clipboard.writeText(copied);
      } catch {
        const field = element("textarea", { value: copied });
        document.body.append(field);
        field.select();
        document.execCommand("copy");
        field.remove();
      }
      return words.COPIED;
    },

    async copyAgain() {
      await new Promise((done) => setTimeout(done, 1500));
      return words.COPY;
    },

    saveText: () => save(new Blob([text()], { type: "text/plain;charset=utf-8" }), `${words.FILE_NAME}.txt`),

    // `data` is base64, as bytes travel in JSON.
    saveMail(data) {
      if (!data) return void (one("#stale p").textContent = words.GONE);
      const bytes = Uint8Array.from(atob(data), (each) => each.charCodeAt(0));
      save(new Blob([bytes], { type: "message/rfc822" }), `${words.FILE_NAME}.eml`);
    },
  };

  // A check that was dismissed is not shown again in this browser.
  function hideDismissed() {
    const dismissed = remembered("dismissed", []);
    for (const each of all("#notes .pr-check")) each.hidden = dismissed.includes(each.dataset.check);
  }
  document.addEventListener("click", (event) => {
    const check = event.target.closest("[data-dismiss]")?.closest(".pr-check");
    if (!check) return;
    remember("dismissed", [...remembered("dismissed", []), check.dataset.check].slice(-500));
    hideDismissed();
  });

  function save(blob, name) {
    const link = element("a", { href: URL.createObjectURL(blob), download: name });
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  }
