// Building and finding elements. Text only ever goes in as text.

type Child = Node | string | null | undefined | false;
type Props = Record<string, string | number | boolean | null | undefined | ((event: Event) => void)>;

/** Makes an element. Props starting with "on" are listeners, `true` an empty attribute, the rest attributes. */
export function h<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  props: Props = {},
  ...children: Child[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (value === null || value === undefined || value === false) continue;
    if (typeof value === "function") element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  element.append(...children.filter((child): child is Node | string => Boolean(child)));
  return element;
}

export function one<T extends Element = HTMLElement>(selector: string, root: ParentNode = document): T | null {
  return root.querySelector<T>(selector);
}

export function all<T extends Element = HTMLElement>(selector: string, root: ParentNode = document): T[] {
  return [...root.querySelectorAll<T>(selector)];
}

/** An icon of the page's sprite, whose address (with its hash) is read from the page. */
export function icon(name: string): SVGSVGElement {
  const known = one<SVGUseElement>("use[href*='icons']")?.getAttribute("href") ?? "";
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  const use = document.createElementNS("http://www.w3.org/2000/svg", "use");
  use.setAttribute("href", `${known.split("#")[0]}#${name}`);
  svg.append(use);
  return svg;
}

/** Says something to screen readers without moving the focus. */
export function announce(text: string): void {
  const region = one("#announcer");
  if (!region) return;
  region.textContent = "";
  window.setTimeout(() => (region.textContent = text), 50);
}

/** Runs `handler` for events on elements that match, now and later in the page. */
export function on<T extends HTMLElement>(
  type: string,
  selector: string,
  handler: (element: T, event: Event) => void,
): void {
  document.addEventListener(type, (event) => {
    const found = event.target instanceof Element ? event.target.closest<T>(selector) : null;
    if (found) handler(found, event);
  });
}

/** A page-wide fact that base.html writes on <body>. */
export function fact(name: string): string {
  return document.body.dataset[name] ?? "";
}
