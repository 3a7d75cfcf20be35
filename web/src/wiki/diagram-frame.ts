// SPDX-License-Identifier: AGPL-3.0-or-later
//
// Inside of /diagram.html: text of a diagram comes in, a picture goes out. What strangers wrote is read
// here by a large library, so this page is sandboxed: an origin of its own that knows no log-in and
// may ask the server for nothing but its own scripts (src/api/app_pages.c).
import mermaid from 'mermaid';

interface Wanted {
  id: number;
  source: string;
  dark: boolean;
}

/** As wide and high as it is drawn: it becomes a picture, and those have a size. */
function sized(svg: string): string {
  const root = new DOMParser().parseFromString(svg, 'image/svg+xml').documentElement;
  const [, , width = '', height = ''] = (root.getAttribute('viewBox') ?? '').split(/[\s,]+/);
  if (Number(width) > 0 && Number(height) > 0) {
    root.setAttribute('width', width);
    root.setAttribute('height', height);
  }
  return new XMLSerializer().serializeToString(root);
}

async function draw({ id, source, dark }: Wanted): Promise<string> {
  mermaid.initialize({
    startOnLoad: false, securityLevel: 'strict', theme: dark ? 'dark' : 'neutral', htmlLabels: false, flowchart: { htmlLabels: false },
    maxTextSize: 50_000, maxEdges: 1000, suppressErrorRendering: true, fontFamily: 'system-ui, "Noto Sans CJK SC", sans-serif',
  });
  return sized((await mermaid.render(`diagram-${id}`, source)).svg);
}

// One after the other: the library has one state for all.
let line: Promise<void> = Promise.resolve();
window.addEventListener('message', ({ data, source }) => {
  if (source !== window.parent) return;
  const wanted = data as Wanted;
  line = line.then(() => draw(wanted)).then(
    (svg) => window.parent.postMessage({ id: wanted.id, svg }, '*'),
    (error: unknown) => window.parent.postMessage({ id: wanted.id, fault: error instanceof Error ? error.message : String(error) }, '*'),
  );
});
window.parent.postMessage({ ready: true }, '*');
