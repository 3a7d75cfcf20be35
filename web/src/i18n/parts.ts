// SPDX-License-Identifier: AGPL-3.0-or-later
export type Sentences = { [key: string]: string | Sentences };

/** './en/feed.json' becomes the part 'feed': its sentences are feed.title and so on. */
export function byPart(files: Record<string, unknown>): Record<string, Sentences> {
  return Object.fromEntries(
    Object.entries(files).map(([file, part]) => [file.replace(/^.*\/|\.json$/g, ''), part as Sentences]),
  );
}
