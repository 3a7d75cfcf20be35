// SPDX-License-Identifier: AGPL-3.0-or-later
//
// Pictures in and out, through the real server.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readdirSync, watch } from 'node:fs';
import { mkdir, readdir, symlink, utimes, writeFile } from 'node:fs/promises';
import http from 'node:http';
import net from 'node:net';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { deflateSync } from 'node:zlib';

import { startServer } from '../support/server.mjs';
import { until as asked } from '../support/watch.mjs';

const IMAGE_MAX = 10 * 1024 * 1024;
const AVATAR_MAX = 2 * 1024 * 1024;

// ISO 3309, as PNG wants it; node:zlib has it only from version 22 on.
function crc32(bytes) {
  let crc = ~0;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0);
  }
  return ~crc >>> 0;
}

function chunk(type, data) {
  const body = Buffer.concat([Buffer.from(type), data]);
  const out = Buffer.alloc(body.length + 8);
  out.writeUInt32BE(data.length, 0);
  body.copy(out, 4);
  out.writeUInt32BE(crc32(body), body.length + 4);
  return out;
}

// An RGB picture of noise: hardly smaller than its pixels. `text` travels as metadata.
function png(width, height, { bytes = 0, text = '' } = {}) {
  const head = Buffer.alloc(13);
  head.writeUInt32BE(width, 0);
  head.writeUInt32BE(height, 4);
  head.set([8, 2, 0, 0, 0], 8);
  const rows = Buffer.alloc((width * 3 + 1) * height);
  for (let y = 0; y < height; y++) randomBytes(width * 3).copy(rows, y * (width * 3 + 1) + 1);
  const parts = [
    Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]),
    chunk('IHDR', head),
    ...(text ? [chunk('tEXt', Buffer.from(`Comment\0${text}`))] : []),
    chunk('IDAT', deflateSync(rows)),
  ];
  const end = chunk('IEND', Buffer.alloc(0));
  const missing = bytes - parts.reduce((sum, part) => sum + part.length, end.length);
  if (missing > 12) parts.push(chunk('prVt', randomBytes(missing - 12))); // exactly `bytes` long
  return Buffer.concat([...parts, end]);
}

function form(bytes, name = 'a.png', field = 'file') {
  const fields = new FormData();
  fields.append(field, new Blob([bytes]), name);
  return fields;
}

// A request as bytes, for what fetch does not send. The whole answer as text, read to the end.
function raw(server, text, chunks = []) {
  return new Promise((done, fail) => {
    const socket = net.connect(Number(new URL(server.url).port), '127.0.0.1');
    let answer = '';
    const late = setTimeout(() => socket.destroy(new Error('no answer')), 20000);
    socket.setEncoding('latin1');
    socket.on('data', (bytes) => { answer += bytes; });
    socket.on('error', (error) => (answer ? done(answer) : fail(error)));
    socket.on('close', () => { clearTimeout(late); done(answer); });
    socket.write(text);
    for (const bytes of chunks) socket.write(bytes);
  });
}

function get(server, target, headers = {}, method = 'GET') {
  return new Promise((done, fail) => {
    const request = http.request(server.url, { method, path: target, headers }, (reply) => {
      const parts = [];
      reply.on('data', (bytes) => parts.push(bytes));
      reply.on('end', () => done({
        status: reply.statusCode, headers: reply.headers, bytes: Buffer.concat(parts),
      }));
    });
    request.on('error', fail);
    request.end();
  });
}

