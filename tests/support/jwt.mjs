// SPDX-License-Identifier: AGPL-3.0-or-later
//
// Tokens as an older server, or a forger, would make them.
import { createHmac } from 'node:crypto';

const encode = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');

export function sign(claims, secret, header = { alg: 'HS256', typ: 'JWT' }) {
  const text = `${encode(header)}.${encode(claims)}`;
  const hash = { HS512: 'sha512', HS384: 'sha384' }[header.alg] ?? 'sha256';
  return `${text}.${createHmac(hash, secret).update(text).digest('base64url')}`;
}

export function decode(token) {
  const [header, claims] = token.split('.').map((part, i) => (i < 2
    ? JSON.parse(Buffer.from(part, 'base64url')) : part));
  return { header, claims };
}

export const nowS = () => Math.floor(Date.now() / 1000);
