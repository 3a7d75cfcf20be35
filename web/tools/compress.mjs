// SPDX-License-Identifier: AGPL-3.0-or-later
//
// Beside every built file its .br and .gz, once, so that the server compresses nothing.
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { brotliCompressSync, constants, gzipSync } from 'node:zlib';

const dist = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../../build/web/dist');
const text = /\.(css|html|js|json|svg|webmanifest)$/;

for (const name of readdirSync(dist, { recursive: true })) {
  const file = path.join(dist, name);
  if (!statSync(file).isFile() || !text.test(name)) continue;
  const bytes = readFileSync(file);
  const brotli = brotliCompressSync(bytes, {
    params: { [constants.BROTLI_PARAM_QUALITY]: 11, [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length },
  });
  writeFileSync(`${file}.br`, brotli);
  writeFileSync(`${file}.gz`, gzipSync(bytes, { level: 9 }));
}
