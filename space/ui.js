// What the page does by itself, without a round trip to the server. `words` holds the texts it needs.
(words) => {
  let pause;

  // Ctrl+Enter starts from anywhere but the feedback form, where it would throw the form away.
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
    if (event.target.closest("#feedback")) return;
    event.preventDefault();
    document.querySelector("#run:not([disabled])")?.click();
  });

  // Gradio takes Shift+Enter for "submit" and swallows the new line; in an email it is one.
  document.addEventListener("keypress", (event) => {
    if (event.key === "Enter" && event.shiftKey) event.stopPropagation();
  }, true);

  // A pause in typing, or a paste, measures the tone of the draft.
  document.addEventListener("input", (event) => {
    if (!event.target.closest("#draft")) return;
    clearTimeout(pause);
    pause = setTimeout(() => document.querySelector("#measure")?.click(), 500);
  });

  window.proofreader = {
    // Characters are code points, as Python counts them.
    count(text) {
      const count = (text.match(/\S+/g) || []).length;
      const form = count > words.limit ? words.countOver : words.count;
      const shown = { characters: [...text].length, words: count, limit: words.limit };
      return form.replace(/{(\w+)}/g, (_, name) => shown[name].toLocaleString(words.language));
    },

    // navigator.clipboard exists on https and on localhost only; elsewhere the text is selected and copied.
    async copy(text) {
      try {
        await navigator.clipboard.writeText(text);
      } catch {
        document.querySelector("#result textarea").select();
        document.execCommand("copy");
      }
      return words.copied;
    },

    async copyAgain() {
      await new Promise((done) => setTimeout(done, 1500));
      return words.copy;
    },
  };
}
