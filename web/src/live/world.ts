// SPDX-License-Identifier: AGPL-3.0-or-later
//
// The hub's world as it is in a browser, in a page and in a worker alike.
import type { World } from './hub';

export const world: World = {
  connect(kind, query, events) {
    if (kind === 'stream') {
      const stream = new EventSource(`/live/events?${query}`);
      stream.onopen = () => events.open();
      stream.onmessage = ({ data }) => events.message(String(data));
      stream.onerror = () => {
        stream.close(); // it would come back by itself with a ticket that is used up
        events.closed(1006);
      };
      return { send: () => undefined, close: () => stream.close() };
    }
    const url = new URL(`/live?${query}`, self.location.href);
    url.protocol = url.protocol.replace('http', 'ws');
    const socket = new WebSocket(url, ['hutong.v1']);
    socket.onmessage = ({ data }) => events.message(String(data));
    socket.onclose = ({ code }) => events.closed(code);
    return {
      send: (text) => socket.readyState === WebSocket.OPEN && socket.send(text),
      close: () => socket.close(),
    };
  },
  later(ms, run) {
    const timer = setTimeout(run, ms);
    return () => clearTimeout(timer);
  },
  random: Math.random,
  now: Date.now,
};
