// How to get the same result again: command, versions, configuration.

import type { Report } from './document';
import { element } from './element';
import { named_on_paper } from './paper';

function copy_button(text: string, shown: HTMLElement): HTMLElement {
  const button = element('button', { type: 'button' }, 'Copy');
  const state = element('span', { role: 'status', class: 'note' });
  button.addEventListener('click', () => {
    // Where the clipboard is closed to pages, the text is left selected for the keyboard.
    const select = (): void => {
      getSelection()?.selectAllChildren(shown);
      state.textContent = 'Selected: press Ctrl+C';
    };
    if (navigator.clipboard)
      navigator.clipboard.writeText(text).then(() => {
        state.textContent = 'Copied';
      }, select);
    else select();
  });
  return element('span', { class: 'buttons' }, button, state);
}

export function reproduce(report: Report): HTMLElement[] {
  const parts: HTMLElement[] = [];
  if (report.command) {
    const shown = element('code', {}, report.command);
    parts.push(
      element(
        'div',
        { class: 'part' },
        element('div', { class: 'title' }, element('h3', {}, 'Command'), copy_button(report.command, shown)),
        element('pre', { tabindex: '0', role: 'region', 'aria-label': 'Command' }, shown),
      ),
    );
  }
  if (report.versions.length > 0) {
    parts.push(
      element(
        'div',
        { class: 'part' },
        element('h3', {}, 'Versions'),
        element(
          'dl',
          { class: 'versions' },
          ...report.versions.map(([name, version]) =>
            element('div', {}, element('dt', {}, name), element('dd', {}, version)),
          ),
        ),
      ),
    );
  }
  if (report.configuration) {
    parts.push(
      named_on_paper(
        element(
        'div',
        { class: 'part' },
        element('h3', {}, 'Configuration as resolved'),
        element(
          'pre',
          { class: 'configuration', tabindex: '0', role: 'region', 'aria-label': 'Configuration' },
          element('code', {}, report.configuration),
        ),
        ),
        'the configuration',
      ),
    );
  }
  return parts;
}
