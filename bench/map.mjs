#!/usr/bin/env node
// SPDX-License-Identifier: AGPL-3.0-or-later
//
// bench/map.mjs: what a frame of the town's map costs, with made-up towns of 1,000 and 10,000.
//
//     make VARIANT=release all
//     bench/map.mjs [--server build/release/hutong] [--seconds 15] [1000 10000]
//
// Starts a server of its own, opens /t?demo=N in Chromium, lets the map run, and prints a table.
// `ours` is the time of our own code in a frame, `pixi` that of PixiJS up to the last call of
// WebGL; both are JavaScript on the thread that paints, by the wall clock: a machine that is busy with
// something else shows in them. Without a graphics card the processor paints, in Chromium's GPU
// process: that is in `frames/s`, and in the 95 % of `pixi` where it waits for the painter. Such
// frames/s say nothing of a machine with a card, neither good nor bad: measure there.
import { commandLine } from './support/options.mjs'
import { openBrowser } from '../tests/support/browser.mjs'
import { logIn, visit } from '../tests/support/app.mjs'
import { DEMO } from '../tests/support/town.mjs'

const { argv, option } = commandLine()
const seconds = Number(option('--seconds', '15'))
const sizes = argv.length ? argv.map(Number) : [1000, 10000]
if (!(seconds > 0) || sizes.some((size) => !(size >= 1 && size <= 10000))) {
    console.error('usage: bench/map.mjs [--server PATH] [--seconds N] [RESIDENTS...], at most 10000')
    process.exit(2)
}
const { startServer } = await import('../tests/support/server.mjs')

const names = ['fps', 'frames', 'update', 'update95', 'draw', 'draw95', 'residents', 'walking']
const read = async (page) => {
    const text = await page.locator('[data-town-debug]').textContent()
    return Object.fromEntries(names.map((name) => {
        const found = new RegExp(`\\b${name}=([\\d.]+)`).exec(text)
        if (!found) throw new Error(`no ${name} in: ${text}`)
        return [name, Number(found[1])]
    }))
}

async function measure(browser, server, size) {
    const page = await visit(browser, server, { calm: false })
    page.setDefaultTimeout(120_000)
    await logIn(page, server, DEMO.username, DEMO.password)
    await page.goto(`${server.url}/t?demo=${size}`)
    const map = page.getByRole('application')
    await map.waitFor()
    await page.waitForFunction(() => !document.querySelector('canvas').classList.contains('opacity-0'))
    await map.focus()
    await page.keyboard.press('d') // counts anew
    await new Promise((done) => setTimeout(done, seconds * 1000))
    const far = await read(page)
    // The same while the map is dragged: then everybody moves on the screen in every frame.
    await page.keyboard.press('d')
    await page.keyboard.press('d')
    const { x, y, width, height } = await map.boundingBox()
    await page.mouse.move(x + width / 2, y + height / 2)
    await page.mouse.down()
    const until = Date.now() + seconds * 1000
    for (let i = 0; Date.now() < until; i++) {
        await page.mouse.move(x + width / 2 + 90 * Math.sin(i / 9), y + height / 2 + 60 * Math.cos(i / 9))
    }
    await page.mouse.up()
    await page.waitForFunction((old) => document.querySelector('[data-town-debug]').textContent !== old,
        await page.locator('[data-town-debug]').textContent())
    const dragged = await read(page)
    const heap = await page.evaluate(() => performance.memory?.usedJSHeapSize ?? 0)
    if (page.complaints.length) throw new Error(page.complaints.join('\n'))
    if (far.residents !== size || far.frames < 3) throw new Error(`not measured: ${JSON.stringify(far)}`)
    await page.context().close()
    return { far, dragged, heap }
}

let server, browser
try {
    server = await startServer({ args: ['--demo'], env: { HUTONG_TOWN: 'off' } })
    browser = await openBrowser()
    console.log('| residents | walking | map | ours, ms: mean (95 %) | pixi, ms: mean (95 %) | frames/s | frames | heap, MB |')
    console.log('| --- | --- | --- | --- | --- | --- | --- | --- |')
    for (const size of sizes) {
        const { far, dragged, heap } = await measure(browser, server, size)
        for (const [what, of] of [['runs', far], ['is dragged', dragged]]) {
            console.log(`| ${size} | ${of.walking} | ${what} | ${of.update} (${of.update95}) | ${of.draw} (${of.draw95}) | ${of.fps} | ${of.frames} | ${Math.round(heap / 1e6)} |`)
        }
    }
} finally {
    await browser?.close()
    await server?.stop({ keepData: false })
}
