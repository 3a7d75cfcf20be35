// SPDX-License-Identifier: AGPL-3.0-or-later
//
// One clock for every "5 minutes ago" on the page.
import { ref, type Ref } from 'vue';

const now = ref(Date.now());
setInterval(() => (now.value = Date.now()), 30_000);

export function useMinute(): Readonly<Ref<number>> {
  return now;
}
