// SPDX-License-Identifier: AGPL-3.0-or-later
//
// Comments as they are shown: answers stand below the comment that began it all, one step in, however
// deep they are; those that answer an answer say whom.
import type { Comment } from '@/api/client';

export interface Answer {
  comment: Comment;
  /** What it answers, when that is not the comment it stands below. */
  to: Comment | null;
}
export interface Thread {
  root: Comment;
  answers: Answer[];
}

/** In the order of their ids. What answers something that is not there stands for itself. */
export function threadsOf(comments: readonly Comment[]): Thread[] {
  const known = new Map(comments.map((comment) => [comment.id, comment]));
  const threads = new Map<number, Thread>();
  const rootOf = new Map<number, number>();
  for (const comment of [...known.values()].sort((a, b) => a.id - b.id)) {
    const parent = comment.parent_id ? known.get(comment.parent_id) : undefined;
    const thread = parent && threads.get(rootOf.get(parent.id) ?? 0);
    rootOf.set(comment.id, thread ? thread.root.id : comment.id);
    if (thread) thread.answers.push({ comment, to: parent === thread.root ? null : parent! });
    else threads.set(comment.id, { root: comment, answers: [] });
  }
  return [...threads.values()];
}
