// The page: reads the embedded data and lays it out in the order of reading.

import { arm_estimates_figure } from './arm_estimates';
import { arm_figures, arms_sentence } from './arms';
import { curve_figure } from './curve';
import { DocumentError, last_trial, read_report, type Report } from './document';
import { element } from './element';
import { file_stem } from './export';
import { Figure, type FigureSpec } from './figure';
import { figures_of_merit } from './figures';
import { Fitting } from './fitting';
import { deadline_text } from './deadline';
import { event_list, timeline_figure, warnings_text } from './events';
import { image_figure } from './image';
import { latency_figure } from './latency';
import { learning_figure } from './learning';
import { map_figure } from './map';
import { marginal_figure } from './marginal';
import { mismatch_figures, mismatch_sentence } from './mismatch';
import { network_figures } from './network';
import { keep_printing } from './paper';
import { population_figure, population_sentence } from './population';
import { reproduce } from './reproduce';
import { trial_slider } from './slider';
import { stimuli_figure } from './stimuli';
import { trial_figures } from './trials';
import { utility_figure } from './utility';
import { validation_figures, validation_note, validation_numbers, validation_sentence } from './validation';
import { vector_figure } from './vector';

const main = document.getElementById('page') as HTMLElement;

function estimate_figures({ estimate }: Report, trial: number): (FigureSpec | null)[] {
  switch (estimate?.kind) {
    case 'image':
      return [image_figure(estimate, trial), ...estimate.marginals.map((one, idx) => marginal_figure(one, idx, trial))];
    case 'map':
      return [map_figure(estimate, trial), ...estimate.marginals.map((one, idx) => marginal_figure(one, idx, trial))];
    case 'curve':
      return [curve_figure(estimate, trial), ...estimate.marginals.map((one, idx) => marginal_figure(one, idx, trial))];
    case 'vector':
      return [vector_figure(estimate, trial)];
    default:
      return [];
  }
}

function lay_out(report: Report): Figure[] {
  const last = last_trial(report);
  const stem = file_stem(report.title);
  const figures: Figure[] = [];

  /** A list of figures becomes a grid; elements stand between. */
  const section = (
    id: string,
    title: string,
    ...parts: ((FigureSpec | null)[] | HTMLElement | null)[]
  ): HTMLElement | null => {
    const shown = parts.flatMap((part): HTMLElement[] => {
      if (!Array.isArray(part)) return part ? [part] : [];
      const made = part.filter((one): one is FigureSpec => one !== null).map((spec) => new Figure(spec, last, stem));
      figures.push(...made);
      return made.length > 0 ? [element('div', { class: 'grid' }, ...made.map((figure) => figure.element))] : [];
    });
    if (shown.length === 0) return null;
    return element(
      'section',
      { id, 'aria-labelledby': `${id}-title` },
      element('h2', { id: `${id}-title` }, title),
      ...shown,
    );
  };
  const said = (sentence: string | null): HTMLElement | null => (sentence ? element('p', {}, sentence) : null);
  const { population, arms, validation, mismatch } = report;

  const sections = [
    section('estimate', 'Estimate', estimate_figures(report, last)),
    population &&
      section('population', 'Population', said(population_sentence(population)), [
        population_figure(population, last, stem),
      ]),
    report.network && section('activity', 'Activity', network_figures(report.network)),
    section(
      'learning',
      'Learning curves',
      report.curves.map((curve, idx) => learning_figure(curve, idx, last, report.curves.length === 1)),
    ),
    section(
      'arms',
      'Designs on the same cell',
      said(arms_sentence(arms)),
      arm_figures(arms, last),
      [arm_estimates_figure(arms, report.estimate, last, report.left_out)],
    ),
    validation &&
      section(
        'validation',
        'Validation on repeated stimuli',
        said(validation_sentence(validation)),
        validation_numbers(validation),
        validation_figures(validation, last),
        validation_note(validation),
      ),
    section('chosen', 'Chosen stimuli', [
      report.stimuli && stimuli_figure(report.stimuli, last),
      report.utility_curve && utility_figure(report.utility_curve, report.utility, last),
    ]),
    section('trials', 'Trial by trial', trial_figures(report.trials, report.utility, last)),
    section(
      'health',
      'Health',
      mismatch && mismatch_sentence(mismatch),
      mismatch ? mismatch_figures(mismatch, last) : null,
      said(warnings_text(report.events)),
      [timeline_figure(report.events, last, last)],
      report.deadline && element('p', {}, deadline_text(report.deadline, last)),
      report.left_out.length > 0
        ? element('p', { class: 'message' }, `Left out of this page: ${report.left_out.join('; ')}.`)
        : null,
      report.events.length > 0 ? event_list(report.events) : null,
    ),
    section('latencies', 'Latency', [latency_figure(report.latency, last)]),
    section('reproduce', 'Reproduce', ...reproduce(report)),
  ].filter((one): one is HTMLElement => one !== null);

  document.title = report.title ? `${report.title} – Hartline` : 'Hartline report';
  main.replaceChildren(
    element(
      'header',
      {},
      element('p', { class: 'maker' }, 'Hartline report'),
      element('h1', {}, report.title || 'Untitled experiment'),
      report.sentence ? element('p', { class: 'sentence' }, report.sentence) : null,
    ),
    ...[figures_of_merit(report.figures)].filter((one) => one !== null),
    ...(last > 0 && figures.some((figure) => figure.moves)
      ? [trial_slider(last, (trial) => figures.forEach((figure) => figure.move(trial)))]
      : []),
    ...(sections.length > 0 ? sections : [element('p', {}, 'The record holds nothing to draw yet.')]),
  );
  return figures;
}

function keep_fitting(figures: Figure[]): void {
  const fitting = new Fitting(main, figures);
  fitting.fit();
  new ResizeObserver(() => fitting.fit()).observe(main);
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => fitting.fit(true));
  keep_printing(main, fitting);
}

function show_message(message: string): void {
  main.replaceChildren(
    element('h1', {}, 'Hartline report'),
    element('p', { role: 'alert', class: 'message' }, message),
  );
}

const data = document.getElementById('hartline-data');
if (!data) {
  show_message('This page holds no data. A report is written by: hartline report RECORD');
} else {
  try {
    keep_fitting(lay_out(read_report(data.textContent ?? '')));
  } catch (error) {
    if (!(error instanceof DocumentError)) throw error;
    show_message(error.message);
  }
}
