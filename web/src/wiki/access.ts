// SPDX-License-Identifier: AGPL-3.0-or-later
import type { Wiki } from './wikis';

/** Whom a wiki is for; '': what the server takes to be right. */
export interface Access {
  access: Wiki['access'] | '';
  group_id: number | null;
}
export const ACCESSES = ['everyone', 'members', 'group', 'owner'] as const;
