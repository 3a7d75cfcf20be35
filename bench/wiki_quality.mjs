// SPDX-License-Identifier: AGPL-3.0-or-later
//
// node bench/wiki_quality.mjs FOLDER: how well an index finds, beside BM25 over windows of 350 words.
//
// FOLDER holds real repositories, one folder each; which are missing is told and passed over:
//
//     apt-get source wget bison gawk coreutils findutils tar python-django    (their .orig.tar)
//     npm pack fastify
//
// unpacked as FOLDER/wget, FOLDER/bison … Each is copied without what its questions are made of
// (bench/wiki_questions.mjs), indexed, and asked. Prints a line of a table for each:
// recall@10 / MRR of plain windows, of words, and of words with the graph.
import { execFileSync } from 'node:child_process'
import { cpSync, existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'

import { ofChangeLog, ofDjango, ofFastify, unique } from './wiki_questions.mjs'

const WIKI = new URL('../build/release/bench/wiki', import.meta.url).pathname
const QUESTIONS = 300
const CHANGELOG = { ask: ofChangeLog, not: (at) => path.basename(at).startsWith('ChangeLog') }
const below = (folder) => (at) => at.split('/').slice(-1)[0] === folder

// What was looked at while the weights were chosen; the others were asked once, at the end.
const REPOSITORIES = {
    bison: { ...CHANGELOG, tuned: true },
    gawk: { ...CHANGELOG, tuned: true },
    'python-django': { ask: ofDjango, not: below('docs'), tuned: true },
    wget: CHANGELOG,
    coreutils: CHANGELOG,
    findutils: CHANGELOG,
    tar: CHANGELOG,
    fastify: { ask: ofFastify, not: below('docs') },
}

const run = (args, input) => JSON.parse(execFileSync(WIKI, args, { input, maxBuffer: 1 << 26 }).toString())
const figures = ({ recall10, mrr }) => `${recall10.toFixed(3)} / ${mrr.toFixed(3)}`

function judge(folder, { ask, not }, work) {
    const questions = unique(ask(folder), QUESTIONS)
    const tree = path.join(work, 'tree')
    const file = path.join(work, 'index.db')
    const plain = path.join(work, 'plain.db')
    cpSync(folder, tree, { recursive: true, filter: (at) => !not(at) })
    run(['index', '--tree', tree, '--file', file])
    run(['plain', '--windows', '--file', file, '--into', plain])
    return run(['ask', '--file', file, '--plain', plain], questions.map((q) => JSON.stringify(q)).join('\n') + '\n')
}

const from = process.argv[2]
if (!from) {
    console.error('usage: node bench/wiki_quality.mjs FOLDER')
    process.exit(2)
}
console.log('| repository | questions | plain windows | words | words + graph |\n| --- | --- | --- | --- | --- |')
for (const [name, how] of Object.entries(REPOSITORIES)) {
    const folder = path.join(from, name)
    if (!existsSync(folder)) {
        console.error(`${name}: not in ${from}`)
        continue
    }
    const work = mkdtempSync(path.join(tmpdir(), 'hutong-wiki-quality-'))
    const { questions, plain, words, fused } = judge(folder, how, work)
    console.log(`| ${name}${how.tuned ? ' *' : ''} | ${questions} | ${figures(plain)} | ${figures(words)} | ${figures(fused)} |`)
    rmSync(work, { recursive: true })
}
