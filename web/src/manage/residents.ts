// SPDX-License-Identifier: AGPL-3.0-or-later
//
// A resident's profile as a form has it, and as the server keeps it: `bio` is the original's JSON
// (description, occupation, age …), or plain text. What a form does not show stays as it was.
import type { Schemas } from '@/api/client';
import { profileOf, type Bio } from '@/text/profile';

export type Resident = Schemas['Resident'];
export type Draft = Schemas['ResidentDraft'];

export interface ResidentFields {
  nickname: string;
  age: string;
  gender: string;
  occupation: string;
  /** Separated by commas. */
  personality: string;
  speaking_style: string;
  /** A line each. */
  goals: string;
  description: string;
  avatar_path: string;
}

const TEXTS = ['occupation', 'gender', 'speaking_style', 'description'] as const;

export const noFields = (): ResidentFields => ({
  nickname: '', age: '', gender: '', occupation: '', personality: '', speaking_style: '', goals: '', description: '', avatar_path: '',
});

const text = (value: unknown): string => (typeof value === 'string' ? value : '');
const lines = (value: unknown): string[] => (Array.isArray(value) ? value.filter((one) => typeof one === 'string') : []);

export function fieldsOf(resident: Resident): ResidentFields {
  const profile = profileOf(resident.bio);
  return {
    ...noFields(),
    nickname: resident.nickname,
    personality: resident.personality ?? '',
    avatar_path: resident.avatar_path ?? '',
    description: profile ? text(profile.description) : (resident.bio ?? ''),
    occupation: text(profile?.occupation),
    gender: text(profile?.gender),
    speaking_style: text(profile?.speaking_style),
    age: typeof profile?.age === 'number' ? String(profile.age) : '',
    goals: lines(profile?.goals).join('\n'),
  };
}

/** What a model has drafted, over what stands in the form. */
export function fieldsOfDraft(draft: Draft, before: ResidentFields): ResidentFields {
  return {
    ...before,
    nickname: draft.nickname || before.nickname,
    age: draft.age === null ? '' : String(draft.age),
    gender: draft.gender,
    occupation: draft.occupation,
    personality: draft.personality.join(', '),
    speaking_style: draft.speaking_style,
    goals: draft.goals.join('\n'),
    description: draft.description,
  };
}

export const listOf = (words: string): string[] => words.split(/[,，、\n]/).map((word) => word.trim()).filter(Boolean);

/**
 * The `bio` to send. `before`: what there was, of which everything a form does not show stays.
 * Nothing but a description stays plain text, where it was no profile.
 */
export function bioOf(fields: ResidentFields, before: string | null = null): Bio | string | null {
  const old = profileOf(before);
  const bio: Bio = { ...old };
  for (const key of TEXTS) {
    const value = fields[key].trim();
    if (value) bio[key] = value;
    else delete bio[key];
  }
  const goals = fields.goals.split('\n').map((goal) => goal.trim()).filter(Boolean);
  if (goals.length) bio.goals = goals;
  else delete bio.goals;
  const age = fields.age.trim();
  // What is no whole number goes as it is: the server says what is wrong with it.
  if (age) bio.age = /^\d{1,9}$/.test(age) ? Number(age) : age;
  else delete bio.age;
  const keys = Object.keys(bio);
  if (!keys.length) return null;
  if (!old && keys.length === 1 && keys[0] === 'description') return fields.description.trim();
  return bio;
}

/** One line about somebody, for a list. */
export function aboutOf(resident: Resident): string {
  const { age, occupation, personality, description } = fieldsOf(resident);
  return [occupation, age, personality.replaceAll(',', ', '), !occupation && !personality ? description : ''].filter(Boolean).join(' · ');
}
