// Files made from figures: PNG of the picture, CSV of its numbers.

import type { Table } from './figure';

function save(content: Blob, name: string): void {
  const address = URL.createObjectURL(content);
  const link = document.createElement('a');
  link.href = address;
  link.download = name;
  link.click();
  // The browser reads the address after the click has returned.
  setTimeout(() => URL.revokeObjectURL(address), 10_000);
}

export function save_canvas(canvas: HTMLCanvasElement, name: string): void {
  canvas.toBlob((content) => {
    if (content) save(content, name);
  }, 'image/png');
}

export function save_text(text: string, name: string): void {
  save(new Blob([text], { type: 'text/csv' }), name);
}

/** A table as CSV (RFC 4180): numbers in full, a missing value as an empty cell. */
export function table_text({ columns, rows }: Table): string {
  const cell = (value: string | number | null): string => {
    const text = value === null ? '' : String(value);
    return /[",\r\n]/.test(text) ? `"${text.replace(/"/g, '""')}"` : text;
  };
  return [columns, ...rows].map((row) => `${row.map(cell).join(',')}\r\n`).join('');
}

/** A name that any file system takes. */
export function file_stem(title: string): string {
  return (
    title
      .toLowerCase()
      .replace(/[^a-z0-9]+/g, '-')
      .replace(/^-+|-+$/g, '')
      .slice(0, 60) || 'hartline'
  );
}
