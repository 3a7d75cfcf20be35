// SPDX-License-Identifier: AGPL-3.0-or-later
//
// An answer about a repository, as its events make it (docs/wiki.md, "Asking").
import type { ChatTurn } from '@/api/client';
import type { Piece } from '@/chat/stream';
import type { Lines } from './links';

export interface Source extends Lines {
  path: string;
  symbol: string;
}

export interface Answer {
  /** fetching: the repository itself is; cut: the stream ended without an end. */
  state: 'asked' | 'fetching' | 'looking' | 'reading' | 'writing' | 'done' | 'failed' | 'stopped' | 'cut';
  stage: string;
  percent: number | null;
  /** Of a research; 0: it is none. */
  round: number;
  lastRound: boolean;
  sources: Source[];
  notices: { cause: string; detail: string }[];
  model: string;
  text: string;
  removed: number;
  fault: string;
  detail: string;
}

export interface Asked {
  id: number;
  question: string;
  answer: Answer;
  /** The answer's, where it is kept. */
  turn?: number;
}
export interface Wanted {
  model: string;
  research: boolean;
  /** The file that is read beside it. */
  file: string;
}

export function newAnswer(): Answer {
  return { state: 'asked', stage: '', percent: null, round: 0, lastRound: false, sources: [], notices: [], model: '', text: '',
    removed: 0, fault: '', detail: '' };
}

export function isOver({ state }: Answer): boolean {
  return state === 'done' || state === 'failed' || state === 'stopped' || state === 'cut';
}

const textOf = (value: unknown): string => (typeof value === 'string' ? value : '');
const same = (a: Source, b: Source): boolean => a.path === b.path && a.first === b.first && a.last === b.last;

/** One event of the stream. What this page does not know it passes over. */
export function takeEvent(answer: Answer, event: Piece): void {
  if (isOver(answer)) return;
  switch (event.type) {
    case 'waiting':
      Object.assign(answer, { state: 'fetching', stage: textOf(event.stage), percent: typeof event.percent === 'number' ? event.percent : null });
      break;
    case 'start':
      answer.state = 'looking';
      break;
    case 'round':
      Object.assign(answer, { state: 'looking', round: Number(event.round) || 0, lastRound: event.last === true });
      if (answer.text && !answer.text.endsWith('\n\n')) answer.text += '\n\n';
      break;
    case 'context':
      answer.state = 'reading';
      for (const source of (event.sources ?? []) as Source[]) {
        if (!answer.sources.some((known) => same(known, source))) answer.sources.push(source);
      }
      break;
    case 'notice':
      answer.notices.push({ cause: textOf(event.cause), detail: textOf(event.detail) });
      break;
    case 'model':
      answer.model = [textOf(event.site), textOf(event.model)].filter(Boolean).join('/');
      break;
    case 'delta':
      answer.state = 'writing';
      answer.text += textOf(event.text);
      break;
    case 'done':
      Object.assign(answer, { state: 'done', removed: Number(event.removed) || 0 });
      break;
    case 'error':
      Object.assign(answer, { state: 'failed', fault: textOf(event.fault), detail: textOf(event.detail), removed: Number(event.removed) || 0 });
      break;
  }
}

export interface Turn {
  role: 'user' | 'assistant';
  content: string;
}

/** What was said so far, for a follow-up question: only what has an answer, the newest. */
export function historyOf(talk: { question: string; answer: Answer }[], longest = 20): Turn[] {
  return talk
    .filter(({ answer }) => answer.text.trim() !== '')
    .slice(-longest)
    .flatMap(({ question, answer }): Turn[] => [{ role: 'user', content: question }, { role: 'assistant', content: answer.text }]);
}

const ENDS = { complete: 'done', failed: 'failed', refused: 'failed', interrupted: 'stopped', cut_off: 'cut' } as const;

/** One that is kept, as far as it has come. */
/** `waits`: its repository is not here yet. */
export function answerOf({ status, content, found, site, model, detail }: ChatTurn, waits?: { stage: string; percent: number | null }): Answer {
  const underWay = waits ? 'fetching' : content ? 'writing' : found?.sources.length ? 'reading' : 'looking';
  return {
    ...newAnswer(),
    ...waits,
    state: status === 'streaming' ? underWay : ENDS[status],
    round: found?.round ?? 0,
    lastRound: found?.last ?? false,
    sources: found?.sources ?? [],
    notices: found?.notices ?? [],
    model: [site, model].filter(Boolean).join('/'),
    text: content,
    removed: found?.removed ?? 0,
    detail,
  };
}
