// SPDX-License-Identifier: AGPL-3.0-or-later
//
// A reader of one answer in a conversation that is kept: its server-sent events, as they come.
//
//     const stream = await AnswerStream.open(server, 'POST', to, { token, json: { text: 'go' } });
//     await stream.heard('half');      // until the answer so far ends with this
//     stream.leave.abort();            // … or: const events = await stream.until();
import assert from 'node:assert/strict';

export const isDelta = ({ type }) => type === 'delta';
// Pieces that come together leave together, so one event may bring several.
export const textOf = (events) => events.filter(isDelta).map(({ text }) => text).join('');

export class AnswerStream {
  static async open(at, method, to, { token, json } = {}) {
    const stream = new AnswerStream();
    stream.leave = new AbortController();
    stream.reply = await fetch(at.url + to, {
      method,
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      body: json && JSON.stringify(json),
      signal: AbortSignal.any([stream.leave.signal, AbortSignal.timeout(20_000)]),
    });
    assert.equal(stream.reply.status, 200, stream.reply.status === 200 ? '' : await stream.reply.text());
    stream.reader = stream.reply.body.pipeThrough(new TextDecoderStream()).getReader();
    stream.events = [];
    stream.comments = [];
    stream.rest = '';
    return stream;
  }

  // False at the end.
  async more() {
    const { value, done } = await this.reader.read();
    if (done) return false;
    const blocks = (this.rest + value).split('\n\n');
    this.rest = blocks.pop();
    for (const block of blocks) {
      if (block.startsWith(':')) this.comments.push(block);
      else this.events.push(JSON.parse(block.replace(/^data: /, '')));
    }
    return true;
  }

  // Everything up to an event that is right, or to the end.
  async until(right = () => false) {
    while (!this.events.some(right) && await this.more());
    return this.events;
  }

  // Until there were so many signs of life.
  async commented(count) {
    while (this.comments.length < count && await this.more());
    assert.ok(this.comments.length >= count, 'the stream ended in silence');
  }

  // Until the answer so far ends with this.
  heard(text) {
    return this.until(() => textOf(this.events).endsWith(text));
  }
}