describe('uploads', () => {
  let server, li;
  before(async () => {
    server = await startServer();
    li = await server.register('lilei');
  });
  after(() => server.stop());
  const upload = (body, where = '/files/upload') =>
    server.api('POST', where, { token: li.token, body });

  test('a_picture_is_taken_in_made_webp_and_served_for_ever', async () => {
    const reply = await upload(form(png(400, 200, { text: 'secret place' })));
    assert.equal(reply.status, 200, reply.text);
    const { url, filename, size, width, height, thumbnails } = reply.body;
    assert.match(filename, /^[0-9a-f]{32}\.webp$/);
    assert.equal(url, `/files/images/${filename}`);
    assert.deepEqual([width, height], [400, 200]);
    const stem = filename.replace('.webp', '');
    assert.deepEqual(thumbnails, {
      320: `/files/images/${stem}_320.webp`, 1280: `/files/images/${stem}_1280.webp`,
    });
    for (const at of [url, ...Object.values(thumbnails)]) {
      const file = await get(server, at);
      assert.equal(file.status, 200);
      assert.equal(file.headers['content-type'], 'image/webp');
      assert.equal(file.headers['cache-control'], 'public, max-age=31536000, immutable');
      assert.equal(file.headers['x-content-type-options'], 'nosniff');
      assert.equal(file.headers.vary, 'Origin', 'what a cache got for an <img> is no answer for a script');
      assert.equal(file.headers['content-security-policy'], "default-src 'none'");
      assert.equal(file.headers['content-disposition'], 'inline');
      assert.equal(file.headers['accept-ranges'], 'bytes');
      assert.equal(file.bytes.toString('latin1', 8, 12), 'WEBP');
      assert.equal(file.bytes.includes('secret place'), false);
      assert.equal(Number(file.headers['content-length']), file.bytes.length);
      if (at === url) assert.equal(file.bytes.length, size);
    }
  });

  test('the_same_picture_twice_is_one_file', async () => {
    const bytes = png(30, 30);
    const [one, two] = [await upload(form(bytes)), await upload(form(bytes, 'other.jpg'))];
    assert.equal(one.status, 200, one.text);
    assert.deepEqual(two.body, one.body);
  });

  test('an_avatar_is_named_after_its_owner_and_has_no_size', async () => {
    const reply = await upload(form(png(50, 50)), '/files/upload/avatar');
    assert.equal(reply.status, 200, reply.text);
    assert.match(reply.body.filename, new RegExp(`^avatar_${li.id}_[0-9a-f]{32}\\.webp$`));
    assert.equal(reply.body.url, `/files/avatars/${reply.body.filename}`);
    assert.equal('size' in reply.body, false);
    const file = await get(server, reply.body.url);
    assert.equal(file.status, 200);
    assert.match(file.headers['cache-control'], /immutable/);
    assert.equal((await server.api('GET', '/auth/me', { token: li.token })).body.avatar_path, null);
  });

  test('a_picture_of_exactly_the_limit_is_taken_and_one_byte_more_is_not', async () => {
    for (const [where, max] of [['/files/upload', IMAGE_MAX], ['/files/upload/avatar', AVATAR_MAX]]) {
      const exact = png(200, 200, { bytes: max });
      assert.equal(exact.length, max);
      const good = await upload(form(exact), where);
      assert.equal(good.status, 200, good.text);
      const bad = await upload(form(Buffer.concat([exact, Buffer.from([0])])), where);
      assert.equal(bad.status, 400, bad.text);
      assert.match(bad.body.detail, /at most (10|2) MB/);
    }
  });

  test('a_body_announced_too_large_is_refused_by_its_head', async () => {
    const answer = await raw(server,
      `POST /files/upload HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${li.token}\r\n` +
      'Content-Type: multipart/form-data; boundary=b\r\nContent-Length: 99999999\r\n' +
      'Expect: 100-continue\r\n\r\n');
    assert.match(answer, /^HTTP\/1.1 400 /);
    assert.doesNotMatch(answer, /100 Continue/);
  });

  test('a_body_that_goes_on_for_ever_is_cut_off', async () => {
    const size = 256 * 1024;
    const piece = Buffer.concat([
      Buffer.from(`${size.toString(16)}\r\n`), Buffer.alloc(size, 'x'), Buffer.from('\r\n')]);
    const answer = await raw(server,
      `POST /files/upload/avatar HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${li.token}\r\n` +
      'Content-Type: multipart/form-data; boundary=b\r\nTransfer-Encoding: chunked\r\n\r\n',
      Array(64).fill(piece)); // 16 MiB and no end
    assert.match(answer, /^HTTP\/1.1 400 /);
    assert.match(answer, /at most 2 MB/);
    assert.match(answer, /Connection: close/);
  });

  test('a_chunked_upload_in_tiny_chunks_arrives_and_the_connection_goes_on', async () => {
    const body = Buffer.concat([
      Buffer.from('--b\r\nContent-Disposition: form-data; name="file"; filename="a.png"\r\n\r\n'),
      png(300, 300), Buffer.from('\r\n--b--\r\n')]);
    assert.ok(body.length > 2 * 128 * 1024);
    const chunks = [];
    for (let at = 0; at < body.length; at += 977) {
      const part = body.subarray(at, at + 977);
      chunks.push(Buffer.from(`${part.length.toString(16)}\r\n`), part, Buffer.from('\r\n'));
    }
    chunks.push(Buffer.from('0\r\n\r\nGET /posts HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n'));
    const answer = await raw(server,
      `POST /files/upload HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${li.token}\r\n` +
      'Content-Type: multipart/form-data; boundary=b\r\nTransfer-Encoding: chunked\r\n\r\n',
      [Buffer.concat(chunks)]);
    assert.deepEqual(answer.match(/HTTP\/1\.1 \d+/g), ['HTTP/1.1 200', 'HTTP/1.1 200']);
    assert.match(answer, /"width":300/);
    assert.match(answer, /"page_size":20/);
  });

  test('large_uploads_on_one_connection_follow_each_other', async () => {
    const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
    const head = '--b\r\nContent-Disposition: form-data; name="file"; filename="a.png"\r\n\r\n';
    for (let i = 0; i < 3; i++) {
      const body = Buffer.concat([
        Buffer.from(head), png(900, 900), Buffer.from('\r\n--b--\r\n')]);
      const status = await new Promise((done, fail) => {
        const request = http.request(`${server.url}/files/upload`, {
          agent, method: 'POST', timeout: 20000,
          headers: {
            authorization: `Bearer ${li.token}`, 'content-length': body.length,
            'content-type': 'multipart/form-data; boundary=b',
          },
        }, (reply) => { reply.resume().on('end', () => done(reply.statusCode)); });
        request.on('error', fail);
        request.end(body);
      });
      assert.equal(status, 200);
    }
    agent.destroy();
  });

  const refused = [
    ['text_under_a_picture_name', () => form(Buffer.from('hello'), 'a.png'), 422, 'value_error'],
    ['an_empty_file', () => form(Buffer.alloc(0)), 422, 'value_error'],
    ['a_picture_cut_in_half', () => form(png(80, 80).subarray(0, 9000)), 422, 'value_error'],
    ['a_form_without_the_part', () => form(png(9, 9), 'a.png', 'picture'), 422, 'missing'],
    ['a_part_that_is_plain_text', () => {
      const fields = new FormData();
      fields.append('file', 'hello');
      return fields;
    }, 422, 'value_error'],
    ['two_files', () => {
      const fields = form(png(9, 9));
      fields.append('file', new Blob([png(9, 9)]), 'b.png');
      return fields;
    }, 422, 'value_error'],
  ];
  for (const [name, body, status, type] of refused) {
    test(`${name}_is_refused_with_a_sentence`, async () => {
      const reply = await upload(body());
      assert.equal(reply.status, status, reply.text);
      assert.equal(reply.headers.get('content-type'), 'application/problem+json');
      assert.ok(reply.body.detail.length > 10);
      assert.deepEqual(reply.body.errors.map((e) => [e.loc, e.type]), [[['body', 'file'], type]]);
    });
  }

  test('a_body_that_is_no_form_is_a_missing_file', async () => {
    const reply = await server.api('POST', '/files/upload', { token: li.token, json: { a: 1 } });
    assert.equal(reply.status, 422);
    assert.equal(reply.body.errors[0].type, 'missing');
  });

  test('a_form_without_its_end_is_refused', async () => {
    const reply = await server.api('POST', '/files/upload', {
      token: li.token,
      headers: { 'content-type': 'multipart/form-data; boundary=b' },
      body: '--b\r\nContent-Disposition: form-data; name="file"; filename="a.png"\r\n\r\nabc',
    });
    assert.equal(reply.status, 400, reply.text);
  });

  test('a_stranger_may_not_upload', async () => {
    const reply = await server.api('POST', '/files/upload', { body: form(png(9, 9)) });
    assert.equal(reply.status, 401);
  });

  test('who_has_logged_out_is_refused_before_the_body_is_sent', async () => {
    const out = await server.register('gone');
    // Seen, and confirmed: the log-out must take that back.
    assert.equal((await server.api('POST', '/files/upload', { token: out.token, body: form(png(9, 9)) })).status, 200);
    assert.equal((await server.api('POST', '/auth/logout', { token: out.token })).status, 204);
    const answer = await raw(server,
      `POST /files/upload HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${out.token}\r\n` +
      'Content-Type: multipart/form-data; boundary=b\r\nContent-Length: 9000000\r\n' +
      'Expect: 100-continue\r\n\r\n');
    assert.match(answer, /^HTTP\/1.1 401 /);
  });

  test('a_picture_with_too_many_pixels_is_refused', async () => {
    const head = Buffer.alloc(13);
    head.writeUInt32BE(30000, 0);
    head.writeUInt32BE(30000, 4);
    head.set([8, 2, 0, 0, 0], 8);
    const bomb = Buffer.concat([
      png(1, 1).subarray(0, 8), chunk('IHDR', head),
      chunk('IDAT', deflateSync(Buffer.alloc(1000))), chunk('IEND', Buffer.alloc(0))]);
    const reply = await upload(form(bomb));
    assert.equal(reply.status, 422, reply.text);
  });

  test('nothing_of_any_upload_is_left_in_tmp', async () => {
    assert.deepEqual(await readdir(path.join(server.dataDir, 'uploads/tmp')), []);
    for (const folder of ['images', 'avatars']) {
      const names = await readdir(path.join(server.dataDir, 'uploads', folder));
      assert.ok(names.length > 0);
      assert.deepEqual(names.filter((name) => !name.endsWith('.webp')), []);
    }
  });
});

