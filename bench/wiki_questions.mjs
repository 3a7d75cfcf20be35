// SPDX-License-Identifier: AGPL-3.0-or-later
//
// Questions about real repositories, with the files that answer them, made by rule out of what
// their authors wrote:
//
// - a ChangeLog in GNU's form: what a change is about is the question, the files it changed are
//   the answer ("* src/tail.c (check_output_alive): …");
// - a reference: the first sentence on a method is the question, the file that defines it is the
//   answer.
//
// Names of the answer are taken out of the question: base names of its files, the name defined.
// What the questions come from is no part of the tree that is indexed.

import { existsSync, readFileSync, readdirSync } from 'node:fs'
import path from 'node:path'

const CODE = /\.(c|h|y|l|cc|hh|py|js)$/
const MIN_WORDS = 5, MAX_CHARS = 400, MAX_ANSWERS = 3

// Every so many, so that all times and parts have their share.
function spread(all, count) {
    if (all.length <= count) return all
    return Array.from({ length: count }, (_, i) => all[Math.floor((i * all.length) / count)])
}

const escaped = (text) => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')

function without(text, names) {
    for (const name of names) {
        text = text.replace(new RegExp(`(?<![A-Za-z0-9_])${escaped(name)}(?![A-Za-z0-9_])(\\(\\))?`, 'gi'), '')
    }
    return text.replace(/\s+/g, ' ').trim()
}

function question(text, files, names = []) {
    const bases = files.flatMap((file) => [path.basename(file), path.parse(file).name])
    text = without(text, [...files, ...bases, ...names]).slice(0, MAX_CHARS)
    return text.split(' ').filter((word) => /\p{L}{2}/u.test(word)).length >= MIN_WORDS
        ? { question: text, files }
        : null
}

