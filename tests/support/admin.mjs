// SPDX-License-Identifier: AGPL-3.0-or-later
//
// Who runs the community of a test.
//
//     const root = await asAdmin(server);                    // { id, username, token, … }
//     await root.ask('GET', '/admin/residents')              // a reply
//     await root.must('POST', '/admin/backups', undefined, 201)   // its body
import { assertOk } from './checks.mjs';

export async function withRole(server, username, role) {
  const one = await server.register(username);
  await server.sql(`UPDATE users SET role = '${role}' WHERE id = ${one.id}`);
  const form = { username, password: one.password };
  const { access_token: token } = assertOk(await server.api('POST', '/auth/login', { form }));
  const ask = (method, path, json) => server.api(method, path, { token, json });
  const must = async (method, path, json, status = 200) => assertOk(await ask(method, path, json), status);
  return { ...one, token, ask, must };
}

export const asAdmin = (server, username = 'root_keeper') => withRole(server, username, 'admin');
