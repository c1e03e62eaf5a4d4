"use strict";
(() => {
  const CONFIG = {
    displaylogo: false, responsive: true, showSendToCloud: false, plotlyServerURL: "", typesetMath: false,
    modeBarButtonsToRemove: ["sendChartToCloud", "lasso2d", "select2d", "autoScale2d", "zoomIn2d", "zoomOut2d"],
  };
  const PRINT_WIDTH = 1040; // with the zoom of .66 in the style sheet this is the width of an A4 page
  const root = document.documentElement;
  const system = matchMedia("(prefers-color-scheme: dark)");
  const plots = [...document.querySelectorAll(".plot")];
  const specs = new Map();
  const isDark = () => root.dataset.theme === "dark" || (root.dataset.theme === "auto" && system.matches);

  const spec = (plot, dark) => {
    if (!specs.has(plot.id)) specs.set(plot.id, JSON.parse(document.getElementById(plot.id + "-data").textContent));
    const figure = structuredClone(specs.get(plot.id));
    for (const [path, value] of dark ? figure.dark : []) {
      const last = path.pop();
      path.reduce((node, key) => node[key], figure)[last] = value;
    }
    return figure;
  };
  const draw = (plot, dark, width) => {
    plot.dataset.drawn = "1";
    const figure = spec(plot, dark);
    const layout = width ? { ...figure.layout, width, autosize: false } : figure.layout;
    return Plotly.react(plot, figure.data, layout, CONFIG);
  };
  const redraw = () => plots.filter((plot) => plot.dataset.drawn).forEach((plot) => draw(plot, isDark()));

  const near = new IntersectionObserver((entries) => {
    for (const { isIntersecting, target } of entries) {
      if (isIntersecting) {
        near.unobserve(target);
        draw(target, isDark());
      }
    }
  }, { rootMargin: "800px" });
  plots.forEach((plot) => near.observe(plot));
  system.addEventListener("change", redraw);
  const button = document.getElementById("theme");
  button.hidden = false;
  button.addEventListener("click", () => {
    root.dataset.theme = isDark() ? "light" : "dark";
    redraw();
  });

  const opened = [];
  addEventListener("beforeprint", () => {
    plots.forEach((plot) => draw(plot, false, PRINT_WIDTH));
    for (const details of document.querySelectorAll("details.printed:not([open])")) {
      details.open = true;
      opened.push(details);
    }
  });
  addEventListener("afterprint", () => {
    redraw();
    opened.splice(0).forEach((details) => { details.open = false; });
  });

  const links = new Map([...document.querySelectorAll("nav a")].map((a) => [a.hash.slice(1), a]));
  const passing = new IntersectionObserver((entries) => {
    for (const { isIntersecting, target } of entries) links.get(target.id)?.classList.toggle("here", isIntersecting);
  }, { rootMargin: "-20% 0px -70% 0px" });
  document.querySelectorAll("main > section").forEach((section) => passing.observe(section));
})();
