  // ---- small tools, and what this browser remembers; private windows may refuse ----

  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  const one = (selector, root = document) => root.querySelector(selector);
  const timers = {};

  // Does something once it was not asked for again for some milliseconds; `name` tells what from what.
  function later(name, milliseconds, action) {
    clearTimeout(timers[name]);
    timers[name] = setTimeout(action, milliseconds);
  }

  // Presses a hidden button of the server's, later.
  const ask = (selector, milliseconds) => later(selector, milliseconds, () => one(selector)?.click());

  function remembered(key, otherwise, storage = "localStorage") {
    try {
      return JSON.parse(window[storage].getItem(`proofreader.${key}`)) ?? otherwise;
    } catch {
      return otherwise;
    }
  }

  // Whether it was kept: storage may be full or forbidden, and the page works without.
  function remember(key, value, storage = "localStorage") {
    try {
      window[storage].setItem(`proofreader.${key}`, JSON.stringify(value));
      return true;
    } catch {
      return false;
    }
  }

  function fill(form, values) {
    return form.replace(/{(\w+)}/g, (_, name) => values[name].toLocaleString(words.LANGUAGE));
  }

  function element(name, properties = {}, ...children) {
    const made = Object.assign(document.createElement(name), properties);
    made.append(...children);
    return made;
  }