describe('uploads at once', () => {
  let server, li;
  before(async () => {
    server = await startServer({ env: { HUTONG_UPLOADS_AT_ONCE: '2' } });
    li = await server.register('lilei');
  });
  after(() => server.stop());

  // A client that has sent the head and the first `bytes` of a large picture.
  function begin(bytes) {
    return new Promise((done, fail) => {
      const socket = net.connect(Number(new URL(server.url).port), '127.0.0.1');
      socket.on('error', fail);
      socket.on('data', (answer) => {
        if (/100 Continue/.test(answer)) socket.write(Buffer.alloc(bytes, 'x'), () => done(socket));
      });
      socket.write(
        `POST /files/upload HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${li.token}\r\n` +
        'Content-Type: multipart/form-data; boundary=b\r\nContent-Length: 9000000\r\n' +
        'Expect: 100-continue\r\n\r\n' +
        '--b\r\nContent-Disposition: form-data; name="file"; filename="a.png"\r\n\r\n');
    });
  }

  const tryOne = () => server.api('POST', '/files/upload', { token: li.token, body: form(png(9, 9)) });

  async function until(what, holds) {
    const late = Date.now() + 20000;
    let last;
    do {
      last = await holds();
      if (last === true) return;
    } while (Date.now() < late);
    assert.fail(`${what}: ${last}`);
  }

  test('more_than_allowed_are_told_to_wait_and_places_come_back', async () => {
    const one = await begin(1000), two = await begin(1000);
    const full = await tryOne();
    assert.equal(full.status, 503, full.text);
    assert.ok(full.headers.get('retry-after'));
    one.destroy();
    await until('a place', async () => (await tryOne()).status === 200);
    two.destroy();
  });

  test('clients_that_vanish_while_a_worker_writes_give_their_place_back', async () => {
    for (let round = 0; round < 20; round++) {
      const socket = await begin(130000 + round * 150000);
      if (round % 2) socket.resetAndDestroy(); else socket.end();
      await until('a place', async () => {
        const [a, b] = await Promise.all([tryOne(), tryOne()]);
        return (a.status === 200 && b.status === 200) || `${a.status} ${b.status}`;
      });
    }
    assert.deepEqual(await readdir(path.join(server.dataDir, 'uploads/tmp')), []);
  });
});

