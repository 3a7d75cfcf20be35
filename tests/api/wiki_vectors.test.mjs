// SPDX-License-Identifier: AGPL-3.0-or-later
//
// An embedder is configured: what stands in a wiki gets its vectors, once each; questions find what
// says the same in other words; and whatever the embedder does, words still lead to places.
import assert from 'node:assert/strict';
import { access, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';

import { assertOk } from '../support/checks.mjs';
import { embeddedTexts } from '../support/provider_forms.mjs';
import { startProvider } from '../support/provider.mjs';
import { startServer } from '../support/server.mjs';
import { until } from '../support/watch.mjs';

const KETTLE = '/* Brings the kettle to a boil. */\nint kettle_boil(int degrees)\n{\n    return degrees;\n}\n';
const DOOR = '/* Unlocks the entrance at dawn. */\nint door_unlock(int hour)\n{\n    return hour;\n}\n';

// What texts are about, as an embedder would have it: what means the same has the same direction.
const ABOUT = [/kettle|hot drinks|热饮/i, /door|way in/i, /cat/i];
function meaning(text, dimensions = 8) {
  const vector = Array.from({ length: dimensions }, () => 0.01);
  ABOUT.forEach((words, i) => { if (words.test(text)) vector[i] = 1; });
  return vector;
}

let roots;
let provider;
let servers;
let member;

async function put(name, files) {
  for (const [file, text] of Object.entries(files)) {
    const at = path.join(roots, name, file);
    await mkdir(path.dirname(at), { recursive: true });
    await writeFile(at, text);
  }
  return path.join(roots, name);
}

async function serve(more = {}, options = {}) {
  const server = await startServer({
    env: {
      HUTONG_WIKI_ROOTS: roots, HUTONG_OPENAI_BASE: provider.base('openai'), HUTONG_LLM_MODEL: 'openai/test-model',
      HUTONG_LLM_FALLBACK: '', HUTONG_WIKI_EMBEDDER: 'openai/test-embedder', ...more,
    },
    ...options,
  });
  servers.push(server);
  return server;
}
async function stop(server, options) {
  servers.splice(servers.indexOf(server), 1);
  await server.stop(options);
}

const look = async (server, name) => assertOk(await server.api('GET', `/wikis/${name}`, { token: member.token }));
const embedded = (server, name) => until(() => look(server, name),
  (wiki) => wiki.progress === null && wiki.state === 'ready' && !wiki.vectors.under_way, { what: 'the vectors' });
const add = async (server, url) =>
  assertOk(await server.api('POST', '/wikis', { token: member.token, json: { url } }), 201);

// Sources, notices and the rest of an answer.
async function ask(server, name, question) {
  const reply = await fetch(`${server.url}/wikis/${name}/ask`, {
    method: 'POST', body: JSON.stringify({ question }), signal: AbortSignal.timeout(20_000),
    headers: { 'content-type': 'application/json', authorization: `Bearer ${member.token}` },
  });
  const text = await reply.text();
  assert.equal(reply.status, 200, text);
  return text.split('\n\n').filter(Boolean).map((block) => JSON.parse(block.replace(/^data: /, '')));
}
const given = (events) => events.find((event) => event.type === 'context').sources.map((source) => source.path);

// The texts of which vectors of chunks were asked, in order; questions are one short line.
const chunksAsked = () => provider.requests.filter((asked) => asked.kind === 'embeddings')
  .flatMap((asked) => embeddedTexts(asked.provider, asked.body)).filter((text) => text.includes('\n'));

const speak = (asked) => (asked.kind === 'embeddings' ? { vectorOf: meaning } : { deltas: ['Yes.'] });

beforeEach(async () => {
  servers = [];
  roots = await mkdtemp(path.join(tmpdir(), 'hutong-vectors-'));
  provider = await startProvider();
  provider.always(speak);
});
afterEach(async () => {
  for (const server of servers) await server.stop();
  await provider.stop();
  await rm(roots, { recursive: true, force: true });
});

test('a_question_finds_what_says_the_same_in_other_words', async () => {
  await put('house', { 'kettle.c': KETTLE, 'door.c': DOOR });
  const server = await serve();
  member = await server.register('li_vectors');
  await add(server, path.join(roots, 'house'));
  const { vectors } = await embedded(server, 'house');
  assert.deepEqual(vectors, {
    embedder: 'openai/test-embedder', chunks: 2, have: 2, refused: 0, under_way: false, note: '',
  });
  // No word of these stands in the repository.
  assert.equal(given(await ask(server, 'house', 'Who makes hot drinks?'))[0], 'kettle.c');
  assert.equal(given(await ask(server, 'house', '谁做热饮？'))[0], 'kettle.c');
  assert.equal(given(await ask(server, 'house', 'Which way in?'))[0], 'door.c');
});

test('what_words_find_and_what_vectors_find_come_together', async () => {
  await put('house', { 'kettle.c': KETTLE, 'door.c': DOOR, 'cat.md': '# Tiger\n\nThe cat sleeps.\n' });
  const server = await serve();
  member = await server.register('li_fused');
  await add(server, path.join(roots, 'house'));
  await embedded(server, 'house');
  // The word leads to one, the meaning to the other.
  const paths = given(await ask(server, 'house', 'Does Tiger want hot drinks?'));
  assert.deepEqual(paths.slice(0, 2).sort(), ['cat.md', 'kettle.c']);
});

test('an_update_asks_for_vectors_of_what_has_changed_only', async () => {
  await put('house', { 'kettle.c': KETTLE, 'door.c': DOOR });
  const server = await serve();
  member = await server.register('li_update');
  await add(server, path.join(roots, 'house'));
  await embedded(server, 'house');
  assert.equal(chunksAsked().length, 2);
  await put('house', { 'door.c': DOOR.replace('dawn', 'dusk'), 'cat.c': '/* The cat. */\nint cat(void);\n' });
  assertOk(await server.api('POST', '/wikis/house/update', { token: member.token }), 202);
  const { vectors } = await until(() => look(server, 'house'),
    (wiki) => wiki.progress === null && wiki.vectors.have === 3 && !wiki.vectors.under_way, { what: 'the vectors' });
  assert.equal(vectors.chunks, 3);
  assert.deepEqual(chunksAsked().slice(2).map((text) => text.split('\n')[0]).sort(), ['cat.c', 'door.c']);
  assert.equal(given(await ask(server, 'house', 'Which way in?'))[0], 'door.c');
});

test('killed_half_way_it_goes_on_where_it_was', async () => {
  const files = Object.fromEntries(Array.from({ length: 100 }, (_, i) => [`f${i}.md`, `# Page ${i}\n\nSaid ${i}.\n`]));
  await put('pages', files);
  let batches = 0;
  provider.always((asked) => (asked.kind !== 'embeddings' ? { deltas: ['Yes.'] }
    : { vectorOf: meaning, stallAfter: ++batches === 2 ? 'request' : undefined }));
  const first = await serve({}, { dataDir: await mkdtemp(path.join(tmpdir(), 'hutong-test-')) });
  member = await first.register('li_killed');
  await add(first, path.join(roots, 'pages'));
  await provider.until(() => batches === 2, { what: 'the second batch' });
  await first.kill();
  servers.splice(servers.indexOf(first), 1);
  const before = chunksAsked().length;
  provider.always(speak);
  const again = await serve({}, { dataDir: first.dataDir });
  const { vectors } = await embedded(again, 'pages');
  assert.equal(vectors.have, 100);
  // The first batch was stored: no text of it is asked again.
  const stored = new Set(chunksAsked().slice(0, 64));
  assert.equal(chunksAsked().slice(before).filter((text) => stored.has(text)).length, 0);
  assert.equal(chunksAsked().slice(before).length, 36);
  await stop(again, { keepData: false });
});

test('an_embedder_that_fails_says_why_and_words_still_answer', async () => {
  await put('house', { 'kettle.c': KETTLE });
  provider.always((asked) => (asked.kind === 'embeddings'
    ? { status: 401, error: { message: 'Incorrect API key provided' } } : { deltas: ['Yes.'] }));
  const server = await serve();
  member = await server.register('li_fails');
  await add(server, path.join(roots, 'house'));
  const { vectors } = await until(() => look(server, 'house'), (wiki) => wiki.vectors.note !== '', { what: 'the note' });
  assert.match(vectors.note, /key/);
  assert.equal(vectors.have, 0);
  assert.equal(vectors.under_way, true); // after a rest
  const other = await server.register('wu_fails');
  const seen = assertOk(await server.api('GET', '/wikis/house', { token: other.token }));
  assert.equal(seen.vectors.note, ''); // not for those who can do nothing about it
  assert.deepEqual(given(await ask(server, 'house', 'Where is the kettle?')), ['kettle.c']);
});

test('a_text_that_is_refused_keeps_no_other_from_its_vector', async () => {
  await put('house', { 'kettle.c': KETTLE, 'door.c': DOOR, 'bad.md': '# Bad\n\nRUBBISH of no use.\n' });
  provider.always((asked) => {
    if (asked.kind !== 'embeddings') return { deltas: ['Yes.'] };
    return embeddedTexts(asked.provider, asked.body).some((text) => text.startsWith('bad.md'))
      ? { status: 400, error: { message: 'this input is not welcome' } } : { vectorOf: meaning };
  });
  const server = await serve();
  member = await server.register('li_refused');
  await add(server, path.join(roots, 'house'));
  let { vectors } = await until(() => look(server, 'house'),
    (wiki) => wiki.vectors.have === 3 || wiki.vectors.note !== '', { what: 'the vectors' });
  assert.deepEqual({ have: vectors.have, refused: vectors.refused, note: vectors.note }, { have: 3, refused: 1, note: '' });
  const asked = chunksAsked().length;
  // Not asked again, neither by an update …
  assertOk(await server.api('POST', '/wikis/house/update', { token: member.token }), 202);
  ({ vectors } = await embedded(server, 'house'));
  assert.equal(vectors.refused, 1);
  assert.equal(chunksAsked().length, asked);
});

test('another_embedder_begins_anew_and_its_vectors_are_not_mixed', async () => {
  await put('house', { 'kettle.c': KETTLE, 'door.c': DOOR });
  const first = await serve({}, { dataDir: await mkdtemp(path.join(tmpdir(), 'hutong-test-')) });
  member = await first.register('li_other');
  await add(first, path.join(roots, 'house'));
  await embedded(first, 'house');
  await stop(first);
  const other = await serve({ HUTONG_WIKI_EMBEDDER: 'openai/other', HUTONG_WIKI_EMBEDDER_DIMENSIONS: '16' },
    { dataDir: first.dataDir });
  const { vectors } = await embedded(other, 'house');
  assert.equal(vectors.have, 2);
  assert.equal(chunksAsked().length, 4);
  assert.equal(provider.requests.filter((asked) => asked.kind === 'embeddings').at(-1).body.dimensions, 16);
  assert.equal(given(await ask(other, 'house', 'hot drinks'))[0], 'kettle.c');
  await stop(other, { keepData: false });
});

test('an_embedder_that_is_silent_holds_a_question_up_for_seconds_only', async () => {
  await put('house', { 'kettle.c': KETTLE });
  const server = await serve();
  member = await server.register('li_silent');
  await add(server, path.join(roots, 'house'));
  await embedded(server, 'house');
  provider.always((asked) => (asked.kind === 'embeddings' ? { stallAfter: 'request' } : { deltas: ['Yes.'] }));
  const events = await ask(server, 'house', 'Where is the kettle?');
  assert.deepEqual(given(events), ['kettle.c']);
  assert.equal(events.at(-1).type, 'done');
});

test('who_leaves_while_the_question_is_embedded_ends_that_request', async () => {
  await put('house', { 'kettle.c': KETTLE });
  const server = await serve();
  member = await server.register('li_leaves');
  await add(server, path.join(roots, 'house'));
  await embedded(server, 'house');
  provider.always((asked) => (asked.kind === 'embeddings' ? { stallAfter: 'request' } : { deltas: ['Yes.'] }));
  const count = provider.requests.length;
  const gone = new AbortController();
  const reply = fetch(`${server.url}/wikis/house/ask`, {
    method: 'POST', body: JSON.stringify({ question: 'Where is it?' }), signal: gone.signal,
    headers: { 'content-type': 'application/json', authorization: `Bearer ${member.token}` },
  }).then((answer) => answer.text());
  const asked = await provider.request(count);
  assert.equal(asked.kind, 'embeddings');
  gone.abort();
  await assert.rejects(reply);
  await provider.until(() => asked.closedAt, { what: 'the request is closed' });
});

test('a_wiki_that_is_deleted_meanwhile_is_gone_with_its_vectors', async () => {
  await put('house', { 'kettle.c': KETTLE, 'door.c': DOOR });
  provider.always((asked) => (asked.kind === 'embeddings' ? { stallAfter: 'request' } : { deltas: ['Yes.'] }));
  const server = await serve();
  member = await server.register('li_deletes');
  const wiki = await add(server, path.join(roots, 'house'));
  const asked = await provider.request(0);
  assertOk(await server.api('DELETE', '/wikis/house', { token: member.token }), 204);
  await provider.until(() => asked.closedAt, { what: 'the request is closed' });
  await assert.rejects(access(path.join(server.dataDir, 'wiki', String(wiki.id))), { code: 'ENOENT' });
});
