// SPDX-License-Identifier: AGPL-3.0-or-later
//
// A resident's profile between the form and the server: what a form does not show stays.
import { describe, expect, test } from 'vitest';
import { bytesOf } from '../src/manage/figures';
import { aboutOf, bioOf, fieldsOf, fieldsOfDraft, listOf, noFields, type Resident } from '../src/manage/residents';

const BIO = {
  description: '画画的人。', occupation: 'painter', age: 25, gender: 'female', speaking_style: 'softly', goals: ['one', 'two'],
  daily_routine: { '07:00': 'runs' }, personality_traits: ['curious'], something_else: [1],
};
const resident = (bio: string | null, more: Partial<Resident> = {}): Resident =>
  ({ id: 1, username: 'x', nickname: 'X', avatar_path: null, bio, personality: 'curious,kind', banned: false, wiki: null, wiki_name: null, in_town: true, ...more });

describe('a profile', () => {
  test('comes back as it was when nothing is changed', () => {
    for (const bio of [JSON.stringify(BIO), '{"age":30}']) expect(bioOf(fieldsOf(resident(bio)), bio)).toEqual(JSON.parse(bio));
    for (const bio of ['just text', '{no json', null]) expect(bioOf(fieldsOf(resident(bio)), bio)).toEqual(bio);
  });
  test('keeps what the form does not show when the rest changes', () => {
    const bio = JSON.stringify(BIO);
    const fields = { ...fieldsOf(resident(bio)), occupation: '', age: '', goals: ' \n', description: 'new' };
    const { occupation, age, goals, ...left } = BIO;
    expect([occupation, age, goals]).toHaveLength(3);
    expect(bioOf(fields, bio)).toEqual({ ...left, description: 'new' });
  });
  test('becomes one when there is more than text, and text is kept in it', () => {
    expect(bioOf({ ...noFields(), description: ' a line ' })).toBe('a line');
    expect(bioOf({ ...fieldsOf(resident('old words')), age: '40' }, 'old words')).toEqual({ description: 'old words', age: 40 });
    expect(bioOf(noFields())).toBeNull();
  });
  test('leaves it to the server to say what is wrong with an age', () => {
    for (const age of ['old', '1.5', '-3']) expect(bioOf({ ...noFields(), age })).toEqual({ age });
  });
});

test('a draft fills the form, but for the picture', () => {
  const before = { ...noFields(), avatar_path: '/files/avatars/x.png', nickname: 'mine' };
  const fields = fieldsOfDraft({ username: 'u', nickname: '', age: null, gender: '', occupation: 'cook', description: 'd', speaking_style: 's', personality: ['a', 'b'], goals: ['g', 'h'], model: 'm' }, before);
  expect(fields).toEqual({ ...before, occupation: 'cook', description: 'd', speaking_style: 's', personality: 'a, b', goals: 'g\nh' });
});

test('words are separated as people do', () => {
  expect(listOf(' curious, kind，善良、 安静\n')).toEqual(['curious', 'kind', '善良', '安静']);
});

test('one line says who somebody is', () => {
  expect(aboutOf(resident(JSON.stringify(BIO)))).toBe('painter · 25 · curious, kind');
  expect(aboutOf(resident('writes', { personality: null }))).toBe('writes');
  expect(aboutOf(resident(null, { personality: null }))).toBe('');
});

test('figures', () => {
  expect(bytesOf(0, 'en')).toBe('0 byte');
  expect(bytesOf(1536, 'en')).toBe('1.5 kB');
  expect(bytesOf(987_654_321, 'en')).toBe('988 MB');
});