describe('serving', () => {
  const bytes = Buffer.from(Array.from({ length: 200000 }, (_, i) => i % 251));
  const old = '/files/images/20240131_0a1b2c3d.png';
  const modified = new Date('2024-01-31T10:00:00Z');
  let server, etag, date;

  before(async () => {
    server = await startServer();
    const folder = path.join(server.dataDir, 'uploads/images');
    await mkdir(folder, { recursive: true });
    const file = path.join(folder, path.basename(old));
    await writeFile(file, bytes);
    await utimes(file, modified, modified);
    await writeFile(path.join(server.dataDir, 'uploads/secret.png'), 'secret');
    await symlink(path.join(server.dataDir, 'uploads/secret.png'), path.join(folder, 'link.png'));
    await mkdir(path.join(folder, 'folder.png'));
    await writeFile(path.join(folder, 'notes.txt'), 'secret');
    await writeFile(path.join(folder, '.hidden.png'), 'secret');
    ({ etag, 'last-modified': date } = (await get(server, old)).headers);
  });
  after(() => server.stop());

  test('a_file_of_the_old_system_is_served_for_an_hour', async () => {
    const file = await get(server, old);
    assert.equal(file.status, 200);
    assert.ok(file.bytes.equals(bytes));
    assert.equal(file.headers['content-type'], 'image/png');
    assert.equal(file.headers['cache-control'], 'public, max-age=3600');
    assert.equal(file.headers['last-modified'], 'Wed, 31 Jan 2024 10:00:00 GMT');
    assert.match(file.headers.etag, /^"[^"]+"$/);
  });

  test('head_says_the_same_without_a_body', async () => {
    const file = await get(server, old, {}, 'HEAD');
    assert.equal(file.status, 200);
    assert.equal(file.headers['content-length'], String(bytes.length));
    assert.equal(file.bytes.length, 0);
  });

  for (const name of ['gone.png', 'link.png', 'folder.png', 'notes.txt', '.hidden.png', 'a%00.png',
    '..%2fsecret.png', '%2e%2e', '..', '../secret.png', 'a/b.png', '%E4%BD%A0.png',
    `${'a'.repeat(300)}.png`]) {
    test(`${name.slice(0, 20)} is not served`, async () => {
      const file = await get(server, `/files/images/${name}`);
      assert.ok([400, 404].includes(file.status), `${file.status} ${file.bytes}`);
      assert.equal(file.bytes.includes('secret'), false);
    });
  }

  const later = new Date(modified.getTime() + 1000).toUTCString();
  const earlier = new Date(modified.getTime() - 1000).toUTCString();
  const known = [
    ['its_etag', () => ({ 'if-none-match': etag }), 304],
    ['its_weak_etag_in_a_list', () => ({ 'if-none-match': `"x", W/${etag}` }), 304],
    ['a_star', () => ({ 'if-none-match': '*' }), 304],
    ['another_etag', () => ({ 'if-none-match': '"x"' }), 200],
    ['only_its_etag', () => ({ 'if-match': `"x", ${etag}` }), 200],
    ['only_what_is_there', () => ({ 'if-match': '*' }), 200],
    ['only_another_etag', () => ({ 'if-match': '"x"' }), 412],
    ['only_its_weak_etag', () => ({ 'if-match': `W/${etag}` }), 412],
    ['only_another_etag_before_all_else', () => ({ 'if-match': '"x"', 'if-none-match': etag, range: 'bytes=0-9' }), 412],
    ['only_its_etag_and_known', () => ({ 'if-match': etag, 'if-none-match': etag }), 304],
    ['unmodified_since_its_date', () => ({ 'if-unmodified-since': date }), 200],
    ['unmodified_since_long_ago', () => ({ 'if-unmodified-since': 'Sat, 01 Jan 2000 00:00:00 GMT' }), 412],
    ['unmodified_since_no_date', () => ({ 'if-unmodified-since': 'yesterday' }), 200],
    ['its_etag_and_long_ago', () => ({ 'if-match': etag, 'if-unmodified-since': 'Sat, 01 Jan 2000 00:00:00 GMT' }), 200],
    ['its_date', () => ({ 'if-modified-since': date }), 304],
    ['a_later_date', () => ({ 'if-modified-since': later }), 304],
    ['an_earlier_date', () => ({ 'if-modified-since': earlier }), 200],
    ['no_date', () => ({ 'if-modified-since': 'yesterday' }), 200],
    ['another_etag_and_its_date', () => ({ 'if-none-match': '"x"', 'if-modified-since': date }), 200],
    ['its_etag_and_a_range', () => ({ 'if-none-match': etag, range: 'bytes=0-9' }), 304],
  ];
  for (const [name, headers, status] of known) {
    test(`asked_with_${name}_the_answer_is_${status}`, async () => {
      const file = await get(server, old, headers());
      assert.equal(file.status, status);
      if (status === 412) {
        assert.equal(file.headers['content-type'], 'application/problem+json');
        return;
      }
      assert.equal(file.headers.etag, etag);
      assert.equal(file.bytes.length, status === 304 ? 0 : bytes.length);
    });
  }

  const end = bytes.length - 1;
  const ranges = [
    ['bytes=0-0', {}, 0, 0],
    ['bytes=100-199', {}, 100, 199],
    ['bytes=70000-', {}, 70000, end],
    ['bytes=-5', {}, end - 4, end],
    ['bytes=-999999', {}, 0, end],
    ['bytes=199999-999999', {}, end, end],
    ['bytes=1-2', () => ({ 'if-range': etag }), 1, 2],
    ['bytes=1-2', () => ({ 'if-range': date }), 1, 2],
  ];
  for (const [range, more, first, last] of ranges) {
    test(`a part: ${range} ${typeof more === 'function' ? Object.keys(more()) : ''}`, async () => {
      const extra = typeof more === 'function' ? more() : more;
      const file = await get(server, old, { range, ...extra });
      assert.equal(file.status, 206);
      assert.equal(file.headers['content-range'], `bytes ${first}-${last}/${bytes.length}`);
      assert.ok(file.bytes.equals(bytes.subarray(first, last + 1)));
    });
  }

  test('a_range_of_another_version_gives_the_whole', async () => {
    for (const condition of ['"x"', `W/${etag}`, earlier]) {
      const file = await get(server, old, { range: 'bytes=1-2', 'if-range': condition });
      assert.equal(file.status, 200);
      assert.equal(file.bytes.length, bytes.length);
    }
  });

  test('several_ranges_and_nonsense_give_the_whole', async () => {
    for (const range of ['bytes=0-1,5-6', 'bytes=5-2', 'lines=1-2', 'bytes=']) {
      const file = await get(server, old, { range });
      assert.equal(file.status, 200, range);
      assert.equal(file.bytes.length, bytes.length);
    }
  });

  test('a_range_behind_the_end_is_416', async () => {
    for (const range of ['bytes=200000-', 'bytes=-0']) {
      const file = await get(server, old, { range });
      assert.equal(file.status, 416, range);
      assert.equal(file.headers['content-range'], `bytes */${bytes.length}`);
      assert.equal(file.headers['content-type'], 'application/problem+json');
      assert.equal(file.headers.etag, undefined);
    }
  });

  test('a_range_of_a_head_is_passed_over', async () => {
    assert.equal((await get(server, old, { range: 'bytes=0-1' }, 'HEAD')).status, 200);
  });
});

