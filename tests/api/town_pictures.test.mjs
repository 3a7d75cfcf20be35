// SPDX-License-Identifier: AGPL-3.0-or-later
//
// Pictures for residents' posts, from a ComfyUI: queued with the post, made once whatever is killed
// in between, let in by the door uploads take, and failing in sentences.
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { assertOk, assertProblem, assertShape } from '../support/checks.mjs';
import { SECRET, startComfyui } from '../support/comfyui.mjs';
import { Live } from '../support/live.mjs';
import { startProvider } from '../support/provider.mjs';
import { DEMO, towns } from '../support/town.mjs';
import { metric, until } from '../support/watch.mjs';

const WORKFLOW = fileURLToPath(new URL('../../docs/comfyui-workflow.json', import.meta.url));

const { kept, startTown } = towns();

// With an administrator who sees the queue, and a picture for every post.
async function startWith(comfy, { env = {}, ...options } = {}) {
  const server = await startTown({
    ...options,
    env: {
      HUTONG_COMFYUI_URL: comfy.url, HUTONG_COMFYUI_WORKFLOW: WORKFLOW,
      HUTONG_TOWN_PICTURES_SHARE: '100', HUTONG_TOWN_PICTURES_DAY: '1000', ...env,
    },
    prepare: (one) => one.sql(`UPDATE users SET role = 'admin' WHERE username = '${DEMO.username}'`),
  });
  const { token } = server;
  server.queue = async (query = '') => (await server.get(`/town/pictures?limit=100${query}`)).items;
  server.pause = async () => assertOk(await server.api('POST', '/town/control', { token, json: { action: 'pause' } }));
  server.post = async (id) => assertOk(await server.api('GET', `/posts/${id}`));
  return server;
}

// The queue, once the oldest of it is as `right` wants it.
const oldest = async (server) => (await server.queue()).at(-1);
const untilOldest = (server, right, what) => until(() => oldest(server), (row) => row && right(row), { what });

test('a_post_gets_its_picture_when_it_is_made', async () => {
  const comfy = kept(await startComfyui());
  comfy.hold();
  const server = await startWith(comfy);
  const live = await Live.open(server, server.token);
  await live.subscribe('feed');
  const { data: fresh } = await live.next((m) => m.event === 'post.created' && m.data.author.is_ai);
  assertShape(fresh, 'post');
  assert.deepEqual([fresh.image_path, fresh.image_generated], [null, false]);
  await comfy.until(({ looked }) => looked.length >= 2);
  await server.pause();
  const waiting = await oldest(server);
  assert.deepEqual([waiting.status, waiting.post_id, waiting.character_id], ['processing', fresh.id, fresh.author_id]);
  comfy.finish();

  const { data: told } = await live.next((m) => m.event === 'post.updated' && m.data.id === fresh.id);
  assert.match(told.image_path, /^\/files\/images\/made_[0-9a-f]{32}\.webp$/);
  assert.equal(told.image_generated, true);
  assert.equal(told.edited_at, null);
  assert.deepEqual(await server.post(fresh.id), told);
  const file = await fetch(server.url + told.image_path);
  assert.equal(file.headers.get('content-type'), 'image/webp');
  assert.ok(!Buffer.from(await file.arrayBuffer()).toString('latin1').includes(SECRET));
  for (const size of [320, 1280]) assert.equal((await fetch(server.url + told.image_path.replace('.webp', `_${size}.webp`))).status, 200);

  const row = await untilOldest(server, ({ status }) => status === 'completed', 'the first picture');
  assert.deepEqual([row.result_path, row.error, row.tries, row.next_try_at], [told.image_path, null, 0, null]);
  const { prompt: workflow } = comfy.asked[0];
  assert.strictEqual(workflow['5'].inputs.seed, row.seed);
  assert.equal(workflow['2'].inputs.text, `${row.prompt}, photograph, natural light`);
  assert.match(row.prompt, /^[a-z ]+, [^,]+ in a small town, (spring|summer|autumn|winter), [a-z]+ weather, /);
  const rows = await until(() => server.queue(), (all) => all.every(({ status }) => status === 'completed'), { what: 'the queue' });
  assert.equal(new Set(rows.map(({ post_id: post }) => post)).size, rows.length);
  assert.equal(rows.length, comfy.asked.length);
  assert.equal(await metric(server, 'hutong_town_pictures'), rows.length);
  await live.close();
  await server.stop();
  await comfy.stop();
});

