// SPDX-License-Identifier: AGPL-3.0-or-later
//
// Where lines of a repository stand in this app, and how texts name them: [src/pot.c:4-7].

export interface Lines {
  first: number;
  last: number;
}

/** "#L4-L7", "#L4". */
export function hashOf({ first, last }: Lines): string {
  return first === last ? `#L${first}` : `#L${first}-L${last}`;
}

export function linesOf(hash: string): Lines | null {
  const found = /^#L(\d{1,9})(?:-L?(\d{1,9}))?$/.exec(hash);
  if (!found) return null;
  const [a, b] = [Number(found[1]), Number(found[2] ?? found[1])];
  return a === 0 || b === 0 ? null : { first: Math.min(a, b), last: Math.max(a, b) };
}

export function sourceOf(wiki: number, path: string, lines?: Lines): string {
  const query = encodeURIComponent(path).replaceAll('%2F', '/');
  return `/w/${wiki}/source?path=${query}${lines ? hashOf(lines) : ''}`;
}

export interface Citation extends Lines {
  path: string;
  /** How much of the text it takes. */
  length: number;
}

// Older writers put an empty target behind it: [src/pot.c:4-7]().
const CITATION = /\[([^[\]\n]{1,500}?):(\d{1,9})(?:-(\d{1,9}))?\](?:\(\s*\))?/y;

/** A citation that begins exactly there. */
export function citationAt(text: string, at: number): Citation | null {
  CITATION.lastIndex = at;
  const found = CITATION.exec(text);
  if (!found?.[1]) return null;
  const lines = linesOf(`#L${found[2]}-L${found[3] ?? found[2]}`);
  const path = found[1].trim();
  return lines && path && !path.includes('://') ? { ...lines, path, length: found[0].length } : null;
}

/** A link of a README to another file of the repository; null: it leads nowhere in there. */
export function fileOf(address: string): string | null {
  if (/^[a-z][\w+.-]*:|^\/\/|^[#?]|\\/i.test(address)) return null;
  const parts: string[] = [];
  let path = address.split(/[?#]/)[0]!;
  try {
    path = decodeURIComponent(path);
  } catch { /* as it is */ }
  for (const part of path.split('/')) {
    if (part === '..') parts.pop();
    else if (part && part !== '.') parts.push(part);
  }
  return parts.join('/') || null;
}
