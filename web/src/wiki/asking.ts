// SPDX-License-Identifier: AGPL-3.0-or-later
//
// Questions to a repository and their answers, as long as somebody is in it. Who goes, or stops, ends
// the answer at the server too.
import { onScopeDispose, reactive, ref, watch } from 'vue';
import { useI18n } from 'vue-i18n';
import { authorized, errorOf } from '@/api/client';
import { readBlocks } from '@/chat/stream';
import { sentenceOf } from '@/text/faults';
import { historyOf, isOver, newAnswer, takeEvent, type Answer } from './answer';

export interface Asked {
  id: number;
  question: string;
  answer: Answer;
}
export interface Wanted {
  model: string;
  research: boolean;
  /** The file that is read beside it. */
  file: string;
}

export function useAsking(wiki: () => number) {
  const { t } = useI18n();
  const talk = reactive<Asked[]>([]);
  const busy = ref(false);
  let stream: AbortController | null = null;
  let count = 0;

  async function hear(question: string, { model, research, file }: Wanted, answer: Answer, signal: AbortSignal): Promise<void> {
    const body = { question, history: historyOf(talk.slice(0, -1)), research, ...(model && { model }), ...(file && { file }) };
    const reply = await authorized(new Request(`/wikis/${wiki()}/ask`, {
      method: 'POST', body: JSON.stringify(body), headers: { 'Content-Type': 'application/json' }, signal,
    }));
    if (!reply.ok || !reply.body) throw errorOf(reply, await reply.json().catch(() => null));
    await readBlocks(reply.body, (event) => takeEvent(answer, event));
    if (!isOver(answer)) answer.state = 'cut';
  }

  async function askIt(question: string, wanted: Wanted): Promise<void> {
    if (busy.value) return;
    busy.value = true;
    talk.push({ id: ++count, question, answer: newAnswer() });
    const { answer } = talk.at(-1)!;
    const own = (stream = new AbortController());
    try {
      await hear(question, wanted, answer, own.signal);
    } catch (error) {
      if (own.signal.aborted) answer.state = 'stopped';
      else if (answer.text) answer.state = 'cut';
      else Object.assign(answer, { state: 'failed', detail: sentenceOf(error, t) });
    } finally {
      if (stream === own) busy.value = false;
    }
  }
  function stop(): void {
    stream?.abort();
  }
  function clear(): void {
    stop();
    stream = null;
    busy.value = false;
    talk.length = 0;
  }
  watch(wiki, clear);
  onScopeDispose(stop);
  return { talk, busy, ask: askIt, stop, clear };
}
export type Asking = ReturnType<typeof useAsking>;
