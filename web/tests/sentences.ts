// SPDX-License-Identifier: AGPL-3.0-or-later
//
// The sentences that the server can say to a member through the app, out of its source: every literal
// of src/ with two words in it, but those that stand in LEFT_OUT, each with the reason. A sentence that
// somebody adds is therefore missed by default, and never forgotten.
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const src = fileURLToPath(new URL('../../src', import.meta.url));

export interface Literal {
  /** 'room/file.c' */
  file: string;
  line: number;
  text: string;
  /** The functions and macros whose arguments it is in, the innermost last. */
  calls: string[];
  /** The enum err that stands before it in the same call, or ''. */
  code: string;
}

const TOKEN = /\/\*[\s\S]*?\*\/|\/\/[^\n]*|"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'|\w+|\s+|./g;
/** What <inttypes.h> says on this machine is of no weight: a number is a number. */
const PRINTED = /^PRI([duxX])\d+$/;
const ESCAPES: Record<string, string> = { n: '\n', t: '\t', r: '\r', 0: '\0' };

function textOf(literal: string): string {
  return literal.slice(1, -1).replace(/\\(x[0-9a-fA-F]{1,2}|[0-7]{1,3}|.)/g, (_, kind: string) => ESCAPES[kind] ?? (kind.length > 1 ? ' ' : kind));
}

