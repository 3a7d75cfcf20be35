// SPDX-License-Identifier: AGPL-3.0-or-later
//
// Servers with a town in them, founded with the demo, and whatever else a test must not leave behind.
//
//     const { kept, startTown } = towns();       // once in a file: its after() ends what is left
//     const provider = kept(await startProvider());
//     const server = await startTown({ env: { HUTONG_TOWN_SPEED: '600' } });
//     await server.town();                       // GET /town as the demo's member, server.token
//     await server.log(), server.said()          // the town's action log; what the program said
import { after } from 'node:test';

import { assertOk } from './checks.mjs';
import { startServer } from './server.mjs';

export const DEMO = { username: 'demo_lan', password: 'hutong-demo' };

export const townEnv = (more = {}) => ({ HUTONG_TOWN: 'on', HUTONG_TOWN_SPEED: '6000', HUTONG_TOWN_SEED: '7', ...more });

// Residents decide by the rules; this model finds the words.
export const withModel = (provider, more = {}) => ({
  HUTONG_OPENAI_BASE: provider.base('openai'), HUTONG_LLM_MODEL: 'openai/test-model',
  HUTONG_TOWN_MODEL_SHARE: '0', HUTONG_LLM_FALLBACK: '', ...more,
});

export function towns() {
  const running = new Set();
  after(() => Promise.all([...running].map((one) => (one.kill ? one.kill() : one.stop()))));

  // A test that fails half-way leaves its server and its provider to after().
  function kept(one) {
    running.add(one);
    for (const way of ['stop', 'kill']) {
      const end = one[way];
      if (end) one[way] = (...args) => { running.delete(one); return end.apply(one, args); };
    }
    return one;
  }

  // `prepare` comes before the demo's member logs in.
  async function startTown({ env, prepare = async () => {}, ...options } = {}) {
    const server = kept(await startServer({ args: ['--demo'], ...options, env: townEnv(env) }));
    await prepare(server);
    const { access_token: token } = assertOk(await server.api('POST', '/auth/login', { json: DEMO }));
    server.token = token;
    server.get = async (target) => assertOk(await server.api('GET', target, { token }));
    server.town = () => server.get('/town');
    server.said = server.log; // what the program said; log() is the town's
    server.log = async (query = '') => (await server.get(`/town/log?limit=200${query}`)).items;
    return server;
  }
  return { kept, startTown };
}
