// SPDX-License-Identifier: AGPL-3.0-or-later
//
// Prometheus' text format 0.0.4, strictly: parseMetrics(text) throws at what is not, and gives the
// families by name; valueOf(families, name, labels) adds up the samples with these labels.
import assert from 'node:assert/strict';

const NAME = /^[a-zA-Z_:][a-zA-Z0-9_:]*$/;
const SAMPLE = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)$/;
const LABEL = /([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"(,|$)/y;

function parseLabels(text) {
  const labels = {};
  LABEL.lastIndex = 0;
  while (LABEL.lastIndex < text.length) {
    const found = LABEL.exec(text);
    assert.ok(found, `labels: ${text}`);
    assert.ok(!(found[1] in labels), `label twice: ${text}`);
    labels[found[1]] = found[2];
  }
  return labels;
}

// Families in order; each must be said to be something before its first sample, and stand in one piece.
export function parseMetrics(text) {
  assert.ok(text.endsWith('\n'));
  const families = new Map();
  const series = new Set();
  let open;
  for (const line of text.slice(0, -1).split('\n')) {
    const comment = /^# (HELP|TYPE) (\S+) (.+)$/.exec(line);
    if (comment) {
      const [, what, name, rest] = comment;
      assert.match(name, NAME);
      if (what === 'HELP') {
        assert.ok(!families.has(name), `${name} stands twice`);
        open = { name, help: rest, samples: [] };
        families.set(name, open);
      } else {
        assert.equal(name, open.name);
        assert.match(rest, /^(counter|gauge|histogram)$/);
        open.type = rest;
      }
      continue;
    }
    const sample = SAMPLE.exec(line);
    assert.ok(sample, `no sample: ${line}`);
    const [, name, labels = '', value] = sample;
    const base = open.type === 'histogram' ? name.replace(/_(bucket|sum|count)$/, '') : name;
    assert.equal(base, open.name, `${name} stands outside of its family`);
    assert.match(value, /^(\d+(\.\d+)?|\+Inf)$/, line);
    assert.ok(!series.has(`${name}{${labels}}`), `twice: ${line}`);
    series.add(`${name}{${labels}}`);
    open.samples.push({ name, labels: parseLabels(labels), value: Number(value) });
  }
  for (const family of families.values()) {
    assert.ok(family.type, `${family.name} has no type`);
    if (family.type === 'counter') assert.match(family.name, /_total$/);
    if (family.type === 'histogram') checkHistogram(family);
  }
  return families;
}

function checkHistogram({ name, samples }) {
  const groups = new Map();
  for (const sample of samples) {
    const { le, ...rest } = sample.labels;
    const key = JSON.stringify(rest);
    if (!groups.has(key)) groups.set(key, { buckets: [] });
    const group = groups.get(key);
    if (sample.name.endsWith('_bucket')) group.buckets.push([le, sample.value]);
    else group[sample.name.slice(name.length + 1)] = sample.value;
  }
  assert.ok(groups.size > 0, `${name} is empty`);
  for (const { buckets, sum, count } of groups.values()) {
    const ends = buckets.map(([le]) => (le === '+Inf' ? Infinity : Number(le)));
    assert.deepEqual(ends, [...ends].sort((a, b) => a - b));
    assert.equal(ends.at(-1), Infinity);
    const counts = buckets.map(([, value]) => value);
    assert.deepEqual(counts, [...counts].sort((a, b) => a - b), `${name}: counts grow`);
    assert.equal(counts.at(-1), count);
    assert.ok(sum >= 0);
  }
}

export function valueOf(families, name, labels = {}) {
  const wanted = Object.entries(labels);
  const found = families.get(name)?.samples
    .filter((sample) => wanted.every(([key, value]) => sample.labels[key] === value));
  return found?.reduce((sum, sample) => sum + sample.value, 0) ?? 0;
}