test('the_queue_is_for_administrators_and_read_in_pages', async () => {
  const comfy = kept(await startComfyui());
  const server = await startWith(comfy);
  await until(() => server.queue('&state=completed'), (rows) => rows.length >= 3, { what: 'three pictures' });
  await server.pause();
  const all = await until(() => server.queue(), (rows) => rows.every(({ status }) => status === 'completed'), { what: 'the queue' });
  const walked = [];
  for (let before = ''; ;) {
    const page = assertOk(await server.api('GET', `/town/pictures?limit=2${before}`, { token: server.token }));
    walked.push(...page.items);
    if (page.next_before === null) break;
    before = `&before=${page.next_before}`;
  }
  assert.deepEqual(walked, all);
  assert.deepEqual(await server.queue('&state=failed'), []);
  assert.equal((await server.api('GET', '/town/pictures?state=lost', { token: server.token })).status, 422);
  const member = await server.register('wang');
  assertProblem(await server.api('GET', '/town/pictures', { token: member.token }), 403);
  assertProblem(await server.api('POST', `/town/pictures/${all[0].id}/retry`, { token: member.token }), 403);
  const refused = await server.api('POST', `/town/pictures/${all[0].id}/retry`, { token: server.token });
  assert.match(assertProblem(refused, 409) ?? refused.body.detail, /completed/);
  assertProblem(await server.api('POST', '/town/pictures/999999/retry', { token: server.token }), 404);
  await server.stop();
  await comfy.stop();
});

test('a_model_says_what_the_picture_shows_and_cannot_say_more', async () => {
  const comfy = kept(await startComfyui());
  const provider = kept(await startProvider());
  provider.always(() => ({ deltas: ['A quiet day.\n', 'Picture: a "cat" {{seed}} <lora:evil:2>\\n on (the roof:1.4)","seed":0,\u0007 下雨'] }));
  const server = await startWith(comfy, {
    env: { HUTONG_OPENAI_BASE: provider.base('openai'), HUTONG_LLM_MODEL: 'openai/test-model', HUTONG_TOWN_MODEL_SHARE: '0' },
  });
  const row = await untilOldest(server, ({ status }) => status === 'completed', 'a picture');
  assert.equal(row.prompt, 'a cat seed lora evil 2 n on the roof 1.4 , seed 0, 下雨');
  assert.equal((await server.post(row.post_id)).content, 'A quiet day.');
  assert.equal(comfy.asked[0].prompt['2'].inputs.text, `${row.prompt}, photograph, natural light`);
  const asked = provider.requests.find(({ text }) => text.includes('short post'));
  assert.match(asked.body.messages[0].content, /PICTURE:/);
  await server.stop();
  await provider.stop();
  await comfy.stop();
});

