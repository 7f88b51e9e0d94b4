// Colours of the drawings: named once, in style.css.

const NAMES = ['background', 'ink', 'soft', 'grid', 'adaptive', 'baseline', 'observation', 'warning'] as const;
export type ColourName = (typeof NAMES)[number];
export type Theme = Record<ColourName, string>;

export function read_theme(): Theme {
  const style = getComputedStyle(document.documentElement);
  return Object.fromEntries(NAMES.map((name) => [name, style.getPropertyValue(`--${name}`).trim()])) as Theme;
}

export const font = (size: number, weight = 400): string =>
  `${weight} ${size}px system-ui, -apple-system, "Segoe UI", Roboto, sans-serif`;
