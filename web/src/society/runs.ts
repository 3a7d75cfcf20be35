// SPDX-License-Identifier: AGPL-3.0-or-later
//
// Runs of `hutong town run` and `hutong town experiment` side by side, from the files of their reports
// (summary.json, comparison.json). They are read in the browser and go nowhere.

export interface Measure {
  name: string;
  unit: string;
  unit_zh: string;
  english: string;
  chinese: string;
}
export interface Figure {
  mean: number;
  /** The 95 % interval of the mean, where there were several runs. */
  low: number | null;
  high: number | null;
}
/** One run, or one arm of an experiment. */
export interface Run {
  name: string;
  note: string;
  figures: Map<string, Figure>;
}
export interface Reading {
  runs: Run[];
  /** What the figures are called; a single run's file does not say. */
  measures: Measure[];
}

type Json = Record<string, unknown>;
const isObject = (value: unknown): value is Json => typeof value === 'object' && value !== null && !Array.isArray(value);
const isNumber = (value: unknown): value is number => typeof value === 'number' && Number.isFinite(value);
const numberOr = (value: unknown): number | null => (isNumber(value) ? value : null);

function figuresOf(values: unknown): Map<string, Figure> {
  const figures = new Map<string, Figure>();
  for (const [name, value] of Object.entries(isObject(values) ? values : {})) {
    if (isNumber(value)) figures.set(name, { mean: value, low: null, high: null });
    else if (isObject(value) && isNumber(value.mean)) figures.set(name, { mean: value.mean, low: numberOr(value.low), high: numberOr(value.high) });
  }
  return figures;
}

const noteOf = (settings: unknown): string =>
  Object.entries(isObject(settings) ? settings : {}).map(([name, value]) => `${name} ${String(value)}`).join(', ');

function measuresOf(value: unknown): Measure[] {
  const words = ['name', 'unit', 'unit_zh', 'english', 'chinese'] as const;
  return (Array.isArray(value) ? value : []).filter((one): one is Measure => isObject(one) && words.every((word) => typeof one[word] === 'string'));
}

/** Null: this is no report of ours. `file` names a single run. */
export function readRuns(text: string, file: string): Reading | null {
  let told: unknown;
  try {
    told = JSON.parse(text);
  } catch {
    return null;
  }
  if (!isObject(told)) return null;
  if (told.kind === 'experiment' && Array.isArray(told.arms)) {
    const arms = told.arms.filter(isObject);
    const runs = arms.map((arm) => ({ name: String(arm.name ?? file), note: noteOf(arm.settings), figures: figuresOf(arm.values) }));
    return runs.length ? { runs, measures: measuresOf(told.measures) } : null;
  }
  if (!isObject(told.values) || typeof told.hash !== 'string') return null;
  return { runs: [{ name: file, note: noteOf(told.settings), figures: figuresOf(told.values) }], measures: [] };
}

/** Names of figures, in the order of the first run that has them. */
export const figureNames = (runs: Run[]): string[] => [...new Set(runs.flatMap(({ figures }) => [...figures.keys()]))];

/** From the first run, in per cent; null where that says nothing. */
export function change(first: Figure | undefined, other: Figure | undefined): number | null {
  if (!first || !other || first.mean === 0) return null;
  return (other.mean / first.mean - 1) * 100;
}

/** The intervals do not touch: more than the luck of a seed. */
export function differs(first: Figure | undefined, other: Figure | undefined): boolean {
  if (!first || !other || first.low === null || first.high === null || other.low === null || other.high === null) return false;
  return other.low > first.high || other.high < first.low;
}
