  // ---- the draft: files dropped on it, and what is underlined while it is typed ----

  const area = () => one("#draft textarea");
  const subject = () => one("#subject :is(input, textarea)")?.value ?? "";
  // What is proofread: the subject is its first line, as in a mail.
  const whole = () => (subject().trim() ? fill(words.WITH_SUBJECT, { subject: subject().trim().replace(/\s+/g, " "), body: area().value }) : area().value);

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

  // Says so while the result is of another draft than the one beside it.
  function judge() {
    const line = one("#stale p");
    const of = source();
    const note = of && of !== whole() ? words.STALE : "";
    if (line && line.textContent !== note) line.textContent = note;
  }

  // ---- live: a copy of the draft under its letters holds the lines; the classifiers alone say where ----

  let mirror = null;
  let doubts = []; // [before, after, reason], in the order of the underlined words

  // `found` is the draft in pieces, a doubted one as [before, after, reason].
  function underline(found) {
    const box = area();
    const of = found.map((piece) => (typeof piece === "string" ? piece : piece[0])).join("");
    if (of !== box.value) return; // typed on since
    if (!mirror?.isConnected) {
      mirror = element("div", { id: "underlined", ariaHidden: "true" });
      one("#draft").append(mirror); // not into the label, whose text is the name of the text area
    }
    doubts = found.filter((piece) => typeof piece !== "string");
    mirror.replaceChildren(...found.map((piece) => (
      typeof piece === "string" ? document.createTextNode(piece) : element("u", { textContent: piece[0] || "\u200b" })
    )), "\n");
    lay();
  }

  // Lays the copy over the text area, letter on letter.
  function lay() {
    if (!mirror?.isConnected) return;
    const box = area();
    const style = getComputedStyle(box);
    for (const name of ["font", "letterSpacing", "lineHeight", "padding", "textAlign", "unicodeBidi", "tabSize"]) mirror.style[name] = style[name];
    const [inner, outer] = [box, one("#draft")].map((each) => each.getBoundingClientRect());
    Object.assign(mirror.style, {
      left: `${inner.left - outer.left - one("#draft").clientLeft + box.clientLeft}px`,
      top: `${inner.top - outer.top - one("#draft").clientTop + box.clientTop}px`,
      width: `${box.clientWidth}px`, height: `${box.clientHeight}px`,
    });
    mirror.scrollTop = box.scrollTop;
  }
  addEventListener("resize", lay);
  document.addEventListener("scroll", (event) => {
    if (event.target === area() && mirror) mirror.scrollTop = event.target.scrollTop;
  }, true);

  // Letters typed before an underlined word move it: the lines go until the draft is read again.
  function lift() {
    if (!mirror?.isConnected) return;
    if (mirror.textContent === `${area().value}\n`) return;
    mirror.replaceChildren();
    if (!opener) closePopover(false);
  }

  document.addEventListener("click", (event) => {
    if (event.target === area()) offerAtCaret();
  });

  // Whether there is an underlined word at the caret, whose correction it then shows.
  function offerAtCaret() {
    if (!mirror?.isConnected || area().selectionStart !== area().selectionEnd) return false;
    let at = 0;
    let number = 0;
    for (const node of mirror.childNodes) {
      const isWord = node.nodeName === "U";
      const end = at + (isWord ? doubts[number][0] : node.data).length;
      if (isWord && at <= area().selectionStart && area().selectionStart <= end) {
        offer(node, doubts[number], at, end);
        return true;
      }
      number += isWord;
      at = end;
    }
    return false;
  }

  // The correction of an underlined word, at the word.
  function offer(word, [before, after, reason], start, end) {
    closePopover(false);
    opener = null;
    popover = element("div", { id: "popover", tabIndex: -1 });
    popover.setAttribute("role", "dialog");
    popover.setAttribute("aria-label", words.CHANGE);
    const take = element("button", { type: "button", textContent: `✓ ${after.trim() ? after : words.REMOVE}` });
    take.addEventListener("click", (event) => {
      event.stopPropagation();
      closePopover(false);
      area().focus();
      if (area().value.slice(start, end) !== before) return; // typed on since
      area().setSelectionRange(start, end);
      document.execCommand(after ? "insertText" : "delete", false, after); // the one way that Ctrl+Z can undo
    });
    popover.append(element("p", { textContent: reason }), take);
    if (/^[\p{L}\p{M}'’-]+$/u.test(before)) {
      const never = element("button", { type: "button", textContent: fill(words.IGNORE, { word: before }) });
      never.addEventListener("click", (event) => {
        event.stopPropagation();
        ignored = before;
        one("#ignore").click();
        closePopover(false);
        ask("#live", 200);
      });
      popover.append(never);
    }
    one("main").append(popover);
    anchor = word;
    place();
  }
