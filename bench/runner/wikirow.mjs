// SPDX-License-Identifier: AGPL-3.0-or-later
// The index of a wiki: over a million lines of what every machine that builds this has.
import { appendFile, copyFile, cp, mkdir, readFile, readdir } from 'node:fs/promises';
import path from 'node:path';

import { CannotMeasure } from './servers.mjs';

const FROM = ['/usr/include', '/usr/lib/python3', '/usr/lib/python3.11', '/usr/lib/python3.12'];
const CODE = /\.(h|hpp|py)$/;

export async function* codeBelow(folder) {
  const entries = await readdir(folder, { withFileTypes: true }).catch(() => []);
  for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
    const at = path.join(folder, entry.name);
    if (entry.isDirectory()) yield* codeBelow(at);
    else if (entry.isFile() && CODE.test(entry.name)) yield at;
  }
}

/** A tree of so many lines at least; its last file. */
export async function makeTree(to, wanted) {
  let lines = 0;
  for (const from of FROM) {
    for await (const file of codeBelow(from)) {
      const copy = path.join(to, 'tree', file.replaceAll(/^\/usr\/(lib|include)\//g, ''));
      await mkdir(path.dirname(copy), { recursive: true });
      await copyFile(file, copy);
      lines += (await readFile(copy, 'latin1')).split('\n').length - 1;
      if (lines >= wanted) return copy;
    }
  }
  throw new CannotMeasure(`only ${lines} lines of C and Python below ${FROM.join(', ')}, not ${wanted}`);
}

/** The tree as often as it takes to have so many chunks: what a question of vectors is held against. */
async function makeLargeIndex(ctx, folder) {
  const file = path.join(folder, 'large.db');
  for (let copies = 1; ; copies++) {
    await cp(path.join(folder, 'tree'), path.join(folder, 'large', String(copies)), { recursive: true });
    const { chunks } = await ctx.wiki('index', { tree: path.join(folder, 'large'), file });
    if (chunks >= ctx.size.wikiChunks) return file;
  }
}

export function wikiRow({ atMost, forComparison }) {
  return {
    name: 'wiki',
    lines: [
      { key: 'index', work: '1,000,000 lines walked, split and indexed', aim: '≤ 10 s', unit: 's', against: '–', judge: atMost(10) },
      { key: 'cpu', work: 'the same: CPU, with ctags', aim: '–', unit: 's CPU', against: '–', judge: forComparison },
      { key: 'memory', work: 'the same: memory, with ctags', aim: '≤ 300 MB', unit: 'MB', against: '–', judge: atMost(300) },
      { key: 'update', work: 'one file changed', aim: '≤ 200 ms', unit: 'ms', against: '–', judge: atMost(200) },
      { key: 'words', work: 'a question of 8 words by words alone, p50', aim: '≤ 5 ms', unit: 'ms', against: 'FTS5, the same texts', judge: atMost(5) },
      { key: 'graph', work: 'the same with the graph of symbols, p50', aim: '≤ 5 ms', unit: 'ms', against: 'FTS5, the same texts', judge: atMost(5) },
      { key: 'hybrid', work: 'words, graph and 768 numbers a chunk, 100,000 chunks, p50', aim: '≤ 15 ms', unit: 'ms', against: 'its words alone', judge: atMost(15) },
    ],
    async prepare(ctx) {
      const folder = await ctx.emptyData();
      const last = await makeTree(folder, ctx.size.wikiLines);
      return { folder, last, large: await makeLargeIndex(ctx, folder), number: 0 };
    },
    async once(ctx, state) {
      const file = path.join(state.folder, `index-${++state.number}.db`);
      const plain = path.join(state.folder, `plain-${state.number}.db`);
      const tree = path.join(state.folder, 'tree');
      const made = await ctx.wiki('index', { tree, file });
      await appendFile(state.last, `\n# changed ${state.number}\n`);
      const changed = await ctx.wiki('index', { tree, file });
      if (changed.changed !== 1) throw new CannotMeasure(`one file was changed, ${changed.changed} were read`);
      await ctx.wiki('plain', { file, into: plain });
      const asked = await ctx.wiki('time', { file, plain });
      const vectors = await ctx.wiki('time', { file: state.large, dimensions: 768 });
      const share = made.lines / 1e6;
      const ms = (of) => asked[of].p50 / 1000;
      return {
        index: { measured: made.wall_ms / 1000 / share },
        cpu: { measured: (made.cpu_ms + made.children_cpu_ms) / 1000 / share },
        memory: { measured: (made.peak_kb + made.children_peak_kb) / 1000 },
        update: { measured: changed.wall_ms },
        words: { measured: ms('words_us'), reference: ms('plain_us') },
        graph: { measured: ms('words_and_graph_us'), reference: ms('plain_us') },
        hybrid: { measured: vectors.hybrid_us.p50 / 1000, reference: vectors.words_us.p50 / 1000 },
      };
    },
  };
}