test('what_goes_wrong_there_is_a_sentence_and_tried_again', async () => {
  const comfy = kept(await startComfyui());
  const endless = Buffer.alloc(64 * 1024, 'x');
  // Each but the last is tried again after some seconds; one of the first six comes of each.
  comfy.next({ prompt: { status: 500, body: 'oh' } });
  const server = await startWith(comfy, { env: { HUTONG_IMAGE_BYTES_MAX: '200000' } });
  const again = (pattern) => untilOldest(server, ({ status, error }) => status !== 'completed' && pattern.test(error ?? ''), `${pattern}`);
  let row = await again(/status 500/);
  await server.pause();
  assert.deepEqual([row.status, row.tries], ['pending', 1]);
  assert.ok(row.next_try_at);
  for (const [fault, pattern] of [
    [{ view: { body: 'no picture', type: 'image/png' } }, /cannot be used/],
    [{ view: { endless, type: 'image/png' } }, /too large: more than 200000 bytes/],
    [{ history: (id) => ({ body: { [id]: { outputs: {}, status: { status_str: 'error', completed: false, messages: [['execution_error', { exception_message: 'out of\u0007 memory' }]] } } } }) }, /failed: out of {2}memory/],
    [{ prompt: { status: 400, body: { error: { type: 'prompt_outputs_failed_validation', message: 'no' }, node_errors: { 1: { class_type: 'CheckpointLoaderSimple', errors: [{ message: 'Value not in list', details: 'ckpt_name' }] } } } } }, /node 1 \(CheckpointLoaderSimple\): Value not in list ckpt_name/],
  ]) {
    // Only the oldest meets it: let the others be done first, then make it due.
    await until(() => server.queue(), (rows) => rows.slice(0, -1).every(({ status }) => status === 'completed'), { what: 'the others' });
    if (row.status === 'completed') await server.sql(`UPDATE image_gen_queue SET status = 'completed' WHERE id = ${row.id}`);
    comfy.next(fault);
    await server.sql(`UPDATE image_gen_queue SET next_try_us = 0 WHERE id = ${row.id}`);
    row = await again(pattern);
  }
  assert.deepEqual([row.status, (await server.post(row.post_id)).image_path], ['failed', null]);
  const retried = assertOk(await server.api('POST', `/town/pictures/${row.id}/retry`, { token: server.token }));
  assert.deepEqual([retried.status, retried.tries, retried.error], ['pending', 0, null]);
  const done = await untilOldest(server, ({ status }) => status === 'completed', 'the retry');
  assert.equal((await server.post(row.post_id)).image_path, done.result_path);
  await server.stop();
  await comfy.stop();
});

test('a_comfyui_that_is_away_is_waited_for', async () => {
  const away = await startComfyui();
  await away.stop();
  const server = await startWith(away, { env: { HUTONG_COMFYUI_TIMEOUT_SECONDS: '5' } });
  const row = await untilOldest(server, ({ error }) => error, 'a failure');
  assert.equal(row.status, 'pending');
  assert.match(row.error, /cannot be reached/);
  await server.stop();
});

test('killed_in_the_middle_it_goes_on_with_the_same_picture', async () => {
  const dataDir = await mkdtemp(path.join(tmpdir(), 'hutong-pictures-'));
  for (const ownIds of [false, true]) {
    const comfy = kept(await startComfyui({ ownIds }));
    comfy.hold();
    let server = await startWith(comfy, { dataDir });
    await comfy.until(({ looked }) => looked.length >= 2);
    await server.pause();
    const row = (await server.queue('&state=processing'))[0];
    const [id] = comfy.looked;
    await server.kill();
    server = await startWith(comfy, { dataDir, args: [] });
    const before = comfy.looked.length;
    await comfy.until(({ looked }) => looked.length >= before + 2);
    comfy.finish();
    const rows = await until(() => server.queue(), (all) => all.every(({ status }) => status === 'completed'), { what: 'the queue' });
    assert.equal(comfy.asked.length, new Set(comfy.looked).size, 'asked for once each');
    assert.ok(comfy.looked.slice(before).includes(id), 'the same ID');
    assert.equal(rows.filter(({ post_id: post }) => post === row.post_id).length, 1);
    assert.equal((await server.post(row.post_id)).image_path, rows.find((one) => one.id === row.id).result_path);
    await server.api('POST', '/town/control', { token: server.token, json: { action: 'resume' } });
    await server.kill();
    await comfy.stop();
  }
  await rm(dataDir, { recursive: true });
});

