// SPDX-License-Identifier: AGPL-3.0-or-later
//
// `hutong llm` against scripted providers: the answer, and nothing else, on standard output; an exit
// status that says whether it is complete; retries, keys and fall-backs as the reader sees them.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { createServer as createTcpServer } from 'node:net';
import { chmod, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';

import { hutong, newFolder } from '../support/command.mjs';
import { startProvider } from '../support/provider.mjs';

async function provider(t) {
  const p = await startProvider();
  t.after(() => p.stop());
  return p;
}

const openaiAt = (p, more = {}) => ({ HUTONG_OPENAI_BASE: p.base('openai'), OPENAI_API_KEY: 'sk-test-1', ...more });
const ask = (env, ...args) => hutong(['llm', 'chat', '--model', 'openai/m', ...args, 'hello'], { env });

test('streams just the answer', async (t) => {
  const p = await provider(t);
  p.script([{ deltas: ['你好', ', ', '🏮', ' world'], reasoning: ['let me think'], split: 'bytes' }]);
  const { status, out, err } = await ask(openaiAt(p));
  assert.deepEqual([status, out, err], [0, '你好, 🏮 world\n', '']);
  const asked = await p.request(0);
  assert.equal(asked.key, 'sk-test-1');
  assert.equal(asked.body.model, 'm');
  assert.deepEqual(asked.body.messages, [{ role: 'user', content: 'hello' }]);
  assert.equal(asked.body.stream, true);
  assert.equal(asked.headers['accept-encoding'], 'identity');
});

test('reads the question from standard input and says what was used', async (t) => {
  const p = await provider(t);
  p.script([{ deltas: ['yes'], usage: { input: 12, output: 3 } }]);
  const { status, out, err } = await hutong(
    ['llm', 'chat', '--model', 'openai/m', '--system', 'be short', '--usage', '-'],
    { env: openaiAt(p), input: '这是什么？\n' });
  assert.deepEqual([status, out], [0, 'yes\n']);
  assert.match(err, /^hutong: openai\/m, 12 \+ 3 tokens, first after \d+ ms, \d+ ms$/m);
  const { body } = await p.request(0);
  assert.deepEqual(body.messages, [
    { role: 'system', content: 'be short' }, { role: 'user', content: '这是什么？' }]);
});

test('an answer that was cut short is never complete', async (t) => {
  for (const [script, sentence] of [
    [{ deltas: ['half'], finish: 'length' }, /length limit/],
    [{ deltas: ['half'], finish: null, marker: false }, /broke off/],
    [{ deltas: ['half'], finish: null }, /broke off/],
    [{ deltas: ['half', 'more'], resetAfter: 1 }, /connection broke/],
    [{ deltas: ['half', 'more'], endAfter: 1 }, /broke off/],
    [{ deltas: ['half', 'more'], errorAfter: 1, error: { message: 'boom' } }, /error of its own/],
    [{ deltas: ['half'], finish: 'filter' }, /content filter/],
  ]) {
    const p = await provider(t);
    p.script([script]);
    const { status, out, err } = await ask(openaiAt(p));
    assert.deepEqual([status, out], [1, 'half\n'], JSON.stringify(script));
    assert.match(err, sentence);
    assert.equal(p.requests.length, 1, 'nothing is asked again once something was said');
  }
});

test('what may pass is tried again before the first word', async (t) => {
  for (const script of [
    { status: 429, headers: { 'retry-after': '0' } },
    { status: 503 },
    { status: 500 },
    { html: true },
    { resetAfter: 'request' },
    { resetAfter: 'headers' },
    { deltas: [], finish: 'stop' },
  ]) {
    const p = await provider(t);
    p.script([script, { deltas: ['at last'] }]);
    const { status, out } = await ask(openaiAt(p));
    assert.deepEqual([status, out], [0, 'at last\n'], JSON.stringify(script));
    assert.equal(p.requests.length, 2);
  }
});

test('what will not pass is not tried again, and the person is told what to do', async (t) => {
  for (const [script, sentence] of [
    [{ status: 401, error: { code: 'invalid_api_key', message: 'Incorrect API key provided: sk-test-1' } }, /does not accept the key/],
    [{ status: 404, error: { code: 'model_not_found', message: 'no' } }, /has no model m; `hutong llm models`/],
    [{ status: 429, error: { code: 'insufficient_quota', message: 'pay' } }, /no credit left/],
    [{ status: 400, error: { code: 'context_length_exceeded', message: 'too long' } }, /more text than m at openai can read/],
    [{ status: 400, error: { code: 'invalid_request_error', message: 'the moon is wrong' } }, /did not accept the request: the moon is wrong/],
  ]) {
    const p = await provider(t);
    p.script([script]);
    const { status, out, err } = await ask(openaiAt(p));
    assert.deepEqual([status, out], [1, ''], JSON.stringify(script));
    assert.match(err, sentence);
    assert.doesNotMatch(err, /sk-test/);
    assert.equal(p.requests.length, 1);
  }
});

test('another key is taken when one is refused', async (t) => {
  const p = await provider(t);
  p.script([{ status: 401, error: { code: 'invalid_api_key', message: 'no' } }, { deltas: ['ok'] }]);
  const { status, out } = await ask(openaiAt(p, { OPENAI_API_KEY: 'one,two' }));
  assert.deepEqual([status, out], [0, 'ok\n']);
  assert.deepEqual(p.requests.map((r) => r.key), ['one', 'two']);
});

test('the next site of the fall-back answers', async (t) => {
  const [first, second] = [await provider(t), await provider(t)];
  first.always({ status: 401, error: { code: 'invalid_api_key', message: 'no' } });
  second.always({ deltas: ['from the second'] });
  const env = openaiAt(first, {
    HUTONG_LLM_SITES: `lab=${second.base('openai')}`, HUTONG_LLM_FALLBACK: 'lab/other' });
  const { status, out, err } = await ask(env);
  assert.deepEqual([status, out], [0, 'from the second\n']);
  assert.equal(err, 'hutong: openai does not accept the key; set a valid key for it; lab answers instead\n');
  assert.equal((await second.request(0)).body.model, 'other');
  assert.equal((await ask(env, '--quiet')).err, '');
});

test('a field the server does not know is left out, once and for all', async (t) => {
  const p = await provider(t);
  p.script([
    { status: 400, error: { code: 'unsupported_parameter', message: "Unsupported parameter: 'stream_options'" } },
    { deltas: ['ok'] }]);
  const { status, out } = await ask(openaiAt(p));
  assert.deepEqual([status, out], [0, 'ok\n']);
  assert.ok((await p.request(0)).body.stream_options);
  assert.equal((await p.request(1)).body.stream_options, undefined);
});

test('silence ends in a sentence, not in waiting for ever', async (t) => {
  const p = await provider(t);
  p.script([{ deltas: ['a', 'b'], stallAfter: 1 }]);
  const { status, out, err } = await ask(openaiAt(p, { HUTONG_LLM_IDLE_TIMEOUT: '1' }));
  assert.deepEqual([status, out], [1, 'a\n']);
  assert.match(err, /silent for too long/);
  const asked = await p.request(0);
  await p.until(() => asked.closedAt);
});

test('a server that ignores "stream" is read, too', async (t) => {
  const p = await provider(t);
  p.script([{ deltas: ['all ', 'at once'], whole: true }]);
  const { status, out } = await ask(openaiAt(p));
  assert.deepEqual([status, out], [0, 'all at once\n']);
});

test('an unnamed model is the first that the server has', async (t) => {
  const p = await provider(t);
  p.always({ deltas: ['hi'], models: ['text-embedding-x', 'qwen3-8b'] });
  const { status, out } = await hutong(['llm', 'chat', 'hello'], { env: { HUTONG_OPENAI_BASE: p.base('openai') } });
  assert.deepEqual([status, out], [0, 'hi\n']);
  assert.deepEqual(p.requests.map((r) => [r.kind, r.body?.model]), [['models', undefined], ['chat', 'qwen3-8b']]);
});

test('check and models say what answers', async (t) => {
  const p = await provider(t);
  p.always({ models: ['one', 'two'] });
  const env = openaiAt(p, { HUTONG_LLM_SITES: 'gone=http://127.0.0.1:9/v1' });
  const check = await hutong(['llm', 'check'], { env });
  assert.equal(check.status, 0);
  assert.match(check.out, /^openai +answers, 2 models +http:/m);
  assert.match(check.out, /^gone +FAILS: gone cannot be reached/m);
  assert.match(check.out, /^offline +answers/m);
  const models = await hutong(['llm', 'models'], { env });
  assert.match(models.out, /^openai\/one$/m);
  assert.match(models.out, /^openai\/two$/m);
});

test('a list is asked for with another key where one is refused', async (t) => {
  const p = await provider(t);
  p.always(({ key }) => (key === 'good' ? { models: ['one'] } : { status: 401, error: { code: 'invalid_api_key', message: 'no' } }));
  const check = async (keys) => (await hutong(['llm', 'check'], { env: openaiAt(p, { OPENAI_API_KEY: keys }) })).out;
  assert.match(await check('dead,dead too,good'), /^openai +answers, 1 model /m);
  assert.deepEqual(p.requests.map(({ key }) => key), ['dead', 'dead too', 'good']);
  assert.match(await check('dead,dead too'), /^openai +FAILS: openai does not accept the key/m);
  assert.equal(p.requests.length, 5);
});

test('an answer that cannot be written is a failure, and is asked for no longer', async (t) => {
  const p = await provider(t);
  p.always({ deltas: ['one', ' two'], stallAfter: 2 });
  // Not spawnSync: the provider is in this process.
  const run = spawn('sh', ['-c', `"${process.env.HUTONG_BIN}" llm chat hello >/dev/full`], {
    env: { ...process.env, ...openaiAt(p) }, stdio: ['ignore', 'ignore', 'pipe'],
  });
  let said = '';
  run.stderr.on('data', (bytes) => { said += bytes; });
  const [status] = await once(run, 'close');
  assert.equal(status, 1);
  assert.match(said, /cannot write the answer: No space left/);
  const asked = await p.request(p.requests.length - 1);
  await p.until(() => asked.closedAt); // it stalls: nothing but our leaving ends it
});

test('with no model at all the offline engine answers and says what it is', async () => {
  const { status, out, err } = await hutong(['llm', 'chat', '你好'], { env: { HUTONG_LLM_PROBE: 'off' } });
  assert.equal(status, 0);
  assert.match(out, /模型/);
  assert.match(err, /no language model is set up/);
});

test('keys come from a file only when nobody else can read it', async (t) => {
  const p = await provider(t);
  const dir = await newFolder(t);
  const file = path.join(dir, 'keys');
  await writeFile(file, '# keys\nlab k1 k2\n');
  const env = { HUTONG_LLM_SITES: `lab=${p.base('openai')}`, HUTONG_LLM_KEYS_FILE: file, HUTONG_LLM_MODEL: 'lab/m' };
  await chmod(file, 0o644);
  const open = await hutong(['llm', 'chat', 'hello'], { env });
  assert.equal(open.status, 1);
  assert.match(open.err, /others can read .* chmod 600/);
  await chmod(file, 0o600);
  p.script([{ deltas: ['ok'] }]);
  const closed = await hutong(['llm', 'chat', 'hello'], { env });
  assert.deepEqual([closed.status, closed.out], [0, 'ok\n']);
  assert.equal((await p.request(0)).key, 'k1');
});

test('keys of the file stand behind blanks, tabs or an equals sign, and what fits no site is never shown', async (t) => {
  const p = await provider(t);
  const file = path.join(await newFolder(t), 'keys');
  const env = { HUTONG_LLM_SITES: `lab=${p.base('openai')}`, HUTONG_LLM_KEYS_FILE: file, HUTONG_LLM_MODEL: 'lab/m' };
  p.always({ deltas: ['ok'] });
  for (const line of ['lab\tk1\tk2', 'lab=k1', 'lab = k1', 'lab \t k1', 'lab k1=='] ) {
    await writeFile(file, `# keys\r\n\n${line}\r\n`, { mode: 0o600 });
    const { status, out, err } = await hutong(['llm', 'chat', 'hello'], { env });
    assert.deepEqual([status, out, err], [0, 'ok\n', ''], line);
    assert.equal(p.requests.at(-1).key, line.includes('==') ? 'k1==' : 'k1', line);
  }
  for (const line of ['sk-SECRET-1', 'sk-SECRET-1=', 'OPENAI_API_KEY=sk-SECRET-1', 'opnai\tsk-SECRET-1', 'lab:sk-SECRET-1', 'lab']) {
    await writeFile(file, `# keys\nlab k1\n${line}\n`, { mode: 0o600 });
    const { status, out, err } = await hutong(['llm', 'chat', 'hello'], { env });
    assert.deepEqual([status, out], [1, ''], line);
    assert.match(err, /line 3 of the file of model keys is no "SITE KEY"/);
    assert.doesNotMatch(err, /SECRET/);
  }
});

test('secrets in an address are not shown, whatever is said of it', async (t) => {
  const p = await provider(t);
  p.always({ models: ['m'] });
  const base = p.base('openai').replace('http://', 'http://me:SECRET-pass@');
  const check = (env) => hutong(['llm', 'check'], { env: { HUTONG_LLM_PROBE: 'off', ...env } });
  const good = await check({ HUTONG_OPENAI_BASE: base, HUTONG_LLM_SITES: 'gone=http://SECRET-token@127.0.0.1:9/v1?key=SECRET-key' });
  assert.match(good.out, /^openai +answers, 1 model +http:\/\/me:\*\*\*@127/m);
  assert.match(good.out, /^gone +FAILS: .* http:\/\/\*\*\*@127\.0\.0\.1:9\/v1\?key=\*\*\*$/m);
  const wrong = [{ HUTONG_OPENAI_BASE: 'me:SECRET@host' }, { HUTONG_LLM_SITES: 'http://h/v1?key=SECRET' }, { HUTONG_LLM_SITES: 'lab=sk-SECRET' }];
  for (const one of [{ out: '', err: good.out + good.err }, ...await Promise.all(wrong.map(check))]) {
    assert.doesNotMatch(one.out + one.err, /SECRET/);
  }
});

test('what is wrong with an address is said, and what would be right', async (t) => {
  const serve = async (server) => {
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    t.after(() => server.close());
    return `http://127.0.0.1:${server.address().port}`;
  };
  const says = (status, type, body) => createServer((request, reply) => {
    request.resume();
    reply.writeHead(status, { 'content-type': type, connection: 'close' }).end(body);
  });
  const page = await serve(says(404, 'text/html', '<html>nothing here</html>'));
  const plain = await serve(says(404, 'application/json', '{"detail":"Not Found"}'));
  const studio = await serve(says(200, 'application/json', '{"error":"Unexpected endpoint or method. (GET /models)"}'));
  const empty = await serve(says(200, 'application/json', '{"object":"list","data":[]}'));
  const ssh = await serve(createTcpServer((socket) => {
    socket.on('error', () => {});
    socket.end('SSH-2.0-OpenSSH_9.9\r\n');
  }));
  const v1 = /bad knows nothing of models at its address; most such addresses end in \/v1/;
  for (const [env, sentence] of [
    [{ HUTONG_LLM_SITES: `bad=${page}` }, v1],
    [{ HUTONG_LLM_SITES: `bad=${plain}` }, v1],
    [{ HUTONG_LLM_SITES: `bad=${studio}` }, v1],
    [{ HUTONG_LLM_SITES: `bad=${page}/v1` }, /bad knows nothing of models at its address; check it/],
    [{ OLLAMA_HOST: `${page}/v1` }, /ollama knows nothing .* that of the server alone, without a path/],
    [{ HUTONG_LLM_SITES: `bad=${ssh}/v1` }, /what listens at the address of bad does not speak HTTP; check host and port/],
    [{ HUTONG_LLM_SITES: 'bad=http://127.0.0.1:99999/v1' }, /the address of bad is none that can be called/],
  ]) {
    const run = (...args) => hutong(['llm', ...args], { env: { HUTONG_LLM_PROBE: 'off', ...env } });
    const [check, named, unnamed] = await Promise.all([run('check'), run('chat', '--model', `${env.OLLAMA_HOST ? 'ollama' : 'bad'}/m`, 'hi'), run('chat', 'hi')]);
    assert.match(check.out, sentence);
    assert.match(check.out, /every question ends in an error/);
    assert.match(check.out, /Mend what FAILS above/);
    assert.match(unnamed.err, sentence);
    if (!env.HUTONG_LLM_SITES?.includes(studio)) assert.match(named.err, sentence);
  }
  const none = await hutong(['llm', 'chat', 'hi'], { env: { HUTONG_LLM_PROBE: 'off', HUTONG_LLM_SITES: `bad=${empty}` } });
  assert.match(none.err, /bad lists no model that could answer/);
  const fallback = await hutong(['llm', 'check'], { env: { HUTONG_LLM_PROBE: 'off', HUTONG_LLM_SITES: `bad=${page}`, HUTONG_LLM_FALLBACK: 'offline' } });
  assert.match(fallback.out, /what is written comes from the offline engine/);
});

const SCHEMA = {
  type: 'object', additionalProperties: false, required: ['name', 'age'],
  properties: { name: { type: 'string' }, age: { type: 'integer', minimum: 0 } },
};

test('an answer of a wanted shape is taken out of what stands around it', async (t) => {
  const p = await provider(t);
  const file = path.join(await newFolder(t), 'schema.json');
  await writeFile(file, JSON.stringify(SCHEMA));
  const fenced = 'Of course!\n```json\n{"name":"小明","age":7,}\n```\nAnything else?';
  p.script([{ deltas: [fenced], whole: true }]);
  const { status, out, err } = await ask(openaiAt(p), '--schema', file);
  assert.equal(status, 0, err);
  assert.deepEqual(JSON.parse(out), { name: '小明', age: 7 });
  const { body } = await p.request(0);
  assert.deepEqual(body.response_format.json_schema.schema, SCHEMA);
});

test('what does not fit is asked for once more, with what was wrong; then it is an error', async (t) => {
  const p = await provider(t);
  const file = path.join(await newFolder(t), 'schema.json');
  await writeFile(file, JSON.stringify(SCHEMA));
  const wrong = { deltas: ['{"name":"Mei","age":"seven"}'], whole: true };
  p.script([wrong, { deltas: ['{"name":"Mei","age":7}'], whole: true }]);
  const mended = await ask(openaiAt(p), '--schema', file);
  assert.deepEqual(JSON.parse(mended.out), { name: 'Mei', age: 7 });
  const again = (await p.request(1)).body;
  assert.equal(again.temperature, 0);
  assert.deepEqual(again.messages.map((m) => m.role), ['user', 'assistant', 'user']);
  assert.match(again.messages[2].content, /age must be/);
  p.script([wrong, wrong]);
  const failed = await ask(openaiAt(p), '--schema', file);
  assert.deepEqual([failed.status, failed.out], [1, '']);
  assert.match(failed.err, /age must be/);
  assert.equal(p.requests.length, 4);
});

test('a schema that asks what is not checked is refused before anybody is asked', async (t) => {
  const p = await provider(t);
  const file = path.join(await newFolder(t), 'schema.json');
  await writeFile(file, JSON.stringify({ ...SCHEMA, properties: { name: { type: 'string', pattern: '^[a-z]+$' }, age: { $ref: '#/x' } } }));
  const { status, out, err } = await ask(openaiAt(p), '--schema', file);
  assert.deepEqual([status, out, p.requests.length], [1, '', 0]);
  assert.match(err, /the JSON Schema has "pattern", "\$ref", which answers are not checked for/);
});

test('a recorded run is repeated without asking anybody', async (t) => {
  const p = await provider(t);
  const file = path.join(await newFolder(t), 'answers');
  p.script([{ deltas: ['one'] }, { deltas: ['two'], finish: 'length' }]);
  const env = openaiAt(p, { HUTONG_LLM_RECORD: file });
  const first = [await ask(env), await ask(env)];
  assert.deepEqual(first.map((r) => [r.status, r.out]), [[0, 'one\n'], [1, 'two\n']]);
  const again = openaiAt(p, { HUTONG_LLM_REPLAY: file });
  assert.deepEqual(await ask(again), first[0]);
  const other = await hutong(['llm', 'chat', '--model', 'openai/m', 'something else'], { env: again });
  assert.equal(other.status, 1);
  assert.match(other.err, /has no answer to this/);
  assert.equal(p.requests.length, 2);
  await writeFile(file, '{"key":"x"}\n');
  const broken = await ask(again);
  assert.equal(broken.status, 1);
  assert.match(broken.err, /line 1 of llm-replay is no record/);
});

test('half a line at the end of a record costs that line only', async (t) => {
  const p = await provider(t);
  const file = path.join(await newFolder(t), 'answers');
  p.script([{ deltas: ['one'] }, { deltas: ['two'] }]);
  const env = openaiAt(p, { HUTONG_LLM_RECORD: file });
  const again = openaiAt(p, { HUTONG_LLM_REPLAY: file });
  await ask(env);
  const whole = await readFile(file, 'utf8');
  for (const torn of ['{', whole.slice(0, 100), '{"kind":"mod', `{"key":"${'x'.repeat(10_000)}`]) {
    await writeFile(file, whole + torn);
    assert.equal((await ask(again)).out, 'one\n', 'a torn end alone is left out');
  }
  assert.equal((await ask(env)).out, 'two\n');
  const both = await readFile(file, 'utf8');
  assert.ok(both.startsWith(`${whole}{`) && both.trimEnd().split('\n').length === 2, both);
  await writeFile(file, both.slice(0, -1));
  assert.deepEqual(await ask(again), await ask(again));
  await writeFile(file, 'a letter to my aunt');
  const foreign = await ask(env);
  assert.deepEqual([foreign.status, await readFile(file, 'utf8')], [1, 'a letter to my aunt']);
  assert.match(foreign.err, /is no record of models' answers/);
});

test('a record for which the disk has no room stays readable', async (t) => {
  const p = await provider(t);
  const file = path.join(await newFolder(t), 'answers');
  p.script([{ deltas: ['one'] }, { deltas: ['long '.repeat(500)] }, { deltas: ['three'] }]);
  const env = openaiAt(p, { HUTONG_LLM_RECORD: file });
  await ask(env);
  const whole = await readFile(file, 'utf8');
  const through = ['sh', '-c', "trap '' XFSZ; ulimit -f 1; exec \"$@\"", 'sh'];
  const full = await hutong(['llm', 'chat', '--model', 'openai/m', 'hello'], { env, through });
  assert.deepEqual([full.status, full.out.length], [0, 2501]);
  assert.match(full.err, /llm\.record .*no room for the whole line/);
  assert.equal(await readFile(file, 'utf8'), whole);
  await ask(env);
  const again = openaiAt(p, { HUTONG_LLM_REPLAY: file });
  assert.equal((await ask(again)).out, 'one\n');
  assert.match(await readFile(file, 'utf8'), /"three"/);
});

test('the offline engine says why it speaks in the place of another', async (t) => {
  const p = await provider(t);
  p.always({ status: 401, error: { code: 'invalid_api_key', message: 'no' } });
  const file = path.join(await newFolder(t), 'answers');
  const env = openaiAt(p, { HUTONG_LLM_FALLBACK: 'offline' });
  const sentence = 'hutong: openai does not accept the key; set a valid key for it; this is the offline engine (`hutong llm check`)\n';
  const { status, out, err } = await ask({ ...env, HUTONG_LLM_RECORD: file });
  assert.deepEqual([status, err], [0, sentence]);
  const again = await ask({ ...env, HUTONG_LLM_REPLAY: file });
  assert.deepEqual([again.status, again.out, again.err], [0, out, sentence]);
  const nowhere = await hutong(['llm', 'chat', '--model', 'nowhere/m', 'hello'], { env: { HUTONG_LLM_PROBE: 'off' } });
  assert.equal(nowhere.status, 0);
  assert.match(nowhere.err, /^hutong: there is no model site "nowhere"; there are: offline; this is the offline engine/);
});

test('an answer of a wanted shape says what it took and who gave it, too', async (t) => {
  const p = await provider(t);
  const file = path.join(await newFolder(t), 'schema.json');
  await writeFile(file, JSON.stringify(SCHEMA));
  const fits = { deltas: ['{"name":"Mei","age":7}'], whole: true, usage: { input: 20, output: 5 } };
  p.script([{ deltas: ['{"name":"Mei"}'], whole: true, usage: { input: 10, output: 3 } }, fits, fits]);
  const twice = await ask(openaiAt(p), '--schema', file, '--usage');
  assert.match(twice.err, /^hutong: openai\/m, 30 \+ 8 tokens, asked twice, \d+ ms\n$/);
  const once = await ask(openaiAt(p), '--schema', file, '--usage', '--quiet');
  assert.match(once.err, /^hutong: openai\/m, 20 \+ 5 tokens, \d+ ms\n$/);
  const offline = (...more) => hutong(['llm', 'chat', '--schema', file, ...more, 'hello'], { env: { HUTONG_LLM_PROBE: 'off' } });
  const loud = await offline();
  assert.deepEqual([loud.status, loud.out], [1, '']);
  assert.match(loud.err, /^hutong: no language model is set up; this is the offline engine .*\nhutong: /);
  assert.doesNotMatch((await offline('--quiet')).err, /offline engine/);
});

test('a name that begins with no site is a model of the default one, or said to be neither', async (t) => {
  const p = await provider(t);
  const at = (model) => hutong(['llm', 'chat', '--model', model, 'hello'], { env: openaiAt(p, { HUTONG_LLM_PROBE: 'off' }) });
  p.script([{ deltas: ['yes'] }, ...['x', 'y'].map(() => ({ status: 404, error: { code: 'model_not_found', message: 'no' } }))]);
  const routed = await at('qwen/qwen3');
  assert.deepEqual([routed.status, routed.out], [0, 'yes\n']);
  assert.equal((await p.request(0)).body.model, 'qwen/qwen3');
  const neither = await at('opnai/m');
  assert.deepEqual([neither.status, neither.out], [1, '']);
  assert.match(neither.err, /^hutong: openai has no model opnai\/m, and there is no model site "opnai"; there are: openai, offline$/m);
  assert.match((await at('openai/m')).err, /openai has no model m; `hutong llm models`/);
});

test('lists of models are recorded and repeated, the last for all that come after it', async (t) => {
  const p = await provider(t);
  const file = path.join(await newFolder(t), 'answers');
  const list = async (env) => {
    const { status, out, err } = await hutong(['llm', 'models'], { env });
    return { status, out: out.split('\n').sort().join(' ').trim(), err };
  };
  p.script([{ kind: 'models', models: ['one', 'two'] }, { kind: 'models', status: 401, error: { message: 'no' } }]);
  const env = openaiAt(p, { HUTONG_LLM_RECORD: file });
  const first = await list(env);
  assert.deepEqual([first.status, first.out], [0, 'offline/hutong-offline openai/one openai/two']);
  const again = openaiAt(p, { HUTONG_LLM_REPLAY: file });
  for (let i = 0; i < 2; i++) assert.deepEqual(await list(again), first);
  const refused = await list(env);
  assert.match(refused.err, /openai does not accept the key/);
  await writeFile(file, `${(await readFile(file, 'utf8')).split('\n')[1]}\n`); // the refusal alone
  assert.deepEqual(await list(again), refused);
  await writeFile(file, '');
  const none = await list(again);
  assert.deepEqual([none.status, none.out], [1, 'offline/hutong-offline']);
  assert.match(none.err, /has no answer to this/);
  assert.equal(p.requests.length, 2);
});

test('every provider answers, by its own name and in its own way', async (t) => {
  const sites = {
    openai: (base) => ({ HUTONG_OPENAI_BASE: base, OPENAI_API_KEY: 'k' }),
    azure: (base) => ({ AZURE_OPENAI_ENDPOINT: base, AZURE_OPENAI_API_KEY: 'k', AZURE_OPENAI_VERSION: '2024-10-21' }),
    google: (base) => ({ HUTONG_GOOGLE_BASE: base, GOOGLE_API_KEY: 'k' }),
    anthropic: (base) => ({ ANTHROPIC_BASE_URL: base, ANTHROPIC_API_KEY: 'k' }),
    ollama: (base) => ({ OLLAMA_HOST: base }),
    dashscope: (base) => ({ DASHSCOPE_BASE_URL: base, DASHSCOPE_API_KEY: 'k' }),
  };
  for (const [site, settings] of Object.entries(sites)) {
    const p = await provider(t);
    p.script([{ deltas: ['胡同', ' is ', '🏮'], split: 7, usage: { input: 5, output: 4 } }]);
    const { status, out, err } = await hutong(
      ['llm', 'chat', '--model', `${site}/m1`, '--usage', 'hello'], { env: settings(p.base(site)) });
    assert.deepEqual([status, out], [0, '胡同 is 🏮\n'], `${site}: ${err}`);
    assert.match(err, new RegExp(`^hutong: ${site}/m1, 5 \\+ 4 tokens, first`, 'm'));
    const asked = await p.request(0);
    assert.equal(asked.provider, site);
    if (site !== 'ollama') assert.equal(asked.key, 'k');
    p.script([{ deltas: ['half', 'more'], endAfter: 1 }]);
    const cut = await hutong(['llm', 'chat', '--model', `${site}/m1`, 'hello'], { env: settings(p.base(site)) });
    assert.deepEqual([cut.status, cut.out], [1, 'half\n'], site);
  }
});

test('the file of keys sets up hosted sites, too, and a key for nobody is a mistake', async (t) => {
  const p = await provider(t);
  const file = path.join(await newFolder(t), 'keys');
  await writeFile(file, 'anthropic k-one k-two\n', { mode: 0o600 });
  const env = { ANTHROPIC_BASE_URL: p.base('anthropic'), HUTONG_LLM_KEYS_FILE: file };
  p.script([{ deltas: ['ok'] }]);
  const { status, out } = await hutong(['llm', 'chat', '--model', 'anthropic/m', 'hello'], { env });
  assert.deepEqual([status, out], [0, 'ok\n']);
  assert.equal((await p.request(0)).key, 'k-one');
  await writeFile(file, 'antropic k\n', { mode: 0o600 });
  const { status: wrong, err } = await hutong(['llm', 'check'], { env });
  assert.equal(wrong, 1);
  assert.match(err, /line 1 of the file of model keys is no "SITE KEY"; sites are openai/);
});

test('a fall-back or quirk of a site that is none stops the start', async () => {
  for (const [name, value, sentence] of [
    ['HUTONG_LLM_FALLBACK', 'offline,nowhere', /no model site "nowhere"; there are: offline/],
    ['HUTONG_LLM_MODEL', 'nowhere/m', /no model site "nowhere\/m"; there are: offline/],
    ['HUTONG_LLM_QUIRKS', 'offline:strange', /"offline:strange"; allowed: SITE:WORD/],
    ['HUTONG_LLM_QUIRKS', 'nowhere:no-json', /"nowhere:no-json"; allowed: SITE:WORD/],
  ]) {
    const { status, err } = await hutong(['llm', 'check'], { env: { HUTONG_LLM_PROBE: 'off', [name]: value } });
    assert.equal(status, 1, name);
    assert.match(err, sentence);
  }
});

test('a site that is known to do it differently is read so', async (t) => {
  const p = await provider(t);
  const inside = { deltas: ['hmm, a greeting', '</think>', 'Hello!'] };
  p.script([inside, inside]);
  assert.equal((await ask(openaiAt(p))).out, 'hmm, a greeting</think>Hello!\n');
  assert.equal((await ask(openaiAt(p, { HUTONG_LLM_QUIRKS: 'openai:thinks-inside' }))).out, 'Hello!\n');
  const silent = { deltas: ['Hello!'], finish: null };
  p.script([silent, silent]);
  assert.equal((await ask(openaiAt(p))).status, 1);
  assert.equal((await ask(openaiAt(p, { HUTONG_LLM_QUIRKS: 'openai:no-finish' }))).status, 0);
});

test('an answer in one piece has the time of a whole answer', async (t) => {
  const p = await provider(t);
  const file = path.join(await newFolder(t), 'schema.json');
  await writeFile(file, JSON.stringify(SCHEMA));
  p.script([
    { deltas: ['{"name":"Mei","age":7}'], whole: true, stallAfter: 'request' },
    { deltas: ['x'], stallAfter: 'request' },
  ]);
  const env = openaiAt(p, { HUTONG_LLM_FIRST_TIMEOUT: '1' });
  const answered = ask(env, '--schema', file);
  const asked = await p.request(0);
  assert.match((await ask(env)).err, /silent for too long/); // begun later, and over
  assert.equal(asked.closedAt, undefined);
  asked.resume();
  assert.equal((await answered).status, 0);
});

test('half a character at the very end is told as one that is unreadable', async (t) => {
  const p = await provider(t);
  const event = (choice) => `data: {"choices":[${choice}]}\n\n`;
  p.script([{
    contentType: 'text/event-stream',
    body: `${event('{"index":0,"delta":{"content":"hi \\ud83d"}}')}${event('{"index":0,"delta":{},"finish_reason":"stop"}')}data: [DONE]\n\n`,
  }]);
  const { status, out } = await ask(openaiAt(p));
  assert.deepEqual([status, out], [0, 'hi \ufffd\n']);
});

test('wrong words end at once with what would be right', async () => {
  const env = { HUTONG_LLM_PROBE: 'off' };
  for (const [args, wanted, sentence] of [
    [['llm'], 2, /needs one of check, models and chat/],
    [['llm', 'chat'], 2, /needs a question, or - to read it/],
    [['llm', 'chat', '  '], 2, /needs a question in UTF-8/],
    [['llm', 'chart', 'x'], 2, /no "chart"; there are check, models and chat/],
    [['llm', 'chat', '--schema', '/nowhere/schema.json', 'x'], 1, /cannot open \/nowhere\/schema.json/],
  ]) {
    const { status, out, err } = await hutong(args, { env });
    assert.deepEqual([status, out], [wanted, ''], args.join(' '));
    assert.match(err, sentence);
  }
});

test('what answers is said in lines without trailing blanks', async () => {
  const { status, out } = await hutong(['llm', 'check'], { env: { HUTONG_LLM_PROBE: 'off' } });
  assert.equal(status, 1); // no language model does
  assert.match(out, /^offline +answers, 1 model$/m);
  assert.match(out, /^Default model: offline$/m);
});
