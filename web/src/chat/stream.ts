// SPDX-License-Identifier: AGPL-3.0-or-later
//
// The reply to a question: blocks `data: JSON` (docs/chat.md).
export interface Piece {
  type: string;
  [field: string]: unknown;
}

/** Cuts a text that comes in pieces of any size into its blocks. */
export function blockReader(): (text: string) => Piece[] {
  let rest = '';
  return (text) => {
    const lines = (rest + text).split('\n');
    rest = lines.pop() ?? '';
    return lines.filter((line) => line.startsWith('data: ')).map((line) => JSON.parse(line.slice(6)) as Piece);
  };
}

/** Every block as it comes, until the stream ends. Throws when the connection breaks. */
export async function readBlocks(body: ReadableStream<Uint8Array>, take: (piece: Piece) => void): Promise<void> {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  const cut = blockReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    for (const piece of cut(decoder.decode(value, { stream: true }))) take(piece);
  }
}
