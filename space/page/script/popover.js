  // ---- the popover: what an edit is, at its word; at the foot of the window on a phone ----

  let popover = null;
  let opener = null; // the mark that it belongs to
  let anchor = null; // what it stands at
  let ignored = ""; // a word that is never to be changed again

  function openPopover(mark) {
    const number = numberOf(mark);
    const card = cardOf(number);
    if (!card) return;
    closePopover(false);
    opener = anchor = mark;
    popover = element("div", { id: "popover", tabIndex: -1 });
    popover.setAttribute("role", "dialog");
    popover.setAttribute("aria-label", mark.getAttribute("aria-label"));
    popover.dataset.change = number;
    popover.append(...[...card.cloneNode(true).childNodes]);
    const [before] = pieces()[2 * number + 1];
    if (/^[\p{L}\p{M}'’-]+$/u.test(before)) {
      const never = element("button", { type: "button", textContent: fill(words.IGNORE, { word: before }) });
      never.dataset.ignore = before;
      popover.append(never);
    }
    popover.append(element("span", { className: "pr-moves" }, ...moves(number)));
    one("main").append(popover);
    press(popover, mark);
    place();
    popover.focus({ preventScroll: true });
  }

  function moves(number) {
    const found = marks();
    const at = found.findIndex((mark) => numberOf(mark) === number) + 1;
    const button = (by, sign, name) => {
      const made = element("button", { type: "button", textContent: sign, ariaLabel: name });
      made.dataset.move = by;
      return made;
    };
    return [
      button(-1, "‹", words.PREVIOUS),
      element("span", { textContent: fill(words.PLACE, { at, total: found.length }) }),
      button(1, "›", words.NEXT),
    ];
  }

  // Under its word, or over it where there is no room; inside the window.
  function place() {
    const gap = 6;
    const box = popover;
    const word = anchor.getClientRects()[0] ?? anchor.getBoundingClientRect();
    const { width, height } = box.getBoundingClientRect();
    const below = word.bottom + gap;
    const top = below + height > innerHeight && word.top > height + gap ? word.top - height - gap : below;
    box.style.top = `${Math.max(gap, Math.min(top, innerHeight - height - gap))}px`;
    box.style.left = `${Math.max(gap, Math.min(word.left, innerWidth - width - gap))}px`;
  }

  function closePopover(back) {
    if (!popover) return;
    const box = popover;
    popover = null; // before focus leaves it, which closes it too
    box.remove();
    if (back && opener) (markOf(numberOf(opener)) ?? opener).focus({ preventScroll: true });
  }

  document.addEventListener("pointerdown", (event) => {
    if (popover && !event.target.closest("#popover")) closePopover(false);
  });
  document.addEventListener("focusout", (event) => {
    if (popover?.contains(event.target) && event.relatedTarget && !popover.contains(event.relatedTarget)) closePopover(false);
  });
  document.addEventListener("scroll", (event) => {
    if (!popover || popover.contains(event.target)) return;
    if (anchor.isConnected) place();
    else closePopover(false);
  }, true);
