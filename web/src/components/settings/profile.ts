// SPDX-License-Identifier: AGPL-3.0-or-later
import { useQueryClient } from '@tanstack/vue-query';
import { api, ask } from '@/api/client';
import { useSession } from '@/stores/session';

export interface ProfileChange {
  nickname?: string;
  bio?: string;
  /** Empty: no picture any more. */
  avatar_path?: string;
}

export function useProfile(): { change(what: ProfileChange): Promise<void> } {
  const session = useSession();
  const queries = useQueryClient();
  async function change(body: ProfileChange): Promise<void> {
    await ask(api.PUT('/users/me', { body }));
    // Names and pictures stand everywhere: what was loaded shows the old ones.
    void queries.invalidateQueries();
    await session.look();
  }
  return { change };
}