// "* src/a.c, src/b.c (f, g): Text" and what stands above it in the same change.
export function ofChangeLog(folder, name = 'ChangeLog', base = '') {
    const found = []
    const changes = readFileSync(path.join(folder, name), 'utf8')
        .split(/^\d{4}-\d\d-\d\d\s.*$/m)
        .flatMap((day) => day.split(/\n\s*\n(?=\t[^*\s])|\n(?=\t\* )(?<=\n\s*\n)/))
    for (const change of changes) {
        const lines = change.split('\n').map((line) => line.trim())
        const star = lines.findIndex((line) => line.startsWith('* '))
        if (star < 0) continue
        const files = new Set()
        for (const line of lines.slice(star)) {
            const item = line.match(/^\* ([^:(]+)/)
            for (const file of item ? item[1].split(/,\s*/) : []) files.add(path.join(base, file.trim()))
        }
        const there = [...files].filter((file) => CODE.test(file) && existsSync(path.join(folder, file)) &&
            !/(^|\/)(tests?|testsuite|testenv)\//.test(file))
        if (there.length === 0 || there.length > MAX_ANSWERS) continue
        let text = lines.slice(0, star).filter(Boolean).join(' ').replace(/^[\w,.*/+ -]{1,40}: /, '')
        if (!text) {
            text = lines.slice(star).filter(Boolean).join(' ')
                .replace(/\* [^:(]+(\([^)]*\))?:/g, ' ').replace(/\([^()]*\): /g, ' ')
        }
        text = text.replace(/(Copyright-paperwork-exempt|Reported[- ]by|Thanks to|Signed-off-by|Closes:|https?:).*/i, '')
        const made = question(text, there)
        if (made) found.push(made)
    }
    return found
}

function filesBelow(folder, under, pattern) {
    return readdirSync(path.join(folder, under), { recursive: true })
        .map((name) => path.join(under, name))
        .filter((name) => pattern.test(name) && !/(^|\/)tests?\//.test(name))
}

// The files in which `patterns` of a name are found.
function definers(folder, files) {
    const texts = files.map((file) => [file, readFileSync(path.join(folder, file), 'utf8')])
    return (patterns) => texts.filter(([, text]) => patterns.some((p) => p.test(text))).map(([file]) => file)
}

const sentence = (text) => (text.replace(/\s+/g, ' ').match(/^.*?[.!?](?= |$)/) ?? [text])[0]

// What a directive names, and the first paragraph in it that is text.
function directives(lines) {
    const found = []
    lines.forEach((line, at) => {
        const named = line.match(/^( *)\.\. (?:method|function|class|templatefilter|templatetag):: ([\w.]+)/)
        if (!named) return
        while (lines[++at]?.trim() && lines[at].length < 400);
        while (lines[at]?.trim() === '') at++
        const body = []
        while (lines[at]?.trim() && lines[at].startsWith(`${named[1]} `)) body.push(lines[at++].trim())
        if (/^\w/.test(body[0] ?? '.')) found.push([named[2], body.join(' ')])
    })
    return found
}

// Django's reference: ".. method:: QuerySet.bulk_create(…)", then a paragraph.
export function ofDjango(folder) {
    const found = []
    const definedIn = definers(folder, filesBelow(folder, 'django', /\.py$/))
    for (const doc of filesBelow(folder, 'docs', /\.txt$/)) {
        if (/docs\/(releases|internals)\//.test(doc)) continue
        const text = readFileSync(path.join(folder, doc), 'utf8')
        for (const [full, body] of directives(text.split('\n'))) {
            const name = full.split('.').pop()
            if (name.length < 4) continue
            const files = definedIn([new RegExp(`^\\s*(async )?(def|class) ${escaped(name)}\\b`, 'm')])
            if (files.length === 0 || files.length > 2) continue
            const plain = sentence(body.replace(/:\w+:`~?([^`<]*)(<[^`]*>)?`/g, '$1').replace(/[`*]/g, ''))
            const made = question(plain, files, [name])
            if (made) found.push(made)
        }
    }
    return found
}

// Fastify's reference: "- `.code(statusCode)` - Sets …" and "### .code(statusCode)", a paragraph.
export function ofFastify(folder) {
    const found = []
    const definedIn = definers(folder, [...filesBelow(folder, 'lib', /\.js$/), 'fastify.js'])
    for (const doc of filesBelow(folder, 'docs/Reference', /\.md$/)) {
        const text = readFileSync(path.join(folder, doc), 'utf8')
        const parts = [
            ...text.matchAll(/^[-+*] `?\.?([\w.]+)(?:\([^`]*\))?`? ?[-:] ([A-Z][^]*?)(?=\n[-+*#]|\n\s*\n)/gm),
            ...text.matchAll(/^#{2,5} `?\.?([\w.]+)(?:\(.*\))?`?\n(?:<a .*\n)*\s*\n([A-Z][^]*?)\n\s*\n/gm),
        ]
        for (const [, full, body] of parts) {
            const name = full.split('.').pop()
            const n = escaped(name)
            if (name.length < 3) continue
            const files = definedIn([
                new RegExp(`(prototype\\.${n} *=|function ${n} *\\(|(this|fastify|Reply|instance)\\.${n} *=)`),
                new RegExp(`^ +(async |get )?${n} *(\\(.*\\) *\\{|: *(async )?(function|\\{|[a-z]\\w*,?$))`, 'm'),
                new RegExp(`^ +${n}: *\\{|\\b${n}: *createError|^ +${n}: *[a-zA-Z]`, 'm'),
            ])
            if (files.length === 0 || files.length > 2) continue
            const plain = sentence(body.replace(/\[([^\]]*)\]\([^)]*\)/g, '$1').replace(/[`*]/g, ''))
            const made = question(plain, files, [name])
            if (made) found.push(made)
        }
    }
    return found
}

export function unique(questions, count) {
    const seen = new Set()
    return spread(questions.filter((q) => !seen.has(q.question) && seen.add(q.question)), count)
}
