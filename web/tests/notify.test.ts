// SPDX-License-Identifier: AGPL-3.0-or-later
import { describe, expect, test } from 'vitest';
import type { Comment, Notification } from '../src/api/client';
import { threadsOf } from '../src/feed/threads';
import { groupsOf } from '../src/notify/groups';
import { afterEvent, type Page } from '../src/notify/list';

const user = (id: number) => ({ id, username: `u${id}`, nickname: `U${id}`, avatar_path: null, is_ai: false });
const one = (id: number, more: Partial<Notification> = {}): Notification =>
  ({ id, kind: 'like', actor: user(id), post_id: 7, comment_id: null, excerpt: 'x', is_read: false, created_at: '2026-01-01T00:00:00', ...more });

describe('groups', () => {
  test('the likes of one post are one line, where the newest is; nobody stands there twice', () => {
    const all = [one(9, { actor: user(1) }), one(8, { post_id: 6, is_read: true }), one(5, { is_read: true }), one(4, { actor: user(1) })];
    expect(groupsOf(all).map(({ key, ids, actors, unread }) => [key, ids, actors.map(({ id }) => id), unread]))
      .toEqual([['like:7', [9, 5, 4], [1, 5], true], ['like:6', [8], [8], false]]);
  });
  test('everything leads somewhere', () => {
    const all = [one(1), one(2, { kind: 'comment', comment_id: 3 }), one(4, { kind: 'mention' }), one(5, { kind: 'follow', post_id: null })];
    expect(groupsOf(all).map(({ to }) => to)).toEqual(['/p/7', '/p/7#comment-3', '/p/7', '/u/5']);
  });
});

describe('what happens live', () => {
  const pages = (): Page[] => [{ items: [one(9), one(8)], next_before: 8 }, { items: [one(5), one(3)], next_before: 3 }];
  const ids = (all: Page[]): number[][] => all.map(({ items }) => items.map(({ id }) => id));
  const made = (id: number) => ({ event: 'notification.created', data: one(id) as unknown as Record<string, unknown> });
  test('a new one comes first, one that came back stands where it was, one behind what is loaded waits', () => {
    expect(ids(afterEvent(pages(), made(12)))).toEqual([[12, 9, 8], [5, 3]]);
    expect(ids(afterEvent(pages(), made(4)))).toEqual([[9, 8], [5, 4, 3]]);
    expect(ids(afterEvent(pages(), made(5)))).toEqual([[9, 8], [5, 3]]);
    expect(ids(afterEvent(pages(), made(2)))).toEqual([[9, 8], [5, 3]]);
    expect(ids(afterEvent([{ items: [], next_before: null }], made(2)))).toEqual([[2]]);
  });
  test('what is gone goes, alone or with its post; what is read is read', () => {
    expect(ids(afterEvent(pages(), { event: 'notification.deleted', data: { id: 8 } }))).toEqual([[9], [5, 3]]);
    expect(ids(afterEvent(pages(), { event: 'notification.deleted', data: { post_id: 7 } }))).toEqual([[], []]);
    expect(ids(afterEvent(pages(), { event: 'notification.deleted', data: { post_id: 6 } }))).toEqual([[9, 8], [5, 3]]);
    const read = afterEvent(pages(), { event: 'notification.read', data: { up_to: 5 } });
    expect(read.flatMap(({ items }) => items.map(({ is_read }) => is_read))).toEqual([false, false, true, true]);
  });
});

describe('threads', () => {
  const said = (id: number, parent_id: number | null = null): Comment =>
    ({ id, parent_id, content: '', post_id: 7, author_id: 1, created_at: '', author: user(1) });
  const seen = (...comments: Comment[]): unknown[] =>
    threadsOf(comments).map(({ root, answers }) => [root.id, ...answers.map(({ comment, to }) => (to ? `${comment.id}>${to.id}` : comment.id))]);
  test('answers stand below what began it, however deep, and deeper ones say whom they answer', () => {
    expect(seen(said(1), said(2), said(3, 1), said(4, 3), said(5, 1), said(6, 4), said(7, 2))).toEqual([[1, 3, '4>3', 5, '6>4'], [2, 7]]);
  });
  test('whatever the order they come in, and each once', () => {
    expect(seen(said(4, 3), said(1), said(3, 1), said(1))).toEqual([[1, 3, '4>3']]);
  });
  test('what answers something that is gone stands for itself, with its own answers', () => {
    expect(seen(said(1), said(4, 3), said(5, 4))).toEqual([[1], [4, 5]]);
  });
});
