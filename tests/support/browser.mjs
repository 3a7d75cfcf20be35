// SPDX-License-Identifier: AGPL-3.0-or-later
//
// Real Chromium, the distribution's own, without a window and with an empty profile of its own.
//
//     const browser = await openBrowser();
//     const page = await openPage(browser, `${server.url}/docs`);
//     page.complaints;                              // what the console showed as errors
//     await page.evaluate(() => hear('/live'));     // a socket, see ears() below
//     await browser.close();
import { accessSync, constants } from 'node:fs';
import path from 'node:path';
import { chromium } from 'playwright-core';

const NAMES = ['chromium', 'chromium-browser'];
// It asks nobody but the pages it is sent to. Without its sandbox, which root cannot have: it sees
// no pages but ours.
export const browserFlags = ['--disable-gpu', '--disable-quic', '--disable-sync', '--no-first-run',
  '--disable-background-networking', '--disable-component-update', '--disable-dev-shm-usage'];

export function findBrowser() {
  for (const folder of process.env.PATH.split(':')) {
    for (const name of NAMES) {
      const file = path.join(folder, name);
      try {
        accessSync(file, constants.X_OK);
        return file;
      } catch { /* the next one */ }
    }
  }
  throw new Error('no chromium here: ./dev test installs it');
}

export function openBrowser() {
  return chromium.launch({ executablePath: findBrowser(), chromiumSandbox: false, args: browserFlags });
}

// Runs in the page: hear(path) opens a WebSocket there and keeps all that comes of it.
function ears() {
  window.hear = (target, protocols = []) => {
    const heard = { messages: [], wake: () => {} };
    const socket = new WebSocket(new URL(target, location).href.replace('http', 'ws'), protocols);
    heard.socket = socket;
    heard.closed = new Promise((told) => {
      socket.onclose = ({ code, reason }) => told({ code, reason });
    });
    socket.onmessage = ({ data }) => {
      heard.messages.push(JSON.parse(data));
      heard.wake();
    };
    // The first message that has all of these fields.
    heard.find = async (fields) => {
      const fits = (message) => Object.entries(fields).every(([name, value]) => message[name] === value);
      while (!heard.messages.some(fits)) await new Promise((done) => { heard.wake = done; });
      return heard.messages.find(fits);
    };
    return heard;
  };
}

export async function openPage(browser, url) {
  const context = await browser.newContext();
  const page = await context.newPage();
  page.setDefaultTimeout(20_000);
  page.complaints = [];
  page.on('console', (said) => {
    if (said.type() === 'error') page.complaints.push(said.text());
  });
  page.on('pageerror', (error) => page.complaints.push(String(error)));
  await page.addInitScript(ears);
  await page.goto(url);
  return page;
}
