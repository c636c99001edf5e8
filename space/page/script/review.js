  // ---- the result: an editor in which each edit is a mark; `data-side` of a mark says which wording stands ----
  //
  // A side is "" while nobody has said yes or no to a suggestion, 0 for the writer's words, 1 for the edit's, more for its
  // alternatives. The server sends the draft in pieces: a string, or the sides of an edit, in turn.

  const email = () => one("#result .pr-email[data-pieces]");
  const pieces = () => JSON.parse(email()?.dataset.pieces ?? "[]");
  const marks = () => all("#result .pr-change[data-side]");
  const markOf = (number) => one(`#result .pr-change[data-side][data-change="${number}"]`);
  const cardOf = (number) => one(`#changes .pr-card[data-change="${number}"]`);
  const numberOf = (each) => Number(each.closest("[data-change]")?.dataset.change);
  const sideOf = (mark) => Number(mark.dataset.side);
  let fresh = []; // the marks as they came, for an undo that brings one back

  // The draft that the result is of.
  const source = () => pieces().map((piece) => (typeof piece === "string" ? piece : piece[0])).join("");

  // A text as the server shows it: one kind of line end, and a picture for each control character.
  const drawn = (piece) => piece.replace(/\r\n?/g, "\n").replace(
    /[\0-\x08\x0b-\x1f\x7f]/g, (each) => (each === "\x7f" ? "\u2421" : String.fromCharCode(0x2400 + each.charCodeAt(0))),
  );

  // What was typed into a stretch, with what no screen can show of it as it was.
  function undrawn(typed, piece) {
    const lines = piece.includes("\r\n") ? typed.replace(/\n/g, "\r\n") : typed;
    return lines.replace(/[\u2400-\u241f\u2421]/g, (picture) => {
      const control = picture === "\u2421" ? "\x7f" : String.fromCharCode(picture.charCodeAt(0) - 0x2400);
      return piece.includes(control) ? control : picture;
    });
  }

  // What stands in the editor: of each stretch the number of its piece, what was typed as a string, of a mark [number, side].
  function standing() {
    const known = pieces();
    return [...(email()?.childNodes ?? [])].map((node) => {
      if (node.nodeName === "BR") return node.nextSibling ? "\n" : ""; // one at the end only holds the line open
      if (node.dataset?.side !== undefined) return [numberOf(node), node.dataset.side];
      if (node.dataset?.piece === undefined) return node.textContent;
      const piece = Number(node.dataset.piece);
      return node.textContent === drawn(known[piece]) ? piece : undrawn(node.textContent, known[piece]);
    });
  }

  function put(items) {
    closePopover(false);
    const known = pieces();
    email().replaceChildren(...items.map((item) => {
      if (typeof item === "string") return document.createTextNode(drawn(item));
      if (typeof item === "number") {
        const span = element("span", { textContent: drawn(known[item] ?? "") });
        span.dataset.piece = item;
        return span;
      }
      return fresh[item[0]].cloneNode(true);
    }));
    for (const item of items) if (Array.isArray(item)) show(item[0], item[1]);
  }

  // The email as it stands.
  function text() {
    const known = pieces();
    return standing().map((item) => {
      if (typeof item === "number") return known[item];
      return typeof item === "string" ? item : known[2 * item[0] + 1][Number(item[1])];
    }).join("");
  }

  // Whether it is more than a choice of sides.
  const isTyped = () => text() !== pieces().map((piece, at) => (
    typeof piece === "string" ? piece : piece[Number(markOf((at - 1) / 2)?.dataset.side ?? 0)]
  )).join("");

  // ---- choices ----

  // Shows one side of a mark.
  function show(number, side) {
    const mark = markOf(number);
    if (!mark) return; // deleted by hand
    mark.dataset.side = side;
    mark.setAttribute("aria-pressed", Number(side) > 0);
    const wording = cardOf(number) && one(`.pr-wordings [data-wording="${Math.max(1, Number(side))}"]`, cardOf(number));
    if (!wording) return;
    mark.replaceChildren(...[...wording.childNodes].map((node) => node.cloneNode(true)));
    mark.setAttribute("aria-label", wording.getAttribute("aria-label"));
  }

  function choose(numbers, side) {
    step();
    typedAt = 0;
    for (const number of numbers) {
      const mark = markOf(number);
      if (!mark) continue;
      show(number, side === 1 && sideOf(mark) > 1 ? mark.dataset.side : side);
      decided[keyOf(number)] = mark.dataset.side;
    }
    remember("decided", Object.fromEntries(Object.entries(decided).slice(-500)), "sessionStorage");
    changed();
  }

  // The same edit in a later run: its words between the same neighbours.
  function keyOf(number) {
    const known = pieces();
    const left = known[2 * number].slice(-100).match(/\S*\s*$/)[0];
    const right = known[2 * number + 2].slice(0, 100).match(/^\s*\S*/)[0];
    return JSON.stringify([left, ...known[2 * number + 1], right]);
  }
  let decided = remembered("decided", {}, "sessionStorage");

  // After anything in the editor changed.
  function changed() {
    follow();
    ask("#rescore", 300);
    later("keep", 300, keepResult);
  }

  // Cards, kinds and the count say what the marks say.
  function follow() {
    const kinds = {};
    for (const card of all("#changes .pr-card")) {
      const mark = markOf(numberOf(card));
      card.classList.toggle("pr-gone", !mark);
      if (!mark) continue;
      const side = sideOf(mark);
      card.classList.toggle("pr-left", !side);
      press(card, mark);
      kinds[card.dataset.of] = (kinds[card.dataset.of] ?? false) || side > 0;
    }
    for (const button of all("#changes [data-kind]")) button.setAttribute("aria-pressed", kinds[button.dataset.kind] ?? false);
    // Not `disabled`, which would take the focus away from the one that was pressed last.
    for (const button of all("#changes [data-undo]")) button.setAttribute("aria-disabled", !(button.dataset.undo === "true" ? past : future).length);
    const accepted = marks().filter((mark) => sideOf(mark) > 0).length;
    const rejected = marks().filter((mark) => mark.dataset.side === "0").length;
    const line = one("#chosen");
    if (line) line.textContent = fill(words.CHOSEN, { accepted, rejected });
  }

  // The buttons of a card or the popover, as its mark stands.
  function press(card, mark) {
    const { side } = mark.dataset;
    for (const button of all("[data-accept]", card)) {
      button.setAttribute("aria-pressed", side !== "" && (button.dataset.accept === "true") === Number(side) > 0);
    }
    for (const button of all("[data-wording]", card)) button.setAttribute("aria-pressed", button.dataset.wording === side);
  }

  // Moves to an edit, around the ends, and shows it in the email and among the cards.
  function go(mark) {
    const card = cardOf(numberOf(mark));
    for (const each of all(".pr-now")) each.classList.remove("pr-now");
    for (const each of [mark, card]) each?.classList.add("pr-now");
    scrollInto(mark, ".pr-email");
    if (card) scrollInto(card, ".pr-cards");
    return mark;
  }

  // The mark that is `by` places from the current one.
  function beside(by) {
    const found = marks();
    const at = found.findIndex((mark) => mark.classList.contains("pr-now"));
    return found[((at < 0 && by < 0 ? 0 : at) + by + found.length) % found.length];
  }

  // Scrolls its box alone (both are positioned): the page must not jump under the pointer.
  function scrollInto(each, selector) {
    const box = each.closest(selector);
    const top = each.offsetTop;
    if (top < box.scrollTop || top + each.offsetHeight > box.scrollTop + box.clientHeight) {
      box.scrollTop = top - box.clientHeight / 2;
    }
  }

  // ---- undo, of choices and of what was typed ----

  let typedAt = 0; // when a letter was typed last
  let past = [];
  let future = [];

  const state = () => ({ items: standing(), caret: caret() });

  function step() {
    past.push(state());
    if (past.length > 200) past.shift();
    future = [];
  }

  function undo(back) {
    const [from, to] = back ? [past, future] : [future, past];
    if (!from.length || !email()) return;
    typedAt = 0;
    to.push(state());
    const { items, caret: at } = from.pop();
    const held = document.activeElement?.closest("#result .pr-change");
    put(items);
    if (held) markOf(numberOf(held))?.focus({ preventScroll: true });
    else if (at !== null) setCaret(at);
    changed();
  }

  // Where the caret is, in characters of what is shown; null if it is elsewhere.
  function caret() {
    const selection = getSelection();
    if (!selection.rangeCount || document.activeElement !== email()) return null;
    const range = document.createRange();
    range.selectNodeContents(email());
    range.setEnd(selection.focusNode, selection.focusOffset);
    return range.toString().length;
  }

  function setCaret(at) {
    const walker = document.createTreeWalker(email(), NodeFilter.SHOW_TEXT);
    while (walker.nextNode()) {
      const { length } = walker.currentNode.data;
      if (at <= length) return getSelection().collapse(walker.currentNode, at);
      at -= length;
    }
  }

  document.addEventListener("beforeinput", (event) => {
    if (!event.target.closest?.("#result .pr-email")) return;
    if (event.inputType.startsWith("history")) {
      event.preventDefault();
      return undo(event.inputType === "historyUndo");
    }
    // One step for what is typed without a pause.
    if (Date.now() - typedAt > 1000) step();
    typedAt = Date.now();
  });
  document.addEventListener("input", (event) => {
    if (event.target.closest?.("#result .pr-email")) changed();
  });

  // ---- the mouse ----

  document.addEventListener("click", (event) => {
    const { target } = event;
    const button = target.closest("#changes button, #popover button");
    const mark = target.closest("#result .pr-change[data-side]");
    if (button) {
      const number = numberOf(button);
      const { accept, wording, all: each, kind, undo: back, move, ignore } = button.dataset;
      if (accept) choose([number], accept === "true" ? 1 : 0);
      else if (wording) choose([number], wording);
      else if (each) choose(marks().map(numberOf), each === "true" ? 1 : 0);
      else if (kind) chooseKind(kind, button.getAttribute("aria-pressed") !== "true");
      else if (back) undo(back === "true");
      else if (ignore) {
        ignored = ignore;
        one("#ignore").click();
        choose([number], 0);
      }
      if (button.closest("#popover")) return move ? openPopover(go(beside(Number(move)))) : closePopover(true);
      if (!Number.isNaN(number) && markOf(number)) go(markOf(number));
    } else if (mark) {
      openPopover(go(mark));
    } else if (target.closest("#changes .pr-card")) {
      const chosen = markOf(numberOf(target));
      if (chosen) go(chosen);
    }
  });

  function chooseKind(kind, taken) {
    const same = all("#changes .pr-card").filter((card) => card.dataset.of === kind);
    choose(same.map(numberOf), taken ? 1 : 0);
  }

  // Both sides of the desk show the same part of the email.
  let scrolling = null;
  document.addEventListener("scroll", (event) => {
    const panes = [one("#draft textarea"), email()];
    const at = panes.indexOf(event.target);
    if (at < 0 || !panes[1 - at] || (scrolling && scrolling !== event.target)) return;
    scrolling = event.target;
    later("scrolled", 150, () => { scrolling = null; });
    const [from, to] = [panes[at], panes[1 - at]];
    const room = from.scrollHeight - from.clientHeight;
    if (room > 0) to.scrollTop = (from.scrollTop / room) * (to.scrollHeight - to.clientHeight);
  }, true);
