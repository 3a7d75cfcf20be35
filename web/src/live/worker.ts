// SPDX-License-Identifier: AGPL-3.0-or-later
//
// The hub for all tabs of this browser.
import { Hub, type ToHub } from './hub';
import { world } from './world';

const hub = new Hub(world);

(self as unknown as { onconnect: (event: MessageEvent) => void }).onconnect = (event) => {
  const channel = event.ports[0]!;
  const port = { tell: (what: unknown) => channel.postMessage(what) };
  channel.onmessage = ({ data }) => hub.hear(port, data as ToHub);
};
