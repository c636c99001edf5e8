// What the page does by itself, without a round trip to the server. `words` holds the texts it needs, under their names in strings.py.
(words) => {
  const LAST = 10; // emails in the history
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  const one = (selector) => document.querySelector(selector);
  const timers = {};

  // ---- the draft ----

  // Presses a button of the server's once nothing has happened for some milliseconds.
  function later(selector, milliseconds) {
    clearTimeout(timers[selector]);
    timers[selector] = setTimeout(() => one(selector)?.click(), milliseconds);
  }

  // A file dropped on the draft goes the way of the button that opens one; beside it, it must not replace the page.
  const isFile = (event) => event.dataTransfer?.types.includes("Files");
  document.addEventListener("dragover", (event) => {
    if (isFile(event)) event.preventDefault();
  });
  document.addEventListener("drop", (event) => {
    if (!isFile(event)) return;
    event.preventDefault();
    const { files } = event.dataTransfer;
    if (!files.length || !event.target.closest?.("#draft")) return;
    const input = one("input[type=file][accept*='.eml']");
    input.files = files;
    input.dispatchEvent(new Event("change", { bubbles: true }));
  });

  // ---- keys ----

  document.addEventListener("keydown", (event) => {
    // Ctrl+Enter starts from anywhere but the feedback form, where it would throw the form away.
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
      if (event.target.closest("#feedback, #send")) return;
      event.preventDefault();
      one("#run:not([disabled])")?.click();
    } else if (event.target.matches(".pr-change[role=button]") && ["Enter", " "].includes(event.key)) {
      event.preventDefault();
      event.target.click();
    } else if (event.target.closest("#result, #changes") && !event.ctrlKey && !event.metaKey && !event.altKey) {
      if (!marks().length) return;
      const at = marks().findIndex((mark) => mark.classList.contains("pr-now"));
      if (event.key === "n") go(at + 1).focus({ preventScroll: true });
      else if (event.key === "p") go(at < 0 ? -1 : at - 1).focus({ preventScroll: true });
      else if (at >= 0 && (event.key === "a" || event.key === "r")) choose([at], event.key === "a");
    }
  });

  // Gradio takes Shift+Enter for "submit" and swallows the new line; in an email it is one.
  document.addEventListener("keypress", (event) => {
    if (event.key === "Enter" && event.shiftKey) event.stopPropagation();
  }, true);

  // ---- changes: a mark in the email says by aria-pressed whether it is accepted; all else follows it ----

  const marks = () => all("#result .pr-change[aria-pressed]");
  const isOpen = (mark) => mark.matches(".pr-suggestion:not([data-chosen])"); // nobody has said yes or no to it
  const isTaken = (mark) => mark.getAttribute("aria-pressed") === "true";

  document.addEventListener("click", (event) => {
    const target = event.target.closest("#result .pr-change[aria-pressed], #changes button, #changes .pr-card");
    if (!target) return;
    const number = Number(target.closest("[data-change]")?.dataset.change);
    const numbers = marks().map((_, each) => each);
    if (target.matches(".pr-change")) {
      choose([number], !isTaken(target));
    } else if (target.dataset.accept) {
      choose([number], target.dataset.accept === "true");
    } else if (target.dataset.all) {
      choose(numbers, target.dataset.all === "true");
    } else if (target.dataset.kind) {
      const same = all("#changes .pr-card").filter((card) => card.dataset.of === target.dataset.kind);
      choose(same.map((card) => Number(card.dataset.change)), target.getAttribute("aria-pressed") !== "true");
    }
    if (!Number.isNaN(number)) go(number);
  });

  function choose(numbers, taken) {
    const found = marks();
    for (const number of numbers) {
      found[number].setAttribute("aria-pressed", taken);
      found[number].dataset.chosen = true;
    }
    follow();
    later("#rescore", 300);
  }

  // Cards, kinds and the count say what the marks say.
  function follow() {
    const taken = marks().map(isTaken);
    const open = marks().map(isOpen);
    const kinds = {};
    for (const card of all("#changes .pr-card")) {
      const accepted = taken[card.dataset.change];
      card.classList.toggle("pr-left", !accepted);
      for (const button of all("[data-accept]", card)) {
        const agrees = (button.dataset.accept === "true") === accepted;
        button.setAttribute("aria-pressed", agrees && !open[card.dataset.change]);
      }
      kinds[card.dataset.of] = (kinds[card.dataset.of] ?? false) || accepted;
    }
    for (const button of all("#changes [data-kind]")) button.setAttribute("aria-pressed", kinds[button.dataset.kind]);
    const accepted = taken.filter(Boolean).length;
    const rejected = marks().filter((mark) => !isTaken(mark) && !isOpen(mark)).length;
    const line = one("#chosen");
    if (line) line.textContent = fill(words.CHOSEN, { accepted, rejected });
  }

  // Moves to a change, around the ends, and shows it in the email and among the cards.
  function go(to) {
    const found = marks();
    const number = (to + found.length) % found.length;
    const card = one(`#changes .pr-card[data-change="${number}"]`);
    for (const each of all(".pr-now")) each.classList.remove("pr-now");
    for (const each of [found[number], card]) each?.classList.add("pr-now");
    scrollInto(found[number], ".pr-email");
    if (card) scrollInto(card, ".pr-cards");
    return found[number];
  }

  // Scrolls its box alone (both are positioned): the page must not jump under the pointer.
  function scrollInto(each, selector) {
    const box = each.closest(selector);
    const top = each.offsetTop;
    if (top < box.scrollTop || top + each.offsetHeight > box.scrollTop + box.clientHeight) {
      box.scrollTop = top - box.clientHeight / 2;
    }
  }

  const pieces = () => JSON.parse(one("#result [data-pieces]")?.dataset.pieces ?? "[]");

  // The draft that the result is of.
  const source = () => pieces().map((piece) => (typeof piece === "string" ? piece : piece[0])).join("");

  // Says so while the result is of another draft than the one beside it.
  function judge(draft) {
    const line = one("#stale p");
    const of = source();
    const note = of && of !== draft ? words.STALE : "";
    if (line && line.textContent !== note) line.textContent = note;
  }

  // On a phone, or at twice the size, what happens next is below the window.
  function show(selector) {
    if (one(selector).getBoundingClientRect().top < innerHeight * 0.8) return;
    const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
    one(selector).scrollIntoView({ block: "start", behavior: still ? "auto" : "smooth" });
  }

  // The email as chosen: the pieces between changes, and of each change the side that was taken.
  function text() {
    const taken = marks().map(isTaken);
    let number = 0;
    return pieces().map((piece) => (typeof piece === "string" ? piece : piece[Number(taken[number++])])).join("");
  }

  // ---- what this browser remembers; private windows may refuse ----

  function remembered(key, otherwise, storage = "localStorage") {
    try {
      return JSON.parse(window[storage].getItem(`proofreader.${key}`)) ?? otherwise;
    } catch {
      return otherwise;
    }
  }

  function remember(key, value, storage = "localStorage") {
    try {
      window[storage].setItem(`proofreader.${key}`, JSON.stringify(value));
    } catch { /* full or forbidden: the page works without */ }
  }

  let picked = ""; // of the history

  function listHistory() {
    const list = one("#history ol");
    if (!list) return;
    list.replaceChildren(...remembered("history", []).map((email) => {
      const item = document.createElement("li");
      const button = document.createElement("button");
      button.type = "button";
      button.addEventListener("click", () => {
        picked = email.draft;
        one("#pick").click();
        one("#draft").scrollIntoView({ block: "nearest" });
      });
      button.textContent = words.HISTORY_OPEN;
      const when = new Date(email.time).toLocaleString(words.LANGUAGE, { dateStyle: "medium", timeStyle: "short" });
      const line = email.draft.trim().replace(/\s+/g, " ");
      const start = line.length > 80 ? `${line.slice(0, 80)}…` : line;
      button.setAttribute("aria-label", `${words.HISTORY_OPEN}: ${when}, ${start}`);
      item.append(button, ` ${when} · ${start}`);
      return item;
    }));
    one("#history p").hidden = list.children.length > 0;
  }

  document.addEventListener("click", (event) => {
    if (event.target.closest("#history")) setTimeout(listHistory, 50); // its content is made when it is opened
  });

  function fill(form, values) {
    return form.replace(/{(\w+)}/g, (_, name) => values[name].toLocaleString(words.LANGUAGE));
  }

  window.proofreader = {
    text,

    // Of each new draft, typed or not: keeps it for a reload of this page, and measures its tone after a pause.
    // Characters are code points, as Python counts them.
    count(draft) {
      remember("draft", draft, "sessionStorage");
      judge(draft);
      later("#measure", 500);
      const count = (draft.match(/\S+/g) || []).length;
      const form = count > words.MAX_WORDS ? words.COUNT_OVER : words.COUNT;
      return fill(form, { characters: [...draft].length, words: count, limit: words.MAX_WORDS });
    },

    // The values of a handler, with which changes are taken as the last one.
    withChoices: (...values) => [...values.slice(0, -1), JSON.stringify(marks().map((mark) => (isOpen(mark) ? null : isTaken(mark))))],

    // The values of a handler, with the draft that was picked out of the history as the last one.
    withPicked: (...values) => [...values.slice(0, -1), picked],

    // A result has come: counts its changes, and puts it on top of the history.
    arrived() {
      follow();
      const draft = source();
      judge(one("#draft textarea").value);
      if (!draft.trim()) return;
      show("#result");
      const others = remembered("history", []).filter((email) => email.draft !== draft);
      remember("history", [{ time: Date.now(), draft }, ...others].slice(0, LAST));
      listHistory();
    },

    clearHistory() {
      remember("history", []);
      listHistory();
    },

    remember: (terms, dialect) => remember("settings", { terms, dialect }),

    // What was remembered: the draft, unless there is one already, and the settings that are given back.
    recall() {
      const { terms = "", dialect = "" } = remembered("settings", {});
      // A bookmarklet hands over its selection behind the "#", which no browser sends to a server (docs/clients.md).
      const given = new URLSearchParams(location.hash.slice(1)).get("draft");
      if (given) history.replaceState(null, "", location.pathname + location.search);
      const draft = given || remembered("draft", "", "sessionStorage");
      const area = one("#draft textarea");
      if (draft && (given || !area.value)) {
        area.value = draft;
        area.dispatchEvent(new Event("input", { bubbles: true }));
      }
      listHistory();
      return [terms, dialect];
    },

    hideMarks: () => (one("#result").classList.toggle("pr-clean-view") ? words.SHOW_MARKS : words.HIDE_MARKS),

    // navigator.clipboard exists on https and on localhost only; elsewhere the text is selected and copied.
    async copy() {
      try {
        await navigator.clipboard.writeText(text());
      } catch {
        const area = document.createElement("textarea");
        area.value = text();
        document.body.append(area);
        area.select();
        document.execCommand("copy");
        area.remove();
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
      if (!data) return;
      const bytes = Uint8Array.from(atob(data), (each) => each.charCodeAt(0));
      save(new Blob([bytes], { type: "message/rfc822" }), `${words.FILE_NAME}.eml`);
    },
  };

  function save(blob, name) {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(blob);
    link.download = name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  }
}