test('what_comfyui_has_forgotten_is_asked_for_anew', async () => {
  const dataDir = await mkdtemp(path.join(tmpdir(), 'hutong-pictures-'));
  const comfy = kept(await startComfyui());
  comfy.hold();
  const first = await startWith(comfy, { dataDir });
  await comfy.until(({ looked }) => looked.length >= 1);
  await first.pause();
  const [row] = await first.queue('&state=processing');
  await first.kill();
  comfy.forget();
  comfy.finish();
  const server = await startWith(comfy, { dataDir, args: [] });
  await until(() => server.queue(), (rows) => rows.every(({ status }) => status === 'completed'), { what: 'the queue' });
  assert.equal(comfy.asked[0].prompt['5'].inputs.seed, row.seed);
  assert.equal(comfy.asked.filter(({ prompt }) => prompt['5'].inputs.seed === row.seed).length, 2);
  assert.ok((await server.post(row.post_id)).image_generated);
  await server.stop();
  await comfy.stop();
  await rm(dataDir, { recursive: true });
});

test('a_deleted_post_needs_no_picture', async () => {
  const comfy = kept(await startComfyui());
  comfy.hold();
  const server = await startWith(comfy);
  await comfy.until(({ looked }) => looked.length >= 1);
  await server.pause();
  const [row] = await server.queue('&state=processing');
  assert.equal((await server.api('DELETE', `/posts/${row.post_id}`, { token: server.token })).status, 204);
  await comfy.until(({ forgotten }) => forgotten.includes(comfy.looked[0]));
  const gone = (all) => all.find(({ id }) => id === row.id);
  const rows = await until(() => server.queue(), (all) => gone(all).status === 'failed', { what: 'the queue' });
  assert.match(gone(rows).error, /deleted/);
  assert.equal(gone(rows).post_id, null);
  assertProblem(await server.api('POST', `/town/pictures/${row.id}/retry`, { token: server.token }), 409);
  await server.stop();
  await comfy.stop();
});

test('a_resident_gets_so_many_a_day_and_no_more', async () => {
  const comfy = kept(await startComfyui());
  const server = await startWith(comfy, { env: { HUTONG_TOWN_PICTURES_DAY: '1' } });
  const posts = async () => assertOk(await server.api('GET', '/posts?limit=100')).items.filter(({ author }) => author.is_ai);
  const twice = (all) => all.length > new Set(all.map(({ author_id: author }) => author)).size + 4;
  await until(posts, twice, { what: 'posts', ms: 30_000 });
  const writers = (await server.queue()).map(({ character_id: writer }) => writer);
  assert.ok(writers.length > 0);
  assert.equal(new Set(writers).size, writers.length);
  await server.stop();
  await comfy.stop();
});

// The only one there is, of a town that stands: what is said about it is about nothing else.
async function alone(server, right) {
  await untilOldest(server, right, 'the first one');
  await server.pause();
  const { id } = await oldest(server);
  await server.sql(`DELETE FROM image_gen_queue WHERE id <> ${id}`);
  const row = async () => (await server.sql(`SELECT * FROM image_gen_queue WHERE id = ${id}`))[0];
  return {
    id,
    row,
    until: (is, what) => until(row, is, { ms: 30_000, what }),
    // The pause before the next try is over: its end stands in the table.
    due: () => server.sql(`UPDATE image_gen_queue SET next_try_us = 0 WHERE id = ${id} AND status = 'pending'`),
  };
}

// A try that fails when the test says so: the next one cannot have begun to fail before.
function gatedFault(comfy) {
  let release;
  const gate = new Promise((open) => { release = open; });
  comfy.next({ prompt: async () => { await gate; return { status: 503, body: 'busy' }; } });
  return release;
}

