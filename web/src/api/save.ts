// SPDX-License-Identifier: AGPL-3.0-or-later
//
// A file from the API, which only answers who says who they are: fetched, then given to the browser.
import { authorized, errorOf } from './client';

export async function saveFile(path: string, name: string): Promise<void> {
  const answer = await authorized(new Request(path));
  if (!answer.ok) throw errorOf(answer, await answer.json().catch(() => null));
  const address = URL.createObjectURL(await answer.blob());
  const link = document.createElement('a');
  link.href = address;
  link.download = name;
  link.click();
  // The browser has begun to read it by then.
  setTimeout(() => URL.revokeObjectURL(address), 60_000);
}