// Whoever put a picture there may not have told the store for some seconds: it is waited for.
test('a_picture_goes_when_nobody_shows_it_any_more', { timeout: 90_000 }, async () => {
  const server = await startServer({ env: { HUTONG_MAINTENANCE_SECONDS: '1', HUTONG_UPLOAD_UNUSED_DAYS: '1' } });
  const [ann, ben] = [await server.register('ann_shows'), await server.register('ben_shows')];
  const up = async (who, bytes, kind = '') => {
    const { status, body, text } = await server.api('POST', `/files/upload${kind}`, { token: who.token, body: form(bytes) });
    assert.equal(status, 200, text);
    return body;
  };
  const say = async (who, image_path) => {
    const { status, body, text } = await server.api('POST', '/posts', { token: who.token, json: { content: 'look', image_path } });
    assert.equal(status, 201, text);
    return body.id;
  };
  const status = async (url) => (await server.api('GET', url)).status;
  const [one, shared, idle, kept] = [png(400, 300), png(400, 301), png(400, 302), png(400, 303)];
  const gone = await up(ann, one), both = await up(ann, shared), unused = await up(ann, idle), shown = await up(ann, kept);
  await up(ben, shared);
  const avatar = await up(ann, png(200, 200), '/avatar');
  const put = (avatar_path) => server.api('PUT', '/users/me', { token: ann.token, json: { avatar_path } });
  assert.equal((await put(avatar.url)).status, 200);
  assert.equal((await put((await up(ann, png(201, 200), '/avatar')).url)).status, 200);
  const posts = [await say(ann, gone.url), await say(ann, both.url)];
  await say(ben, both.url);
  await say(ann, shown.url);
  for (const id of posts) assert.equal((await server.api('DELETE', `/posts/${id}`, { token: ann.token })).status, 204);
  await server.sql("UPDATE files SET created_us = created_us - 90000000000 WHERE created_us > 0");
  for (const { url } of [gone, avatar, unused]) {
    await asked(() => status(url), (now) => now === 404, { ms: 60_000, what: url });
  }
  assert.equal(await status(gone.thumbnails[320]), 404);
  for (const { url } of [both, shown]) assert.equal(await status(url), 200, url);
  assert.deepEqual((await server.sql('SELECT COUNT(*) AS n FROM files'))[0].n, 3); // and the avatar of now
  await server.stop();
});

