// SPDX-License-Identifier: AGPL-3.0-or-later
//
// A stranger's questions to a repository and their answers, as long as somebody is in it. Who goes, or
// stops, ends the answer at the server too. Those of members are kept (kept.ts).
import { computed, onScopeDispose, reactive, ref, watch } from 'vue';
import { useI18n } from 'vue-i18n';
import { authorized, errorOf } from '@/api/client';
import { readBlocks } from '@/chat/stream';
import { sentenceOf } from '@/text/faults';
import { historyOf, isOver, newAnswer, takeEvent, type Answer, type Asked, type Wanted } from './answer';
import type { Kept } from './kept';

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

  async function askIt(question: string, wanted: Wanted): Promise<boolean> {
    if (busy.value) return false;
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
    return true;
  }
  async function again(at: number, wanted: Wanted): Promise<void> {
    const asked = talk[at];
    if (!asked || busy.value) return;
    talk.splice(at);
    await askIt(asked.question, wanted);
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
  return { talk: computed(() => talk), busy, ask: askIt, again, stop, clear, kept: null };
}
export type Asking = ReturnType<typeof useAsking> | Kept;
