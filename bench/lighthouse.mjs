#!/usr/bin/env node
// SPDX-License-Identifier: AGPL-3.0-or-later
//
// bench/lighthouse.mjs: Lighthouse's scores of the app's pages, as a member sees them.
//
//     make VARIANT=release all
//     bench/lighthouse.mjs [--server build/release/hutong] [--runs 3] [--keep DIR] [/ /m/2 /t]
//
// --keep puts each run's report and trace there, to see what the time went on (Chromium's DevTools,
// Performance, Load profile). Starts a demo community of its own, logs in, and measures each page on Lighthouse's phone (a slow
// one, with a slow network) and its desktop, both simulated; prints the median of the runs. Lighthouse
// is fetched into build/lighthouse at the first call: it is four times as large as all that the tests
// need. The performance score takes the machine into account: a busy one lowers it.
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { commandLine } from './support/options.mjs'
import { browserFlags, findBrowser } from '../tests/support/browser.mjs'
import { logIn } from '../tests/support/app.mjs'
import { DEMO } from '../tests/support/town.mjs'
import { chromium } from '../tests/node_modules/playwright-core/index.mjs'

const VERSION = '12.8.2'
const CATEGORIES = ['performance', 'accessibility', 'best-practices']

const { argv, option } = commandLine()
const runs = Number(option('--runs', '3'))
const keep = option('--keep', '')
const pages = argv.length ? argv : ['/', '/m/2', '/t']
if (!(runs >= 1) || pages.some((page) => !page.startsWith('/'))) {
    console.error('usage: bench/lighthouse.mjs [--server PATH] [--runs N] [--keep DIR] [PAGE...]')
    process.exit(2)
}

async function fetchLighthouse() {
    const folder = resolve('build/lighthouse')
    if (!existsSync(join(folder, 'node_modules/lighthouse'))) {
        console.error(`fetching Lighthouse ${VERSION} into build/lighthouse`)
        const npm = spawnSync('npm', ['install', '--prefix', folder, '--no-audit', '--no-fund', '--loglevel=error',
            `lighthouse@${VERSION}`], { stdio: 'inherit' })
        if (npm.status !== 0) throw new Error('npm could not fetch Lighthouse')
    }
    const load = (file) => import(pathToFileURL(join(folder, 'node_modules/lighthouse/core', file)).href)
    return { ...await load('index.js'), ...await load('runner.js'), ...await load('config/config.js') }
}

const { default: lighthouse, desktopConfig, Runner, initializeConfig } = await fetchLighthouse()
const { startServer } = await import('../tests/support/server.mjs')
const median = (values) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]

/** As at a first visit, but for the log-in: nothing is kept of the app. */
async function forget(page) {
    const session = await context.newCDPSession(page)
    await session.send('Network.clearBrowserCache')
    await session.send('Storage.clearDataForOrigin', { origin: server.url, storageTypes: 'cache_storage,service_workers' })
    await session.detach()
}

/** The score if each task had taken the processor time that it used, and no other program's. */
async function onProcessorTime(artifacts, flags, config) {
    for (const event of artifacts.Trace.traceEvents) {
        if (event.ph === 'X' && event.tdur !== undefined) event.dur = Math.min(event.dur, event.tdur)
    }
    const { resolvedConfig } = await initializeConfig('navigation', config, flags)
    const { lhr } = await Runner.audit(artifacts, { resolvedConfig, computedCache: new Map() })
    return { score: Math.round(lhr.categories.performance.score * 100), blocked: lhr.audits['total-blocking-time'].numericValue }
}

/** The trace's buffer may run over, and with it goes its beginning: then once more. */
async function measureAgain(...args) {
    for (let tries = 0; ; tries++) {
        try {
            return await measure(...args)
        } catch (error) {
            if (tries === 2) throw error
            console.error(String(error))
        }
    }
}

async function measure(url, port, config, name) {
    await forget(first)
    const flags = { port, onlyCategories: CATEGORIES, disableStorageReset: true, logLevel: 'error', output: 'json' }
    const { lhr, artifacts } = await lighthouse(url, flags, config)
    if (lhr.runtimeError) throw new Error(`${url}: ${lhr.runtimeError.message}`)
    if (keep) {
        await writeFile(join(keep, `${name}.report.json`), JSON.stringify(lhr))
        await writeFile(join(keep, `${name}.trace.json`), JSON.stringify(artifacts.Trace))
    }
    const complaints = Object.values(lhr.audits).filter(({ id, score }) => score !== null && score < 0.9 &&
        CATEGORIES.slice(1).some((name) => lhr.categories[name].auditRefs.some((ref) => ref.id === id && ref.weight > 0)))
    return {
        scores: CATEGORIES.map((name) => Math.round(lhr.categories[name].score * 100)),
        first: lhr.audits['first-contentful-paint'].numericValue,
        largest: lhr.audits['largest-contentful-paint'].numericValue,
        blocked: lhr.audits['total-blocking-time'].numericValue,
        alone: await onProcessorTime(artifacts, flags, config),
        index: lhr.environment.benchmarkIndex,
        shift: lhr.audits['cumulative-layout-shift'].numericValue,
        complaints: complaints.map(({ id }) => id),
    }
}

if (keep) await mkdir(keep, { recursive: true })
const profile = await mkdtemp(join(tmpdir(), 'hutong-lighthouse-'))
const server = await startServer({ args: ['--demo'], env: { HUTONG_TOWN: 'on', HUTONG_TOWN_SPEED: '60' } })
const context = await chromium.launchPersistentContext(profile, {
    executablePath: findBrowser(), chromiumSandbox: false, args: [...browserFlags, '--remote-debugging-port=0'],
})
const first = await context.newPage()
try {
    await logIn(first, server, DEMO.username, DEMO.password)
    const port = Number((await readFile(join(profile, 'DevToolsActivePort'), 'utf8')).split('\n')[0])
    console.log(`Lighthouse ${VERSION}, medians of ${runs}`)
    console.log('page     on       performance  accessibility  best practices  FCP ms  LCP ms  TBT ms    CLS  on processor time: performance  TBT ms')
    for (const page of pages) {
        for (const [on, config] of [['phone', undefined], ['desktop', desktopConfig]]) {
            const all = []
            for (let i = 0; i < runs; i++) all.push(await measureAgain(server.url + page, port, config, `${page.replaceAll('/', '_')}-${on}-${i}`))
            const of = (read) => median(all.map(read))
            const ms = (name) => String(Math.round(of((one) => one[name]))).padStart(7)
            const score = (at, width) => String(of((one) => one.scores[at])).padStart(width)
            console.log(`${page.padEnd(8)} ${on.padEnd(8)} ${score(0, 11)}  ${score(1, 13)}  ${score(2, 14)} ${ms('first')} ${ms('largest')} ${ms('blocked')}  ${of((one) => one.shift).toFixed(3)} ${String(of((one) => one.alone.score)).padStart(30)} ${String(Math.round(of((one) => one.alone.blocked))).padStart(7)}`)
            const complaints = [...new Set(all.flatMap((one) => one.complaints))]
            if (complaints.length) console.log(`         below 90: ${complaints.join(', ')}`)
        }
    }
} finally {
    await context.close()
    await server.stop()
    await rm(profile, { recursive: true, force: true })
}
