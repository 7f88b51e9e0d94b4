// One slider over trials for the whole page.

import { element } from './element';
import { fixed } from './numbers';

export function trial_slider(last: number, moved: (trial: number) => void): HTMLElement {
  const input = element('input', {
    type: 'range',
    id: 'trial',
    min: '0',
    max: String(last),
    step: '1',
    value: String(last),
  });
  const shown = element('output', { for: 'trial' });
  const say = (): void => {
    shown.textContent = `${fixed(input.valueAsNumber, 0)} of ${fixed(last, 0)}`;
    input.setAttribute('aria-valuetext', `trial ${input.value} of ${last}`);
  };
  // A drag fires faster than the screen can draw: the newest place wins.
  let pending = false;
  input.addEventListener('input', () => {
    say();
    if (pending) return;
    pending = true;
    requestAnimationFrame(() => {
      pending = false;
      moved(input.valueAsNumber);
    });
  });
  say();
  return element('div', { class: 'slider' }, element('label', { for: 'trial' }, 'Trial'), input, shown);
}
