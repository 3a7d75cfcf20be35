// SPDX-License-Identifier: AGPL-3.0-or-later
//
// What forms and buttons that ask the server have in common: one sending at a time, and what the server
// says is wrong, at its field where it names one of `fields`.
import { computed, getCurrentInstance, nextTick, ref, type ComputedRef, type Ref } from 'vue';
import { useI18n } from 'vue-i18n';
import { ApiError } from '@/api/client';
import { sentenceOf } from '@/text/faults';

export interface Form {
  busy: Ref<boolean>;
  /** Field → what is wrong with it. */
  wrong: Ref<Record<string, string>>;
  /** What is wrong and belongs to no field of this form. */
  fault: ComputedRef<string>;
  /** true: it is done. */
  send(work: () => Promise<void>): Promise<boolean>;
}

export function useForm(fields: string[] = []): Form {
  const { t } = useI18n();
  const busy = ref(false);
  const wrong = ref<Record<string, string>>({});
  const failure = ref<unknown>(null);
  const here = getCurrentInstance();
  const fault = computed(() => (failure.value ? sentenceOf(failure.value, t) : ''));

  /** To the first field at fault; what belongs to none is shown. Long forms have neither in sight. */
  async function lead(): Promise<void> {
    await nextTick();
    const root = here?.proxy?.$el as Node | undefined;
    const around = root instanceof HTMLElement ? root : root?.parentElement;
    const field = around?.querySelector<HTMLElement>('[aria-invalid="true"]');
    if (field) field.focus();
    else around?.querySelector('[role="alert"]')?.scrollIntoView({ block: 'nearest' });
  }

  async function send(work: () => Promise<void>): Promise<boolean> {
    if (busy.value) return false;
    busy.value = true;
    wrong.value = {};
    failure.value = null;
    try {
      await work();
      return true;
    } catch (error) {
      const said = error instanceof ApiError ? error.fields : {};
      wrong.value = said;
      if (!fields.some((field) => field in said)) failure.value = error;
      void lead();
      return false;
    } finally {
      busy.value = false;
    }
  }
  return { busy, wrong, fault, send };
}
