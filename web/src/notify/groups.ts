// SPDX-License-Identifier: AGPL-3.0-or-later
//
// Notifications as they are shown: the likes of one post are one line, everything else is one each.
import type { Notification, UserBrief } from '@/api/client';

export interface Group {
  key: string;
  /** The newest of it: its time, and its place in the list. */
  newest: Notification;
  ids: number[];
  /** Who did it, each once, the newest first. */
  actors: UserBrief[];
  unread: boolean;
  /** Where it leads. */
  to: string;
}

function leadsTo({ kind, actor, post_id, comment_id }: Notification): string {
  if (kind === 'follow' || !post_id) return `/u/${actor.id}`;
  return comment_id ? `/p/${post_id}#comment-${comment_id}` : `/p/${post_id}`;
}

/** `all`: the newest first. */
export function groupsOf(all: readonly Notification[]): Group[] {
  const groups = new Map<string, Group>();
  for (const one of all) {
    const key = one.kind === 'like' ? `like:${one.post_id}` : String(one.id);
    const group = groups.get(key);
    if (!group) {
      groups.set(key, { key, newest: one, ids: [one.id], actors: [one.actor], unread: !one.is_read, to: leadsTo(one) });
      continue;
    }
    group.ids.push(one.id);
    if (!group.actors.some(({ id }) => id === one.actor.id)) group.actors.push(one.actor);
    group.unread ||= !one.is_read;
  }
  return [...groups.values()];
}
