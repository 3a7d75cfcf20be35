#!/usr/bin/env node
// SPDX-License-Identifier: AGPL-3.0-or-later
//
// bench/tokens.mjs: how far llm/tokens.c is from what tokenizers count, and the weights that
// bring it nearest.
//
//     make VARIANT=release build/release/bench/tokens
//     mkdir -p build/tokens && cd build/tokens
//     npm install --prefix . gpt-tokenizer@4.0.0
//     apt-get download debian-faq{,-zh-cn,-ko,-ja,-ru,-de} debian-reference-zh-cn \
//         developers-reference{,-ja,-ru,-fr} fortunes fortunes-min fortunes-zh \
//         iso-codes libreoffice-help-{el,hi}
//     for deb in *.deb; do dpkg -x "$deb" texts; done
//     cd ../.. && bench/tokens.mjs build/tokens [--fit]
//
// Texts are cut into pieces of about 2,000 characters. Even pieces serve to find the weights
// (--fit prints them), odd ones to judge: what the table says was measured on texts the weights
// have not seen. Everyday texts (the last rows) take no part in the fit at all.
import { spawnSync } from 'node:child_process'
import { readFileSync, readdirSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { gunzipSync } from 'node:zlib'

const root = resolve(import.meta.dirname, '..')
const [folder, mode] = process.argv.slice(2)
if (!folder || (mode && mode !== '--fit')) {
    console.error('usage: bench/tokens.mjs FOLDER [--fit]; how to fill FOLDER stands in its head')
    process.exit(2)
}
const texts = join(folder, 'texts/usr/share')
const load = (name) =>
    import(resolve(folder, `node_modules/gpt-tokenizer/esm/encoding/${name}.js`))
const o200k = await load('o200k_base')
const cl100k = await load('cl100k_base')

const read = (path) => {
    const bytes = readFileSync(path)
    return (path.endsWith('.gz') ? gunzipSync(bytes) : bytes).toString()
}

const tree = (path, pattern) =>
    readdirSync(path, { recursive: true })
        .filter((name) => pattern.test(name) && !name.includes('node_modules'))
        .sort()
        .map((name) => readFileSync(join(path, name), 'utf8'))
        .join('\n')

// Paragraphs as a person would write them: not wrapped, not indented, no tables and rules.
function prose(path, between = ' ') {
    return read(path)
        .split(/\n\s*\n/)
        .map((text) => text.trim().replace(/\s*\n\s*/g, between))
        .filter((text) => text.length > 60 && !/[─-╿]|\.{4}|-{5}|={5}|[-|+]{3}/.test(text))
        .join('\n\n')
}

const emoji = Array.from({ length: 16000 }, (_, i) =>
    i % 4 === 3 ? ' ok ' : String.fromCodePoint(0x1f600 + ((i * 7) % 80))).join('')

const faq = (language) => join(texts, `doc/debian/FAQ/debian-faq.${language}.txt.gz`)
const reference = (file) => join(texts, 'developers-reference', file)
const fortunes = (name, keep = () => true) =>
    read(join(texts, 'games/fortunes', name)).split('\n%\n').filter(keep).join('\n')
// That file holds sayings, poems, and pages of the Debian reference, which is above.
const isChinese = (text) => text.replace(/[^一-鿿]/g, '').length > 0.6 * text.length

function help(language) {
    const folder = join(texts, `libreoffice/help/${language}/text/shared/guide`)
    return readdirSync(folder).sort()
        .map((name) => readFileSync(join(folder, name), 'utf8'))
        .map((page) => page.slice(page.indexOf('id="DisplayArea"'), page.indexOf('<footer')))
        .map((page) => page.replace(/^[^>]*>|<script[^]*?<\/script>|<[^>]*>/g, ' ').replace(/\s+/g, ' '))
        .join('\n')
}

// name, text, whether it takes part in the fit
const kinds = [
    ['English', prose(faq('en')) + prose(reference('developers-reference.txt.gz')), true],
    ['Chinese', prose(faq('zh-cn'), '')
        + prose(join(texts, 'debian-reference/debian-reference.zh-cn.txt.gz'), ''), true],
    ['C', tree(join(root, 'src'), /\.[ch]$/), true],
    ['JavaScript', tree(join(root, 'tests'), /\.mjs$/), true],
    ['SQL, shell', tree(join(root, 'migrations'), /\.sql$/) + tree(join(root, 'tools'), /\.sh$/), true],
    ['Markdown', tree(join(root, 'docs'), /\.md$/), true],
    ['JSON', tree(join(texts, 'iso-codes/json'), /\.json$/), true],
    ['Japanese', prose(faq('ja'), '') + prose(reference('ja/developers-reference.txt.gz'), ''), true],
    ['Korean', prose(faq('ko')), true],
    ['Russian', prose(faq('ru')) + prose(reference('ru/developers-reference.txt.gz')), true],
    ['German', prose(faq('de')), true],
    ['French', prose(reference('fr/developers-reference.txt.gz')), true],
    ['Greek', help('el'), true],
    ['Hindi', help('hi'), true],
    ['emoji', emoji, true],
    ['English sayings', fortunes('fortunes'), false],
    ['English stories', fortunes('wisdom') + fortunes('love') + fortunes('people'), false],
    ['Chinese sayings', fortunes('chinese', (text) => isChinese(text) && !text.includes('《')), true],
    ['Chinese poems', fortunes('chinese', (text) => isChinese(text) && text.includes('《')), false],
]

const PIECE = 2000
const PIECES_MAX = 200
const samples = []
for (const [kind, text, fit] of kinds) {
    const chars = [...text.replaceAll('\0', ' ')]
    const count = Math.max(1, Math.floor(chars.length / PIECE))
    const step = Math.max(1, Math.floor(count / PIECES_MAX))
    for (let i = 0, n = 0; i < count; i += step, n++) {
        samples.push({ kind, fit: fit && n % 2 === 0, judge: !fit || n % 2 === 1,
            text: chars.slice(i * PIECE, (i + 1) * PIECE).join('') })
    }
}

const tool = join(root, 'build/release/bench/tokens')
const ran = spawnSync(tool, {
    input: samples.map((sample) => sample.text + '\0').join(''),
    maxBuffer: 1 << 28,
})
if (ran.status !== 0) throw new Error(`${tool}: ${ran.error ?? ran.stderr}`)
const lines = ran.stdout.toString().trim().split('\n')
if (lines.length !== samples.length) throw new Error('not one line for each text')
const counts = lines.map((line) => JSON.parse(line))
samples.forEach((sample, i) => {
    const { bytes, estimate, ...classes } = counts[i]
    Object.assign(sample, { bytes, estimate, classes: Object.values(classes) })
    sample.o200k = o200k.encode(sample.text).length
    sample.cl100k = cl100k.encode(sample.text).length
})
const names = Object.keys(counts[0]).slice(2)

// Weights, none below 0, with the least sum of squared relative errors: coordinate descent. Each
// kind of text counts the same, however much there is of it.
// A group of digits is one token by the tokenizers' rules; left free it would take the blame for
// what stands around numbers in JSON.
const given = { digits: 1 }

function fitted(rows) {
    const share = {}
    rows.forEach((row) => { share[row.kind] = (share[row.kind] ?? 0) + 1 })
    const scaled = rows.map((row) => {
        const by = Math.sqrt(1 / share[row.kind])
        return { target: by, at: row.classes.map((count) => by * count / row.o200k) }
    })
    const weights = names.map((name) => given[name] ?? 0.5)
    for (let round = 0; round < 20000; round++) {
        const k = round % names.length
        if (names[k] in given) continue
        let over = 0
        let under = 1e-12
        for (const { target, at } of scaled) {
            if (at[k] === 0) continue
            let others = target
            for (let j = 0; j < at.length; j++) if (j !== k) others -= weights[j] * at[j]
            over += others * at[k]
            under += at[k] * at[k]
        }
        weights[k] = Math.max(0, over / under)
    }
    return weights
}

const percent = (value) => `${value < 0 ? '−' : value > 0 ? '+' : ''}${Math.abs(100 * value).toFixed(1)}`

function row(name, rows) {
    const errors = (encoding, of) => rows.map((one) => (of(one) - one[encoding]) / one[encoding])
    const summary = (list) => {
        const sum = list.reduce((a, b) => a + b, 0)
        const worst = list.reduce((a, b) => (Math.abs(b) > Math.abs(a) ? b : a), 0)
        return `${percent(sum / list.length)} | ${percent(worst)}`
    }
    const mean = errors('o200k', (one) => one.estimate).map(Math.abs)
    return `| ${name} | ${rows.length} | ${summary(errors('o200k', (one) => one.estimate))} | `
        + `${(100 * mean.reduce((a, b) => a + b, 0) / mean.length).toFixed(1)} | `
        + `${summary(errors('cl100k', (one) => one.estimate))} | `
        + `${summary(errors('o200k', (one) => one.bytes / 3.8))} |`
}

if (mode === '--fit') {
    const weights = fitted(samples.filter((sample) => sample.fit))
    names.forEach((name, k) => console.log(`${name}: ${Math.round(1000 * weights[k])}`))
} else {
    console.log('| text | pieces | o200k mean % | worst % | mean of absolute % | cl100k mean % '
        + '| worst % | bytes/3.8, o200k mean % | worst % |')
    console.log('|---|---|---|---|---|---|---|---|---|')
    for (const [kind] of kinds) {
        console.log(row(kind, samples.filter((one) => one.kind === kind && one.judge)))
    }
}
