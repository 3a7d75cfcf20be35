// SPDX-License-Identifier: AGPL-3.0-or-later
// Medians, the table, and the page in bench/results/.

export function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

// Three digits that count; whole numbers from 100 on, with thousands apart.
export function figure(value) {
  if (Math.abs(value) >= 100) return Math.round(value).toLocaleString('en-US');
  return Number(value.toPrecision(3)).toString();
}

function spread(values) {
  const middle = figure(median(values));
  if (values.length === 1) return middle;
  return `${middle} (${figure(Math.min(...values))}–${figure(Math.max(...values))})`;
}

// One line's runs [{ measured, reference? }] → what the table says. Ratios are taken within each
// run, whose two halves saw the same machine, and only then is their median.
export function summarize(line, runs, judged = true) {
  const measured = runs.map((run) => run.measured);
  if (measured.some((value) => !Number.isFinite(value))) {
    throw new Error(`line ${line.key}: a run gave no figure`);
  }
  const references = runs.map((run) => run.reference).filter(Number.isFinite);
  const ratios =
    references.length === runs.length ? runs.map((run) => run.measured / run.reference) : null;
  return {
    ...line,
    measured: `${spread(measured)} ${line.unit}`,
    reference: ratios ? `${line.against}: ${spread(references)}` : line.against,
    ratio: ratios ? spread(ratios) : '–',
    verdict: judged
      ? line.judge({ measured: median(measured), ratio: ratios ? median(ratios) : NaN })
      : 'not judged',
    runs,
  };
}

export const unmeasured = (line, reason) => ({
  ...line,
  measured: 'not measured',
  reference: line.against,
  ratio: '–',
  verdict: `not measured: ${reason}`,
  runs: [],
});

const cell = (text) => String(text).replaceAll('|', '\\|').replaceAll('\n', ' ');

export function table(results) {
  const head = ['work', 'aim', 'reference, same run', 'measured', 'ratio', 'verdict'];
  const body = results.map((r) => [r.work, r.aim, r.reference, r.measured, r.ratio, r.verdict]);
  return [head, head.map(() => '---'), ...body]
    .map((cells) => `| ${cells.map(cell).join(' | ')} |`)
    .join('\n');
}

function runsOf(result) {
  const one = (run) =>
    Number.isFinite(run.reference)
      ? `${figure(run.measured)} / ${figure(run.reference)}`
      : figure(run.measured);
  return `- ${result.row}, ${result.work}: ${result.runs.map(one).join(', ') || 'none'}`;
}

export function page(results, machine) {
  const facts = Object.entries(machine).map(([name, value]) => `- ${name}: ${value}`);
  return `# Bench of ${machine.date}, ${machine.host}

${table(results)}

Medians of ${machine.runs} runs, smallest and largest in brackets. What each line means and how to
repeat it: \`bench/README.md\`.

## Measured on

${facts.join('\n')}

## Every run

measured / reference

${results.map(runsOf).join('\n')}
`;
}