test('six_tries_with_growing_pauses_are_all_and_an_administrator_may_have_more', async () => {
  const comfy = kept(await startComfyui());
  const faults = Array.from({ length: 6 }, () => gatedFault(comfy));
  const server = await startWith(comfy);
  const picture = await alone(server, ({ status }) => status === 'processing');
  for (let tries = 1; tries <= 6; tries += 1) {
    faults[tries - 1]();
    const row = await picture.until((now) => now.tries === tries && now.status !== 'processing', `try ${tries}`);
    assert.match(row.error, /status 503/);
    assert.equal(row.prompt_id, null);
    if (tries === 6) break;
    assert.equal(row.status, 'pending');
    const pause = (row.next_try_us - row.updated_us) / 1e6;
    const meant = 2 ** tries; // a quarter more or less
    assert.ok(pause > meant * 0.7 && pause < meant * 1.3, `${pause} s before try ${tries + 1}`);
    await picture.due();
    await comfy.until(({ asked }) => asked.length === tries + 1);
  }
  assert.equal((await picture.row()).status, 'failed');
  assert.equal(comfy.asked.length, 6);
  const seeds = comfy.asked.map(({ prompt }) => prompt['5'].inputs.seed);
  assert.equal(new Set(seeds).size, 1, 'it is the same picture each time');
  // Due or not, nobody asks again …
  await server.sql(`UPDATE image_gen_queue SET next_try_us = 0 WHERE id = ${picture.id}`);
  assert.deepEqual(await server.queue('&state=pending'), []);
  // … but for the administrator.
  assertOk(await server.api('POST', `/town/pictures/${picture.id}/retry`, { token: server.token }));
  await picture.until(({ status }) => status === 'completed', 'the seventh');
  assert.equal(comfy.asked.length, 7);
  await server.stop();
  await comfy.stop();
});

test('a_comfyui_that_is_silent_or_never_done_is_a_try_that_failed', async () => {
  const comfy = kept(await startComfyui());
  comfy.next({ prompt: () => new Promise(() => {}) });
  const server = await startWith(comfy, { env: { HUTONG_COMFYUI_TIMEOUT_SECONDS: '1' } });
  const picture = await alone(server, ({ tries }) => tries === 1);
  assert.match((await picture.row()).error, /did not answer in time/);
  comfy.hold();
  await picture.due();
  const slow = await picture.until(({ tries, status }) => tries === 2 && status === 'pending', 'the second');
  assert.match(slow.error, /did not finish the picture in time/);
  comfy.next({ view: () => new Promise(() => {}) });
  comfy.finish();
  await picture.due();
  const cut = await picture.until(({ tries, status }) => tries === 3 && status === 'pending', 'the third');
  assert.match(cut.error, /did not answer in time/);
  await picture.due();
  assert.equal((await picture.until(({ status }) => status === 'completed', 'the fourth')).error, null);
  await server.stop();
  await comfy.stop();
});

// Tries while nobody answers there are no fault of the picture; its age is.
test('a_comfyui_that_is_away_for_more_than_a_day_is_waited_for_no_longer', async () => {
  const comfy = await startComfyui();
  await comfy.stop();
  const server = await startWith(comfy);
  const picture = await alone(server, ({ tries }) => tries >= 1);
  const hour = 3600 * 1e6;
  const age = (hours) => server.sql(
    `UPDATE image_gen_queue SET tries = 40, created_us = ${Date.now() * 1000 - hours * hour}, next_try_us = 0 WHERE id = ${picture.id}`);
  await age(23);
  const young = await picture.until(({ tries, status }) => tries > 40 && status === 'pending', 'a try more');
  assert.match(young.error, /cannot be reached/);
  assert.ok(young.next_try_us - young.updated_us < 760 * 1e6, 'ten minutes are the longest pause');
  await age(25);
  const old = await picture.until(({ status }) => status === 'failed', 'the end');
  assert.match(old.error, /cannot be reached/);
  assert.equal((await server.queue('&state=failed')).length, 1);
  await server.stop();
});
