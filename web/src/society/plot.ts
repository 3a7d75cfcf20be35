// SPDX-License-Identifier: AGPL-3.0-or-later
//
// What is drawn of a town: uPlot's options and columns, without a canvas at hand.
import type uPlot from 'uplot';
import type { Schemas } from '@/api/client';

export type Society = Schemas['TownSociety'];

/** The look's colours. */
export interface Paint {
  soft: string;
  line: string;
  accent: string;
  series: string[];
  /** How bars are drawn: uPlot's own, which comes with the box (PlotBox.vue). */
  bars: uPlot.Series.PathBuilder;
}
export interface Plot {
  data: uPlot.AlignedData;
  options(paint: Paint): Omit<uPlot.Options, 'width' | 'height'>;
}

/** Tells apart also who sees no colours. */
const DASHES = [[], [8, 4], [2, 3], [10, 3, 2, 3], [4, 6]];

function axis(paint: Paint, more: uPlot.Axis = {}): uPlot.Axis {
  return { stroke: paint.soft, grid: { stroke: paint.line, width: 1 }, ticks: { stroke: paint.line, width: 1 }, font: '12px system-ui, sans-serif', ...more };
}

export const twoDigits = (value: number): string => String(value).padStart(2, '0');

/** Deeds by hour of the day; `type` null: of every kind. */
export function sumHours(activity: Society['activity'], type: string | null): number[] {
  const sums = new Array<number>(24).fill(0);
  for (const one of activity) {
    if (type !== null && one.type !== type) continue;
    one.hours.forEach((count, hour) => (sums[hour]! += count));
  }
  return sums;
}

export function bars(labels: string[], values: number[], name: string): Plot {
  return {
    data: [values.map((_, at) => at), values],
    options: (paint) => ({
      legend: { show: false },
      cursor: { show: false },
      scales: { x: { time: false, range: [-0.6, values.length - 0.4] }, y: { range: (_, __, most) => [0, Math.max(most, 1) * 1.05] } },
      axes: [axis(paint, { size: 30, values: (_, ticks) => ticks.map((at) => (Number.isInteger(at) ? (labels[at] ?? '') : '')) }), axis(paint, { size: 56 })],
      series: [{}, { label: name, fill: paint.accent, paths: paint.bars, points: { show: false } }],
    }),
  };
}

/** One row for each hour that is known, a column for each need. */
export function needTable(needs: Society['needs']): { hours: number[]; names: string[]; at: Map<string, Society['needs'][number]> } {
  const hours = [...new Set(needs.map(({ hour }) => hour))].sort((a, b) => a - b);
  const names = [...new Set(needs.map(({ need }) => need))].sort();
  return { hours, names, at: new Map(needs.map((one) => [`${one.hour} ${one.need}`, one])) };
}

/** Means of all needs, or one with its quartiles. `dayTime` names an hour. */
export function needPlot(needs: Society['needs'], only: string | null, nameOf: (need: string) => string, dayTime: (hour: number) => string, quartiles: [string, string]): Plot {
  const { hours, names, at } = needTable(needs);
  const column = (need: string, what: 'mean' | 'low' | 'high'): (number | null)[] => hours.map((hour) => at.get(`${hour} ${need}`)?.[what] ?? null);
  const shown = only === null ? names : [only];
  const lines = shown.map((need) => ({ label: nameOf(need), values: column(need, 'mean'), colour: names.indexOf(need) }));
  const band = only === null ? [] : [{ label: quartiles[1], values: column(only, 'high') }, { label: quartiles[0], values: column(only, 'low') }];
  return {
    data: [hours, ...lines.map(({ values }) => values), ...band.map(({ values }) => values)],
    options: (paint) => ({
      legend: { show: true, live: false },
      cursor: { show: false },
      scales: { x: { time: false }, y: { range: [0, 100] } },
      axes: [axis(paint, { size: 30, values: (_, ticks) => ticks.map(dayTime), space: 110 }), axis(paint, { size: 44 })],
      series: [
        {},
        ...lines.map(({ label, colour }) => ({ label, stroke: paint.series[colour % paint.series.length], dash: DASHES[colour % DASHES.length], width: 2, points: { show: hours.length < 3 } })),
        ...band.map(({ label }) => ({ label, stroke: paint.soft, width: 1, dash: [3, 3], points: { show: false } })),
      ],
      bands: band.length ? [{ series: [2, 3] as [number, number], fill: `${paint.line}99` }] : [],
    }),
  };
}
