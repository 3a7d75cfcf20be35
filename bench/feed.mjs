#!/usr/bin/env node
// SPDX-License-Identifier: AGPL-3.0-or-later
//
// bench/feed.mjs: whether the feed can be scrolled to its end without keeping anybody waiting.
//
//     make VARIANT=release all
//     bench/feed.mjs [--server build/release/hutong] [--posts 10000]
//
// Fills a community of its own, opens the feed in Chromium as a member, on a phone's screen and a
// desktop's, and turns the wheel, 600 px a frame, until every post has been in sight. Prints how many
// of them were in the page at once, and the tasks of more than 50 ms that the page's thread had while
// it scrolled (Long Tasks API: by the clock, so a busy machine shows in them); those of the start are
// not counted. The last half is told apart: there all that was loaded before weighs most.
import { spawnSync } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { commandLine } from './support/options.mjs'
import { openBrowser } from '../tests/support/browser.mjs'
import { logIn, visit } from '../tests/support/app.mjs'

const { argv, option } = commandLine()
const posts = Number(option('--posts', '10000'))
if (argv.length || !(posts >= 100)) {
    console.error('usage: bench/feed.mjs [--server PATH] [--posts N]')
    process.exit(2)
}
const { startServer } = await import('../tests/support/server.mjs')

async function scroll(page) {
    return page.evaluate(async (wanted) => {
        const tasks = []
        new PerformanceObserver((list) => tasks.push(...list.getEntries().map(({ duration }) => duration)))
            .observe({ type: 'longtask' })
        const frame = () => new Promise((done) => requestAnimationFrame(done))
        const seen = new Set()
        let most = 0, frames = 0, half = null, idle = 0
        const began = performance.now()
        while (seen.size < wanted && idle < 600) {
            const before = seen.size
            const all = document.querySelectorAll('[data-index]')
            for (const one of all) seen.add(one.dataset.index)
            most = Math.max(most, all.length)
            if (half === null && seen.size >= wanted / 2) half = tasks.length
            window.scrollBy(0, 600)
            await frame()
            frames += 1
            idle = seen.size > before ? 0 : idle + 1
        }
        await new Promise((done) => setTimeout(done, 500))
        return { seen: seen.size, most, frames, seconds: (performance.now() - began) / 1000, tasks, half: half ?? tasks.length }
    }, posts)
}

const folder = await mkdtemp(join(tmpdir(), 'hutong-feed-'))
const filled = spawnSync(process.env.HUTONG_BIN, ['bench-data', '--data', folder, '--members', '100', '--posts', String(posts),
    '--partners', '1', '--messages', '1'], { encoding: 'utf8' })
if (filled.status !== 0) throw new Error(filled.stderr)
const { username, password } = Object.fromEntries(new URLSearchParams(JSON.parse(filled.stdout).login_body.replace('%d', '1')))
const server = await startServer({ dataDir: folder, env: { HUTONG_TOWN: 'off', HUTONG_RATE_READ: '0' } })
const browser = await openBrowser()
try {
    console.log('| screen | posts seen | in the page at once | frames/s | tasks over 50 ms | longest | of these in the last half |')
    console.log('| --- | --- | --- | --- | --- | --- | --- |')
    for (const phone of [true, false]) {
        const page = await visit(browser, server, { phone })
        page.setDefaultTimeout(120_000)
        await logIn(page, server, username, password)
        await page.locator('[data-index="5"]').waitFor()
        const { seen, most, frames, seconds, tasks, half } = await scroll(page)
        const longest = Math.round(Math.max(0, ...tasks))
        console.log(`| ${phone ? 'phone' : 'desktop'} | ${seen} | ${most} | ${(frames / seconds).toFixed(0)} | ${tasks.length} | ${longest} ms | ${tasks.length - half} |`)
        await page.context().close()
    }
} finally {
    await browser.close()
    await server.stop()
    await rm(folder, { recursive: true, force: true })
}
