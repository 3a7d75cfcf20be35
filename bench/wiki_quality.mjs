// SPDX-License-Identifier: AGPL-3.0-or-later
//
// node bench/wiki_quality.mjs FOLDER [EMBEDDER PACKAGES]: how well an index finds, beside BM25 over
// windows of 350 words. EMBEDDER is one of bench/wiki_embedder.mjs, whose npm packages lie in PACKAGES.
//
// FOLDER holds real repositories, one folder each; which are missing is told and passed over:
//
//     apt-get source wget bison gawk coreutils findutils tar python-django    (their .orig.tar)
//     npm pack fastify
//
// unpacked as FOLDER/wget, FOLDER/bison … Each is copied without what its questions are made of
// (bench/wiki_questions.mjs), indexed, and asked. Prints a line of a table for each:
// recall@10 / MRR of plain windows, of words, of words with the graph, and with an embedder of vectors
// alone and of all three.
import { execFileSync } from 'node:child_process'
import { cpSync, existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'

import { openEmbedder } from './wiki_embedder.mjs'
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

const say = (args, input) => execFileSync(WIKI, args, { input, maxBuffer: 1 << 30 }).toString()
const run = (args, input) => JSON.parse(say(args, input))
const lines = (list) => list.map((one) => `${JSON.stringify(one)}\n`).join('')
const figures = ({ recall10, mrr }) => `${recall10.toFixed(3)} / ${mrr.toFixed(3)}`

// Vectors of all chunks into a file, and each question its own.
async function embed(embedder, file, vectors, questions) {
    const chunks = say(['texts', '--file', file, '--vectors', vectors]).split('\n').filter(Boolean).map((line) => JSON.parse(line))
    const made = await embedder(chunks.map(({ text }) => text))
    run(['vectors', '--file', file, '--vectors', vectors], lines(chunks.map(({ key }, i) => ({ key, vector: [...made[i]] }))))
    for (const question of questions) question.vector = [...(await embedder([question.question]))[0]]
}

async function judge(folder, { ask, not }, work, embedder) {
    const questions = unique(ask(folder), QUESTIONS)
    const tree = path.join(work, 'tree')
    const file = path.join(work, 'index.db')
    const plain = path.join(work, 'plain.db')
    cpSync(folder, tree, { recursive: true, filter: (at) => !not(at) })
    run(['index', '--tree', tree, '--file', file])
    run(['plain', '--windows', '--file', file, '--into', plain])
    const vectors = path.join(work, 'vectors.db')
    if (embedder) await embed(embedder, file, vectors, questions)
    return run(['ask', '--file', file, '--plain', plain, ...(embedder ? ['--vectors', vectors] : [])], lines(questions))
}

const [from, name, packages] = process.argv.slice(2)
if (!from || (name && !packages)) {
    console.error('usage: node bench/wiki_quality.mjs FOLDER [use|glove PACKAGES]')
    process.exit(2)
}
const columns = ['repository', 'questions', 'plain windows', 'words', 'words + graph', ...(name ? [name, 'all'] : [])]
console.log(`| ${columns.join(' | ')} |\n|${' --- |'.repeat(columns.length)}`)
for (const [repository, how] of Object.entries(REPOSITORIES)) {
    const folder = path.join(from, repository)
    if (!existsSync(folder)) {
        console.error(`${repository}: not in ${from}`)
        continue
    }
    const work = mkdtempSync(path.join(tmpdir(), 'hutong-wiki-quality-'))
    const embedder = name ? await openEmbedder(name, packages) : undefined
    const { questions, ...by } = await judge(folder, how, work, embedder)
    const judged = [by.plain, by.words, by.words_graph, ...(embedder ? [by.vectors, by.fused] : [])]
    console.log(`| ${[repository + (how.tuned ? ' *' : ''), questions, ...judged.map(figures)].join(' | ')} |`)
    rmSync(work, { recursive: true })
}
