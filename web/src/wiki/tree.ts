// SPDX-License-Identifier: AGPL-3.0-or-later
//
// What stands in the column at the side: a book's pages under their sections, and a repository's files
// in their folders.
import type { Schemas } from '@/api/client';

type Book = Schemas['WikiBook'];
export type BookPage = Schemas['WikiBookPage'];
export type WikiFile = Schemas['WikiFile'];

export interface Section {
  title: string;
  pages: BookPage[];
}

/** All pages once, in the order in which they are read; what no section names comes last. */
export function sectionsOf({ sections = [], pages = [] }: Pick<Book, 'sections' | 'pages'>): Section[] {
  const left = new Map(pages.map((page) => [page.id, page]));
  const take = (id: string): BookPage[] => {
    const page = left.get(id);
    left.delete(id);
    return page ? [page] : [];
  };
  const named = sections.map(({ title, pages: ids }) => ({ title, pages: ids.flatMap(take) }));
  return [...named, { title: '', pages: [...left.values()] }].filter((one) => one.pages.length > 0);
}

export interface Row {
  path: string;
  name: string;
  depth: number;
  /** null: a file. */
  open: boolean | null;
  leftOut: string | null;
}

interface Folder {
  folders: Map<string, Folder>;
  files: WikiFile[];
}

function grow(files: WikiFile[]): Folder {
  const root: Folder = { folders: new Map(), files: [] };
  for (const file of files) {
    let at = root;
    for (const part of file.path.split('/').slice(0, -1)) {
      if (!at.folders.has(part)) at.folders.set(part, { folders: new Map(), files: [] });
      at = at.folders.get(part)!;
    }
    at.files.push(file);
  }
  return root;
}

const byName = (a: string, b: string): number => a.localeCompare(b, 'en', { numeric: true });
const nameOf = (path: string): string => path.slice(path.lastIndexOf('/') + 1);

/** The folders above a file: "a", "a/b" of "a/b/c". */
export function foldersOf(path: string): string[] {
  return path.split('/').slice(0, -1).map((_, i, parts) => parts.slice(0, i + 1).join('/'));
}

/** The rows that are seen: what is in the open folders, folders first. */
export function rowsOf(files: WikiFile[], open: ReadonlySet<string>): Row[] {
  const rows: Row[] = [];
  const walk = (folder: Folder, above: string, depth: number): void => {
    for (const [name, inner] of [...folder.folders].sort(([a], [b]) => byName(a, b))) {
      const path = above + name;
      rows.push({ path, name, depth, open: open.has(path), leftOut: null });
      if (open.has(path)) walk(inner, `${path}/`, depth + 1);
    }
    for (const file of [...folder.files].sort((a, b) => byName(a.path, b.path))) {
      rows.push({ path: file.path, name: nameOf(file.path), depth, open: null, leftOut: file.left_out });
    }
  };
  walk(grow(files), '', 0);
  return rows;
}

/** Files whose path holds all of the words: those with one in the name first. */
export function filesNamed(files: WikiFile[], words: string, most = 200): Row[] {
  const parts = words.toLowerCase().split(/\s+/).filter(Boolean);
  const found = files.filter(({ path }) => parts.every((part) => path.toLowerCase().includes(part)));
  const inName = ({ path }: WikiFile): boolean => parts.some((part) => nameOf(path).toLowerCase().includes(part));
  return [...found.filter(inName), ...found.filter((file) => !inName(file))].slice(0, most)
    .map((file) => ({ path: file.path, name: file.path, depth: 0, open: null, leftOut: file.left_out }));
}
