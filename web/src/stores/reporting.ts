// SPDX-License-Identifier: AGPL-3.0-or-later
//
// What is being reported to the moderators; App.vue shows the window.
import { defineStore } from 'pinia';
import { shallowRef } from 'vue';

export interface Reported {
  kind: 'post' | 'comment' | 'message' | 'user';
  id: number;
  /** Nickname of whose it is. */
  name: string;
}

export const useReporting = defineStore('reporting', () => ({ about: shallowRef<Reported | null>(null) }));
