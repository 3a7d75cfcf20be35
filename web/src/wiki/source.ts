// SPDX-License-Identifier: AGPL-3.0-or-later
//
// Lines of a file as HTML: coloured as a whole, then cut, so that a comment over many lines keeps its
// colour on each of them.

/** At most so many lines are shown at once. */
export const WINDOW = 3000;
/** So many lines are one piece, which the browser lays out when it comes into sight. */
export const CHUNK = 100;

const ENTITIES: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' };
export const escapeHtml = (text: string): string => text.replace(/[&<>"]/g, (sign) => ENTITIES[sign]!);

/** HTML of highlight.js line by line, each whole by itself. */
export function cutLines(html: string): string[] {
  const open: string[] = [];
  return html.split('\n').map((line) => {
    const before = open.join('');
    for (const [tag] of line.matchAll(/<span[^>]*>|<\/span>/g)) {
      if (tag === '</span>') open.pop();
      else open.push(tag);
    }
    return `${before}${line}${'</span>'.repeat(open.length)}`;
  });
}

/** Which lines to fetch so that `line` is among them. */
export function windowOf(line: number, first: number, size = WINDOW): number {
  if (line >= first && line < first + size) return first;
  return Math.max(1, line - Math.floor(size / 10));
}

const BY_ENDING: Record<string, string> = {
  h: 'c', cc: 'cpp', cxx: 'cpp', hpp: 'cpp', hh: 'cpp', cs: 'csharp', htm: 'xml', html: 'xml', vue: 'xml', svg: 'xml', jsx: 'javascript',
  js: 'javascript', mjs: 'javascript', cjs: 'javascript', ts: 'typescript', tsx: 'typescript', mts: 'typescript', kt: 'kotlin', md: 'markdown',
  mk: 'makefile', py: 'python', rb: 'ruby', rs: 'rust', sh: 'bash', yml: 'yaml', toml: 'ini', conf: 'ini', patch: 'diff',
};

export function languageOf(path: string): string {
  const name = path.slice(path.lastIndexOf('/') + 1).toLowerCase();
  if (name === 'makefile' || name === 'dockerfile') return name;
  const ending = /\.(\w+)$/.exec(name)?.[1] ?? '';
  return BY_ENDING[ending] ?? ending;
}