test('a_member_has_room_for_so_many_bytes_of_pictures', async () => {
  const server = await startServer({ env: { HUTONG_UPLOAD_MEMBER_BYTES: '1' } });
  const [ann, ben] = [await server.register('ann_fills'), await server.register('ben_fills')];
  const up = (who) => server.api('POST', '/files/upload', { token: who.token, body: form(png(9, 9)) });
  assert.equal((await up(ann)).status, 200);
  const full = await up(ann);
  assert.equal(full.status, 409, full.text);
  assert.match(full.body.detail, /delete posts with pictures first/);
  assert.equal((await up(ben)).status, 200);
  await server.stop();
});

test('leftovers_of_a_crash_are_swept_at_start', async () => {
  const first = await startServer();
  const uploads = path.join(first.dataDir, 'uploads');
  await first.stop({ keepData: true });
  const files = ['tmp/upload-old', 'tmp/upload-new', 'images/.a.webp.part', 'images/.b.webp.part',
    'images/old.webp', 'avatars/.c.webp.part'];
  for (const folder of ['tmp', 'images', 'avatars']) {
    await mkdir(path.join(uploads, folder), { recursive: true });
  }
  for (const name of files) await writeFile(path.join(uploads, name), 'x');
  const past = new Date(Date.now() - 2 * 3600 * 1000);
  for (const name of files.filter((file) => !/new|b\.webp/.test(file))) {
    await utimes(path.join(uploads, name), past, past);
  }
  const second = await startServer({ dataDir: first.dataDir });
  const left = [];
  for (const folder of ['avatars', 'images', 'tmp']) {
    for (const name of await readdir(path.join(uploads, folder))) left.push(`${folder}/${name}`);
  }
  await second.stop({ keepData: false });
  assert.deepEqual(left.sort(), ['images/.b.webp.part', 'images/old.webp', 'tmp/upload-new']);
});

