// SPDX-License-Identifier: AGPL-3.0-or-later
//
// Sites that are asked for their models and a word, one at a time each, and what they said.
import { reactive } from 'vue';
import { useI18n } from 'vue-i18n';
import { api, ask, type Schemas } from '@/api/client';
import { sentenceOf } from '@/text/faults';

export interface SiteState {
  busy: boolean;
  found?: Schemas['SiteCheck'];
  fault?: string;
}

export function useChecks() {
  const { t } = useI18n();
  const states = reactive<Record<string, SiteState>>({});

  async function check(site: string): Promise<void> {
    if (states[site]?.busy) return;
    states[site] = { busy: true };
    try {
      states[site] = { busy: false, found: await ask(api.POST('/admin/models/check', { body: { site } })) };
    } catch (error) {
      states[site] = { busy: false, fault: sentenceOf(error, t) };
    }
  }
  return { states, check };
}
