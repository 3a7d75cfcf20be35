// SPDX-License-Identifier: AGPL-3.0-or-later
//
// What many tests say about an answer: its status, its shape field by field, its faults.
import assert from 'node:assert/strict';

// Key order is that of the contract; ours stand behind it.
const SHAPES = {
  userBrief: ['id', 'username', 'nickname', 'avatar_path', 'is_ai'],
  user: ['username', 'nickname', 'avatar_path', 'bio', 'is_ai', 'id', 'created_at', 'role',
    'posts_count', 'followers_count', 'following_count', 'following'],
  post: ['content', 'image_path', 'id', 'author_id', 'likes_count', 'created_at', 'author',
    'is_liked', 'comments_count', 'edited_at', 'image_generated'],
  comment: ['content', 'id', 'post_id', 'author_id', 'created_at', 'author', 'parent_id'],
  notification: ['id', 'kind', 'actor', 'post_id', 'comment_id', 'excerpt', 'is_read', 'created_at'],
  message: ['id', 'sender_id', 'receiver_id', 'group_id', 'content', 'is_read', 'created_at',
    'sender', 'client_id'],
  conversation: ['user', 'last_message', 'unread_count'],
  lastMessage: ['id', 'content', 'created_at', 'is_mine'],
  group: ['id', 'name', 'group_type', 'owner_id', 'members_count', 'messages_count',
    'unread_count', 'read_id', 'created_at', 'last_message'],
  groupMember: ['user', 'joined_at', 'read_id'],
  session: ['id', 'current', 'client', 'address', 'created_at', 'used_at', 'expires_at'],
};
const NESTED = {
  author: 'userBrief', actor: 'userBrief', sender: 'userBrief', user: 'userBrief', other_user: 'userBrief',
};
const TYPES = {
  id: 'number', author_id: 'number', post_id: 'number', sender_id: 'number', likes_count: 'number',
  comments_count: 'number', posts_count: 'number', followers_count: 'number',
  following_count: 'number', following: 'boolean', unread_count: 'number', members_count: 'number',
  messages_count: 'number', read_id: 'number', content: 'string', username: 'string',
  nickname: 'string', is_ai: 'boolean', is_liked: 'boolean', image_generated: 'boolean', is_read: 'boolean',
  is_mine: 'boolean', role: 'string', name: 'string', group_type: 'string',
};

// ISO 8601 without zone or fraction.
export const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d$/;

export function assertShape(value, shape) {
  assert.deepEqual(Object.keys(value), SHAPES[shape], `keys of a ${shape}`);
  for (const [key, part] of Object.entries(value)) {
    if (TYPES[key] && !(shape === 'notification' && part === null)) assert.equal(typeof part, TYPES[key], `${shape}.${key}`);
    if (key.endsWith('_at') && part !== null) assert.match(part, TIME, `${shape}.${key}`);
    if (NESTED[key]) assertShape(part, NESTED[key]);
  }
}

// A failure as RFC 9457 wants it. `fields`: what the list of faults names, in any order.
export function assertProblem(reply, status, fields) {
  assert.equal(reply.status, status, reply.text);
  assert.equal(reply.headers.get('content-type'), 'application/problem+json');
  const { body } = reply;
  const keys = ['type', 'title', 'status', 'detail', 'request_id'];
  if (status === 422) keys.splice(4, 0, 'errors');
  assert.deepEqual(Object.keys(body), keys);
  assert.equal(body.status, status);
  assert.ok(body.type.length > 0 && body.title.length > 0);
  assert.equal(typeof body.detail, 'string');
  assert.ok(body.detail.length > 3, 'a sentence a member can read');
  assert.equal(body.request_id, reply.headers.get('x-request-id'));
  if (status === 401) assert.equal(reply.headers.get('www-authenticate'), 'Bearer');
  if (status !== 422) return;
  assert.ok(body.errors.length > 0);
  for (const fault of body.errors) {
    assert.deepEqual(Object.keys(fault), ['loc', 'msg', 'type']);
    assert.ok(['body', 'query', 'path'].includes(fault.loc[0]));
    assert.match(fault.type, /^[a-z_]+$/);
    assert.ok(fault.msg.length > 3);
  }
  if (fields === undefined) return;
  const named = body.errors.map(({ loc, type }) => `${loc.join('.')} ${type}`);
  assert.deepEqual(named.sort(), [...fields].sort());
}

export function assertOk(reply, status = 200) {
  assert.equal(reply.status, status, reply.text);
  if (status === 204) assert.equal(reply.text, '');
  return reply.body;
}