// Uploads until one has a file half-way there, and ends the server in that moment, as a power cut
// does. What was left.
async function killHalfWay(server, token, where, folder) {
  const half = () => readdirSync(folder).filter((name) => name.endsWith('.part'));
  let left = [];
  const watcher = watch(folder, (what, name) => {
    if (left.length > 0 || !name?.endsWith('.part')) return;
    process.kill(server.pid, 'SIGSTOP'); // it stands still while we look
    left = half();
    process.kill(server.pid, left.length > 0 ? 'SIGKILL' : 'SIGCONT');
  });
  try {
    for (let i = 0; i < 200 && left.length === 0; i++) {
      await server.api('POST', where, { token, body: form(png(400 + i, 300)) }).catch(() => {});
    }
  } finally {
    watcher.close();
  }
  await server.kill(); // has ended by now
  assert.ok(left.length > 0, 'no upload was ever met half-way');
  assert.deepEqual(half(), left);
  return left;
}

for (const [where, name] of [['/files/upload', 'images'], ['/files/upload/avatar', 'avatars']]) {
  test(`what_a_kill_leaves_of_an_upload_in_${name}_goes_while_the_next_server_runs`, { timeout: 60_000 }, async () => {
    const first = await startServer();
    const { token } = await first.register('lilei');
    const whole = await first.api('POST', where, { token, body: form(png(200, 200)) });
    assert.equal(whole.status, 200, whole.text);
    const folder = path.join(first.dataDir, 'uploads', name);
    const good = await readdir(folder);
    const left = await killHalfWay(first, token, where, folder);

    const second = await startServer({ dataDir: first.dataDir, env: { HUTONG_MAINTENANCE_SECONDS: '1' } });
    // It may still be somebody's, who is about to stop: young ones stay.
    const there = await readdir(folder);
    for (const part of left) assert.ok(there.includes(part));
    const past = new Date(Date.now() - 2 * 3600 * 1000);
    for (const part of left) await utimes(path.join(folder, part), past, past);
    await asked(() => readdir(folder), (names) => !names.some((one) => one.endsWith('.part')), { what: name });
    for (const one of good) assert.ok((await readdir(folder)).includes(one), one);
    assert.equal((await get(second, whole.body.url)).status, 200);
    assert.deepEqual(await readdir(path.join(second.dataDir, 'uploads', 'tmp')), []);
    await second.stop({ keepData: false });
  });
}
