// Draws the figures: unpacks plotly.js, fills each figure's choices in, redraws on every change.
// The language the figures are written in is described in spec.py.
(() => {
  "use strict";
  const NARROW = 440; // pixels of a plot
  const PRINTED = 660;
  const root = document.documentElement;
  const figures = JSON.parse(document.getElementById("figures").textContent);
  const plots = [...document.querySelectorAll("[data-figure]")];
  const widths = new WeakMap();
  let printing = false;

  const MISSING = Symbol("missing");

  function palette() {
    const style = getComputedStyle(root);
    const known = new Map();
    return (name) => {
      if (!known.has(name)) known.set(name, style.getPropertyValue(name).trim() || name);
      return known.get(name);
    };
  }

  function resolve(value, context) {
    if (typeof value === "string") return value.startsWith("--") ? context.colour(value) : value;
    if (Array.isArray(value)) return value.map((entry) => resolve(entry, context));
    if (value === null || typeof value !== "object") return value;
    if ("column" in value) {
      const name = value.column.replace(/\{(\w+)\}/g, (_, choice) => context.choices[choice]);
      if (!Object.hasOwn(context.columns, name)) throw MISSING;
      return context.columns[name];
    }
    if ("by" in value) return resolve(value.of[context.choices[value.by]], context);
    const filled = {};
    for (const [key, entry] of Object.entries(value)) {
      const found = resolve(entry, context);
      if (found !== undefined && found !== null) filled[key] = found;
    }
    return filled;
  }

  function choicesOf(plot, figure, width) {
    const choices = { ...figure.fixed, screen: width < NARROW ? "narrow" : "wide" };
    const hidden = new Set();
    for (const control of plot.closest("figure").querySelectorAll("[data-choice]")) {
      if (control.type === "checkbox") {
        if (!control.checked) hidden.add(control.value);
      } else {
        choices[control.dataset.choice] = control.value;
      }
    }
    return { choices, hidden };
  }

  function traces(figure, context, hidden) {
    const drawn = [];
    for (const { when, group, ...trace } of figure.traces) {
      if (hidden.has(group)) continue;
      if (when && !Object.entries(when).every(([key, any]) => any.includes(context.choices[key]))) {
        continue;
      }
      try {
        drawn.push({ type: "scatter", ...resolve(trace, context) });
      } catch (error) {
        if (error !== MISSING) throw error;
      }
    }
    return drawn;
  }

  function axis(colour, own) {
    const { title, ...rest } = own;
    return {
      fixedrange: true,
      gridcolor: colour("--rule"),
      zeroline: false,
      linecolor: colour("--faint"),
      tickcolor: colour("--rule"),
      tickfont: { color: colour("--muted"), size: 12 },
      ticks: "outside",
      ticklen: 4,
      exponentformat: "SI",
      ...rest,
      ...(title
        ? { title: { standoff: 10, font: { size: 13, color: colour("--muted") }, ...title } }
        : {}),
    };
  }

  function layout(figure, context, width) {
    const { colour } = context;
    const own = resolve(figure.layout, context);
    for (const name of Object.keys(own)) {
      if (/^[xy]axis\d*$/.test(name)) own[name] = axis(colour, own[name]);
    }
    return {
      font: { family: getComputedStyle(document.body).fontFamily, size: 13, color: colour("--ink") },
      paper_bgcolor: "rgba(0,0,0,0)",
      plot_bgcolor: "rgba(0,0,0,0)",
      showlegend: false,
      dragmode: false,
      hovermode: "closest",
      hoverlabel: {
        bgcolor: colour("--raised"),
        bordercolor: colour("--faint"),
        font: { color: colour("--ink"), size: 13 },
        align: "left",
        namelength: -1,
      },
      width,
      height: figure.height[context.choices.screen],
      ...own,
    };
  }

  async function draw(plot) {
    const figure = figures[plot.dataset.figure];
    const width = printing ? PRINTED : plot.clientWidth;
    if (!figure || !width) return;
    widths.set(plot, plot.clientWidth);
    const { choices, hidden } = choicesOf(plot, figure, width);
    const context = { choices, columns: figure.columns, colour: palette() };
    plot.querySelector(".waiting")?.remove();
    await window.Plotly.react(
      plot,
      traces(figure, context, hidden),
      layout(figure, context, width),
      { displayModeBar: false, doubleClick: false, showTips: false, showAxisDragHandles: false },
    );
    if (figure.peek && !plot.dataset.peeks) peeking(plot, figure);
    plot.style.setProperty("min-height", "0");
    plot.dataset.drawn = choices.screen;
  }

  // A box beside the point that is pointed at: what it is, and its picture or text.
  function peeking(plot, figure) {
    plot.dataset.peeks = "yes";
    const { told, sheet, tile, across, rows, texts } = figure.peek;
    const box = document.createElement("div");
    const picture = document.createElement("div");
    const whole = document.createElement("img");
    const words = document.createElement("p");
    box.className = "peek";
    picture.className = "thumb";
    box.append(...(sheet ? [picture, words] : [words]));
    box.hidden = true;
    plot.closest("figure").append(box);
    if (sheet) {
      const side = 4 * tile;
      picture.style.width = picture.style.height = `${side}px`;
      whole.src = sheet;
      whole.alt = "";
      whole.width = across * side;
      whole.height = rows * side;
      picture.append(whole);
    }
    plot.on("plotly_hover", ({ points: [point], event }) => {
      const index = point.customdata;
      const guess = figure.columns[`guess/${point.data.meta}`]?.[index];
      const lines = [told[index], guess ? `taken for ${guess}` : "", texts ? texts[index] : ""];
      words.textContent = lines.filter(Boolean).join("\n");
      if (sheet) {
        const [column, row] = [index % across, Math.floor(index / across)];
        whole.style.transform = `translate(${-4 * tile * column}px, ${-4 * tile * row}px)`;
      }
      const around = plot.closest("figure").getBoundingClientRect();
      const left = event.clientX - around.left + 14;
      box.hidden = false;
      box.style.left = `${Math.max(0, Math.min(left, around.width - box.offsetWidth))}px`;
      box.style.top = `${event.clientY - around.top + 14}px`;
    });
    plot.on("plotly_unhover", () => {
      box.hidden = true;
    });
  }

  async function drawAll() {
    for (const plot of plots) {
      await draw(plot);
      await new Promise((resume) => setTimeout(resume, 0)); // let the page answer in between
    }
  }

  async function unpack() {
    const letters = atob(document.getElementById("library").textContent.trim());
    const bytes = new Uint8Array(letters.length);
    for (let i = 0; i < letters.length; i++) bytes[i] = letters.charCodeAt(i);
    const stream = new Response(bytes).body.pipeThrough(new DecompressionStream("gzip"));
    const script = document.createElement("script");
    script.textContent = await new Response(stream).text();
    document.head.append(script); // allowed by its hash in the page's policy
    if (!window.Plotly) throw new Error("the charting library did not start");
  }

  function watch() {
    for (const control of document.querySelectorAll("[data-choice]")) {
      const plot = control.closest("figure").querySelector("[data-figure]");
      control.addEventListener("change", () => draw(plot));
    }
    new MutationObserver(drawAll).observe(root, { attributeFilter: ["data-theme"] });
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawAll);
    const sizes = new ResizeObserver((entries) => {
      if (printing) return;
      for (const { target } of entries) {
        if (widths.get(target) !== target.clientWidth) draw(target);
      }
    });
    plots.forEach((plot) => sizes.observe(plot));
  }

  // Paper is white and as wide as paper is, whatever the screen.
  function print(on) {
    printing = on;
    root.classList.toggle("printing", on);
    for (const plot of plots) draw(plot);
  }

  async function start() {
    try {
      await unpack();
      await drawAll();
      watch();
      addEventListener("beforeprint", () => print(true));
      addEventListener("afterprint", () => print(false));
      root.dataset.charts = "ready";
    } catch (error) {
      root.dataset.charts = "failed";
      console.error(error);
    }
  }

  if (plots.length) start();
  else root.dataset.charts = "ready";
})();
