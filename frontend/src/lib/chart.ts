// uPlot, for the few series that are worth zooming into. A table stands beside each chart.
import uPlot from "uplot";
import { api, ApiError } from "./api";

interface Series {
  series: { label: string; unit?: string }[];
  x: number[];
  y: (number | null)[][];
}

const COLOURS = ["--accent", "--for", "--against", "--warn"];

function colour(index: number): string {
  return getComputedStyle(document.documentElement).getPropertyValue(COLOURS[index % COLOURS.length]!) || "currentcolor";
}

export async function chartDraw(element: HTMLElement): Promise<void> {
  let data: Series;
  try {
    data = await api<Series>("GET", element.dataset.chart ?? "");
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    element.textContent = `The chart could not be drawn. ${error.message}`;
    return;
  }
  if (data.x.length < 2) {
    element.textContent = "Not enough history to draw yet.";
    return;
  }
  // light-dark() has to be resolved: a canvas knows no custom properties.
  const probe = element.appendChild(document.createElement("span"));
  const resolved = (index: number) => {
    probe.style.color = `var(${COLOURS[index % COLOURS.length]})`;
    return getComputedStyle(probe).color || colour(index);
  };
  const text = getComputedStyle(element).color;
  const axis = { stroke: text, grid: { stroke: "rgb(127 127 127 / 25%)" } };
  const plot = new uPlot(
    {
      width: Math.max(element.clientWidth, 240),
      height: 260,
      axes: [axis, { ...axis, size: 70 }],
      series: [{}, ...data.series.map(({ label }, index) => ({ label, stroke: resolved(index), width: 2 }))],
    },
    [data.x, ...data.y],
    element,
  );
  probe.remove();
  new ResizeObserver(() => plot.setSize({ width: Math.max(element.clientWidth, 240), height: 260 })).observe(element);
}
