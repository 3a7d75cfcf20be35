// SPDX-License-Identifier: AGPL-3.0-or-later
import { describe, expect, test } from 'vitest';
import { knotsAndTies } from '@/society/graph';
import { bars, needPlot, needTable, sumHours } from '@/society/plot';
import { change, differs, figureNames, readRuns } from '@/society/runs';

const hoursOf = (at: number, count: number): number[] => Array.from({ length: 24 }, (_, hour) => (hour === at ? count : 0));

describe('plots', () => {
  const activity = [{ type: 'eat', hours: hoursOf(12, 5) }, { type: 'post', hours: hoursOf(12, 2) }];
  test('deeds are summed by hour, of one kind or all', () => {
    expect(sumHours(activity, null)[12]).toBe(7);
    expect(sumHours(activity, 'post')[12]).toBe(2);
    expect(sumHours(activity, 'sing')).toEqual(new Array(24).fill(0));
  });
  test('bars keep one value for each label', () => {
    expect(bars(['a', 'b'], [1, 2], 'deeds').data).toEqual([[0, 1], [1, 2]]);
  });
  const needs = [
    { hour: 9, need: 'hunger', mean: 20, low: 10, middle: 20, high: 30 },
    { hour: 8, need: 'hunger', mean: 10, low: 5, middle: 10, high: 15 },
    { hour: 9, need: 'duty', mean: 50, low: 40, middle: 50, high: 60 },
  ];
  test('hours are in order, and an hour without a need is a gap', () => {
    expect(needTable(needs).hours).toEqual([8, 9]);
    const { data } = needPlot(needs, null, (need) => need, String, ['low', 'high']);
    expect(data).toEqual([[8, 9], [null, 50], [10, 20]]);
  });
  test('one need comes with its quartiles, the upper one first', () => {
    const { data, options } = needPlot(needs, 'hunger', (need) => need, String, ['low', 'high']);
    expect(data).toEqual([[8, 9], [10, 20], [15, 30], [5, 10]]);
    const paint = { soft: '#000000', line: '#000000', accent: '#000000', series: ['#000001', '#000002'], bars: () => null };
    expect(options(paint).series.map(({ label }) => label)).toEqual([undefined, 'hunger', 'high', 'low']);
    expect(options(paint).bands).toHaveLength(1);
  });
});

describe('ties', () => {
  test('two ways are one line, as strong as the stronger', () => {
    const told = {
      living: 3, residents: [{ id: 1, name: 'A', ties: 1 }, { id: 2, name: 'B', ties: 2 }, { id: 3, name: 'C', ties: 0 }],
      ties: [{ from: 1, to: 2, bond: 40, liking: 1 }, { from: 2, to: 1, bond: 60, liking: 1 }, { from: 2, to: 3, bond: 35, liking: 1 }, { from: 2, to: 9, bond: 35, liking: 1 }],
    };
    const { knots, ties } = knotsAndTies(told);
    expect(knots.map(({ id }) => id)).toEqual([1, 2, 3]);
    expect(ties.map(({ source, target, bond, mutual }) => [source.id, target.id, bond, mutual])).toEqual([[1, 2, 60, true], [2, 3, 35, false]]);
  });
});

describe('runs', () => {
  const arm = (name: string, mean: number, half: number) => ({ name, settings: { residents: 5 }, values: { meals: { runs: 3, mean, sd: 1, low: mean - half, high: mean + half }, odd: null } });
  test('an experiment gives an arm each, and what its figures are called', () => {
    const measures = [{ name: 'meals', unit: 'a day', unit_zh: '每天', english: 'Meals', chinese: '用餐' }, { name: 5 }];
    const read = readRuns(JSON.stringify({ kind: 'experiment', measures, arms: [arm('usual', 3, 0.1), arm('small', 4, 0.1)] }), 'c.json');
    expect(read?.runs.map(({ name }) => name)).toEqual(['usual', 'small']);
    expect(read?.measures.map(({ english }) => english)).toEqual(['Meals']);
    expect(figureNames(read!.runs)).toEqual(['meals']);
    const [usual, small] = read!.runs.map(({ figures }) => figures.get('meals'));
    expect(change(usual, small)).toBeCloseTo(33.33);
    expect(differs(usual, small)).toBe(true);
    expect(differs(usual, { mean: 3.1, low: 3, high: 3.2 })).toBe(false);
  });
  test('a single run is called by its file', () => {
    const read = readRuns(JSON.stringify({ hash: 'ab', settings: { seed: 1 }, values: { meals: 3 } }), 'summary.json');
    expect(read?.runs[0]).toMatchObject({ name: 'summary.json', note: 'seed 1' });
    expect(change({ mean: 0, low: null, high: null }, read?.runs[0]?.figures.get('meals'))).toBeNull();
  });
  test.each(['', '{', '[]', '{"values":5,"hash":"x"}', '{"kind":"experiment","arms":[]}', 'null'])('%s is no report', (text) => {
    expect(readRuns(text, 'x')).toBeNull();
  });
});
