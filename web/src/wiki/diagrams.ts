// SPDX-License-Identifier: AGPL-3.0-or-later
//
// Diagrams are drawn in a hidden frame, which comes with the first of them. What it says is a picture
// and nothing else: it is shown as one, in which no script runs.

const WAIT_MS = 30_000;
interface Said {
  ready?: boolean;
  id?: number;
  svg?: string;
  fault?: string;
}

const waiting = new Map<number, { done: (svg: string) => void; fail: (error: Error) => void }>();
let frame: Promise<Window> | null = null;
let count = 0;

function begin(): Promise<Window> {
  const element = document.createElement('iframe');
  element.src = '/diagram.html';
  element.className = 'wiki-frame';
  element.tabIndex = -1;
  element.ariaHidden = 'true';
  return new Promise((ready, fail) => {
    const late = setTimeout(() => {
      frame = null;
      element.remove();
      fail(new Error('/diagram.html'));
    }, WAIT_MS);
    window.addEventListener('message', ({ data, source }) => {
      if (source !== element.contentWindow) return;
      const said = data as Said;
      if (said.ready) {
        clearTimeout(late);
        ready(element.contentWindow!);
      }
      const one = said.id === undefined ? undefined : waiting.get(said.id);
      if (typeof said.svg === 'string') one?.done(said.svg);
      else if (said.fault !== undefined) one?.fail(new Error(said.fault));
    });
    document.body.append(element);
  });
}

/** The SVG of a diagram in mermaid's language. Throws what is wrong with it. */
export async function draw(source: string, dark: boolean): Promise<string> {
  const drawer = await (frame ??= begin());
  const id = ++count;
  let late = 0;
  try {
    return await new Promise<string>((done, fail) => {
      waiting.set(id, { done, fail });
      late = window.setTimeout(() => fail(new Error('')), WAIT_MS);
      drawer.postMessage({ id, source, dark }, '*');
    });
  } finally {
    clearTimeout(late);
    waiting.delete(id);
  }
}
