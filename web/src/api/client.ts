// SPDX-License-Identifier: AGPL-3.0-or-later
//
// The server's API, typed by its own description (schema.d.ts, from /openapi.json).
//
//     const post = await ask(api.GET('/posts/{post_id}', { params: { path: { post_id } } }));
//
// Who is logged in is stores/session.ts's business: it gives the token here.
import createClient from 'openapi-fetch';
import type { components, paths } from './schema';

export type Schemas = components['schemas'];
export type Post = Schemas['Post'];
export type Comment = Schemas['Comment'];
export type Notification = Schemas['Notification'];
export type User = Schemas['User'];
export type UserBrief = Schemas['UserBrief'];
export type Message = Schemas['Message'];
export type Chat = Schemas['Chat'];
export type ChatTurn = Schemas['ChatTurn'];

/** What the server, or the way to it, said instead of an answer. */
export class ApiError extends Error {
  constructor(
    /** HTTP status; 0: the server was not reached. */
    readonly status: number,
    /** A sentence for a person, from the server; empty when it said none. */
    readonly detail: string,
    /** Field → sentence, where single fields are wrong. */
    readonly fields: Record<string, string> = {},
    /** Seconds until another try makes sense; 0: not said. */
    readonly retryAfter = 0,
  ) {
    super(detail || `status ${status}`);
  }
}

interface Access {
  /** A good access token, or null for a stranger. Renews it first when it is about to end. */
  token(): Promise<string | null>;
  /** The server did not take this token: another, or null when the log-in is over. */
  renew(refused: string): Promise<string | null>;
}

const nobody: Access = { token: async () => null, renew: async () => null };
let access = nobody;
export function setAccess(next: Access): void {
  access = next;
}

function withToken(request: Request, token: string | null): Request {
  if (token) request.headers.set('Authorization', `Bearer ${token}`);
  return request;
}

declare global {
  interface Window {
    /** What boot.ts has asked for before the app was there. */
    early?: { path: string; token: string | null; until: number; answer: Promise<Response | null> };
  }
}

/** The answer to this if it is on its way already, and a good one. */
async function early(request: Request, token: string | null): Promise<Response | null> {
  const sent = window.early;
  if (!sent || request.method !== 'GET' || request.url !== location.origin + sent.path) return null;
  delete window.early;
  if (sent.token !== token || Date.now() > sent.until) return null;
  const answer = await sent.answer;
  return answer?.ok ? answer : null;
}

/** fetch() as who is logged in. A token that the server refuses is renewed once. */
export async function authorized(request: Request): Promise<Response> {
  const token = await access.token();
  const begun = await early(request, token);
  if (begun) return begun;
  const again = request.clone();
  let answer: Response;
  try {
    answer = await fetch(withToken(request, token));
    if (answer.status === 401 && token) {
      const fresh = await access.renew(token);
      if (fresh) answer = await fetch(withToken(again, fresh));
    }
  } catch (error) {
    if ((error as Error).name === 'AbortError') throw error;
    throw new ApiError(0, '');
  }
  return answer;
}

export const api = createClient<paths>({ baseUrl: '', fetch: authorized });

interface Fault {
  detail?: unknown;
  errors?: { loc?: string[]; msg?: string }[];
}

/** The error that an answer which is no success stands for. */
export function errorOf(answer: Response, body: unknown): ApiError {
  const fault = (body ?? {}) as Fault;
  const fields: Record<string, string> = {};
  for (const { loc = [], msg = '' } of fault.errors ?? []) fields[loc.at(-1) ?? ''] = msg;
  const detail = typeof fault.detail === 'string' ? fault.detail : Object.values(fields).join(' ');
  return new ApiError(answer.status, detail, fields, Number(answer.headers.get('Retry-After')) || 0);
}

interface Reply<T> {
  data?: T;
  error?: unknown;
  response: Response;
}

/** The body of a success; anything else is thrown as an ApiError. */
export async function ask<T>(reply: Promise<Reply<T>>): Promise<T> {
  return (await askWhole(reply)).data;
}

/** The same, with the headers. */
export async function askWhole<T>(reply: Promise<Reply<T>>): Promise<{ data: T; headers: Headers }> {
  const { data, error, response } = await reply;
  if (!response.ok) throw errorOf(response, error);
  return { data: data as T, headers: response.headers };
}