/** Adjacent ones, over lines and through PRIu64, are one. */
export function literalsOf(code: string, file = ''): Literal[] {
  const found: Literal[] = [];
  const open: { name: string; code: string }[] = [];
  let last = '';
  let line = 1;
  let growing: Literal | null = null;
  for (const [token] of code.matchAll(TOKEN)) {
    const printed = PRINTED.exec(token);
    if (/^\s|^\/[/*]/.test(token)) {
      line += token.split('\n').length - 1;
      continue;
    }
    if (token.startsWith('"')) {
      growing ??= { file, line, text: '', calls: open.map(({ name }) => name).filter((name) => /^\w/.test(name)), code: open.at(-1)?.code ?? '' };
      growing.text += textOf(token);
    } else if (printed && growing) {
      growing.text += `ll${printed[1]}`;
    } else {
      if (growing) found.push(growing);
      growing = null;
      if (token === '(' || token === '{') open.push({ name: token === '(' ? last : token, code: '' });
      else if (token === ')' || token === '}') open.pop();
      else if (token.startsWith('ERR_') && open.length) open.at(-1)!.code = token;
    }
    last = token;
  }
  if (growing) found.push(growing);
  return found;
}

interface Reason {
  why: string;
  files?: RegExp;
  calls?: RegExp;
  codes?: RegExp;
  texts?: RegExp;
}

/** What no member is shown by the app. One reason leaves out what fits all that it names. */
export const LEFT_OUT: Reason[] = [
  // ---- whole files
  { why: 'command line, start and doctor: read in a terminal', files: /^app\// },
  { why: 'settings, keys, log files and sockets of the process: read in a terminal or a log', files: /^base\/(settings|log|version|embedded|rng|clock)\.c$|^auth\/keyring\.c$|^hub\/|^io\/|^llm\/(site|journal|prices|grammar|tally)\.c$|^http\/header\.c$/ },
  { why: 'under the aggregates of the store: ERR_IO and ERR_CORRUPT get the sentence of api/respond.c', files: /^store\/(backup\w*|db|db_url|dump|checksum|migrate|inspect|sql|store|writer|internal|community|events)\.c$/ },
  { why: 'the town itself knows no members: its callers ask what it can do', files: /^town\// },
  { why: 'experiments and files of towns are made on the command line', files: /^townhall\/(experiment|study|report|replay|town_file|branch|crew|lines|holder|cast|asker|minds|mind_journal)\.c$/ },
  { why: 'prompts for models and facts about residents, in the language they speak', files: /^townhall\/(model_mind|decision|day_plan|extras|talk|words|prompt|phrases|routine|lore|log|between|recall)\.c$|^wiki\/(prompt|scribe_plan|context|clue)\.c$/ },
  { why: 'what the engine without a model writes is content', files: /^llm\/offline\.c$|^wiki\/(outline|outline_pages|book_export|old_export)\.c$/ },
  { why: 'for programs that speak the interface of OpenAI; the app does not', files: /^api\/gateway\w*\.c$|^llm\/convert\.c$/ },
  { why: 'for the pages of an older wiki; the app does not call them', files: /^api\/(wiki_compat\w*|wiki_old\w*)\.c$|^wiki\/(old_\w+|listing)\.c$/ },
  { why: 'the description of the API and its metrics', files: /^api\/(openapi|routes|metrics\w*|service)\.c$/ },
  { why: 'protocol of live connections: live/ acts on codes, nobody reads the sentence', files: /^http\/ws\w*\.c$|^api\/(live_topics)\.c$|^auth\/ticket\.c$/ },
  { why: 'forms and addresses are made by the browser, and never so', files: /^http\/(multipart|url|reply)\.c$/ },
  { why: 'why a token does not fit is only logged: api/tokens.c asks to sign in', files: /^auth\/(token|pass)\.c$/ },
  { why: 'words that are looked for in texts, not said', files: /^wiki\/(diagram\w*|leave|imports\w*|cite|split\w*|symbols|stem|locale|file_kind)\.c$/ },

  { why: 'a database is opened at the start, and read in a terminal', files: /^store\/db_\w+\.c$/, texts: /^(the file %s %s|the database %s cannot|is locked by)/ },

  // ---- calls
  { why: 'for the log', calls: /^log_\w+$/ },
  { why: 'assertions', calls: /^(static_assert|ASSERT|assert)$/ },
  { why: 'SQL and options of libraries', calls: /^(run|prepare|number|run_text|sqlite3_\w+|db_query_text|curl_easy_setopt|fprintf|strlen)$/ },
  { why: 'SQL, headers and JSON', texts: /^\s*(SELECT|INSERT|UPDATE|DELETE|PRAGMA|CREATE|ATTACH|DROP|BEGIN|WITH|VALUES|SET|START|SAVEPOINT|RELEASE|ROLLBACK)\b|^(\r\n)?[A-Z][\w-]+: ?$|^HTTP\/1\.1 |^\{"|no-cache|max-age|^(text|image|application)\// },
  { why: 'answers to mistakes in frames of the app itself', files: /^api\/(live|chat_ws)\.c$/, calls: /^(live_send_error|live_close|refuse_ws|send_error|refuse_chat)$/ },
  { why: 'inner trouble: respond_problem() says another sentence', files: /^(api|auth|base|community|store)\//, codes: /^ERR_(IO|CORRUPT|CANCELLED)$/ },
  { why: 'the same', files: /^(community\/(picture|shelf)|api\/(files|spool|admin_backups))\.c$/, calls: /^(picture_disk_failed|shelf_failed|failed)$/ },
  { why: 'how the JSON of a model differs from what was asked: told to the model, in English', files: /^llm\/schema\.c$/ },
  { why: 'what was wrong with an answer: llm_fault_sentence() says it for people', files: /^llm\/(reader|sse|ndjson|whole|think|provider\w*|embed|request|probe)\.c$/ },

  // ---- words that are not said
  { why: 'instructions for models', files: /^(api\/(admin_draft|admin_models|chat_title)|llm\/ask|wiki\/(scribe_page|embedder|ask)|townhall\/pictures)\.c$/, texts: /^(You (fill|write|name)|Say: |Question:|Then, on|That is not what|Represent this|Instruct: |The repository is|Continue the research|## |%\.\*s, %\.\*s in a small town|(at|in the) (night|early|morning|afternoon|evening)|a lane of|everyday life)/ },
  { why: 'who settles in a new community, in its language', files: /^community\/settlers\.c$/, texts: /^(?!已|地点)/ },
  { why: 'what providers say of what a model lacks, to be recognized', files: /^llm\/repair\.c$/ },
  { why: 'what providers say, to be recognized', files: /^llm\/fault\.c$/, texts: /^(is not supported|not support|api key|incorrect|model not exist|context|prompt is|exceeds|Range|model not found|does not exist|supported|is not a valid|no models loaded|no endpoints|(page |file |resource )?not found$|invalid URL|unexpected endpoint|method not allowed|cannot (GET|POST)|no route|try pulling|insufficient|rate limit)/ },
  { why: 'what git says, to be recognized', files: /^wiki\/git(_\w+)?\.c$/, texts: /^(remote: |Receiving|Resolving|returned error|No space|Disk quota|died of|File too|[oO]ut of memory|could not read|Authentication failed|Permission denied|Host key|couldn't find|not our ref|unadvertised|' not found|Repository not found|does not appear|not valid: is|Could not|Connection refused|Failed to|Couldn't connect|No route|Network is|timed out|too slow|dumb http|fsck error|not a git|bad (object|config)|unable to read|object file|did not send|<= Recv|ref: |\[safe\]|GIT_SSH|blob:|git version)/ },
  { why: 'names of languages', files: /^wiki\/language\.c$/ },
  { why: 'headers and addresses', texts: /^(attachment; |default-src |=%s; Path|<html |about:blank|urn:|https?:\/\/|Live-Position|Disallowed CORS)/ },
  { why: 'the log of what moderators did, and exports, are data', files: /^(community\/about|api\/chat_export|api\/takeaway)\.c$/, calls: /^buf_printf$/ },
  { why: 'stands in the reasoning of a model, in both languages', files: /^api\/chat_run\.c$/, texts: /^\s*\[余下的思考/ },
  { why: 'HTTP as no browser speaks it', files: /^http\/server\.c$/, texts: /line of the request|NUL byte|header|Host|HTTP\/1|transfer coding|Transfer-Encoding|framed/ },
  { why: 'words of states and of settings that the app has its own for', files: /^api\/(admin_settings|health|live|chat_ws)\.c$/, texts: /^(command line|not set|not ready|too many messages a second|Invalid ticket|Missing token|Invalid token|token expired|the database answers|the database server writes by itself|changes are written|%llu MiB are free|the server takes requests)/ },
];

function isLeftOut({ file, calls, code, text }: Literal): boolean {
  return LEFT_OUT.some(
    (one) => (one.files?.test(file) ?? true) && (!one.calls || calls.some((name) => one.calls!.test(name))) && (one.codes?.test(code) ?? true) && (one.texts?.test(text) ?? true),
  );
}

export function everyLiteral(): Literal[] {
  const files = (readdirSync(src, { recursive: true }) as string[]).filter((file) => file.endsWith('.c')).sort();
  return files.flatMap((file) => literalsOf(readFileSync(path.join(src, file), 'utf8'), file));
}

/** One word is a name of something; two may be a sentence. */
export const allLiterals = (): Literal[] => everyLiteral().filter(({ text }) => /\w[\s,:;]+\w|^(entry|line) %zu[ :]/.test(text));

export const sentences = (): Literal[] => allLiterals().filter((one) => !isLeftOut(one));
