// SPDX-License-Identifier: AGPL-3.0-or-later
//
// What the server makes of a model's diagrams (src/wiki/diagram.c) is what Mermaid reads: each line of
// the table in tests/unit/test_wiki_diagram.c is given to it, and each sample of wiki_diagrams.md there.
import { readFileSync } from 'node:fs';
import DOMPurify from 'dompurify';
import mermaid from 'mermaid';
import { describe, expect, test } from 'vitest';

// There is no document here to clean labels for; reading comes before that.
Object.assign(globalThis, { window: { CSS: { supports: () => true } } });
Object.assign(DOMPurify, { addHook: () => undefined, sanitize: (text: string) => text });

const table = readFileSync(new URL('../../tests/unit/test_wiki_diagram.c', import.meta.url), 'utf8');
const rows = [...table.matchAll(/^ {4}\{("(?:[^"\\]|\\.)*"), ("(?:[^"\\]|\\.)*"|NULL)\},$/gm)].map(([, is, becomes]) => [JSON.parse(is!) as string, becomes === 'NULL' ? null : (JSON.parse(becomes!) as string)] as const);

/** A flowchart in which the line can stand. */
const around = (line: string): string => `flowchart TD\n${line === 'end' ? 'subgraph s\n  A\n' : ''}  ${line}\n${line.startsWith('subgraph') ? '  A\nend\n' : ''}`;
const reads = (line: string): Promise<boolean> => mermaid.parse(around(line), { suppressErrors: true }).then(Boolean);

describe('flowcharts of models', () => {
  test('the table is there', () => expect(rows.length).toBeGreaterThan(15));
  test.each(rows)('%s', async (is, becomes) => {
    if (becomes !== null) expect(await reads(becomes), 'mended').toBe(true);
    // Quotes within quotes it reads, and shows something else.
    if (becomes !== is && !is.includes('""')) expect(await reads(is), 'as the model wrote it').toBe(false);
  });
});

const samples = readFileSync(new URL('../../tests/unit/wiki_diagrams.md', import.meta.url), 'utf8')
  .split(/^## /m)
  .slice(1)
  .map((text) => [text.slice(0, text.indexOf('\n')), text.includes('\nMermaid takes it as it is.\n'), [...text.matchAll(/^```(\w+)\n([^]*?)^```$/gm)].map(([, kind, source]) => ({ kind: kind!, source: source! }))] as const);

describe('diagrams of models', () => {
  test('the samples are there', () => expect(samples.length).toBeGreaterThan(80));
  test.each(samples)('%s', async (_, taken, blocks) => {
    const [is, becomes] = [blocks[0]!, blocks.at(-1)!];
    if (becomes.kind === 'mermaid') await mermaid.parse(becomes.source);
    if (blocks.length > 1) expect(Boolean(await mermaid.parse(is.source, { suppressErrors: true })), 'as the model wrote it').toBe(taken);
  });
});
