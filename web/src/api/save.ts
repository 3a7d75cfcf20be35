// SPDX-License-Identifier: AGPL-3.0-or-later
//
// A file from the API, which only answers who says who they are: fetched, then given to the browser. Not
// opened: an address that gives everything away must not hold the right to it.
import { authorized, errorOf } from './client';

/** The browser may still be reading when the click is over. */
const KEPT_MS = 60_000;

/** Under `name`, or the server's, which is returned. */
export async function saveFile(path: string, name?: string): Promise<string> {
  const answer = await authorized(new Request(path));
  if (!answer.ok) throw errorOf(answer, await answer.json().catch(() => null));
  const link = document.createElement('a');
  link.href = URL.createObjectURL(await answer.blob());
  link.download = name ?? /filename="([^"]+)"/.exec(answer.headers.get('content-disposition') ?? '')?.[1] ?? 'hutong';
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), KEPT_MS);
  return link.download;
}
