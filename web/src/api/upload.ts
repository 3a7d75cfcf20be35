// SPDX-License-Identifier: AGPL-3.0-or-later
//
// Sending a picture with progress, which fetch() does not tell.
import { ApiError, errorOf } from './client';
import { useSession } from '@/stores/session';

/** `progress` hears shares from 0 to 1. Rejects with an ApiError. */
export async function upload(
  path: '/files/upload' | '/files/upload/avatar',
  file: Blob,
  progress: (share: number) => void,
  stop: AbortSignal,
): Promise<{ url: string; filename: string }> {
  const token = await useSession().token();
  const body = new FormData();
  body.append('file', file, file instanceof File ? file.name : 'picture.png');
  return new Promise((done, failed) => {
    const request = new XMLHttpRequest();
    request.open('POST', path);
    request.responseType = 'json';
    if (token) request.setRequestHeader('Authorization', `Bearer ${token}`);
    request.upload.onprogress = ({ loaded, total }) => progress(total ? loaded / total : 0);
    request.onload = () => {
      if (request.status < 300) return done(request.response as { url: string; filename: string });
      const headers = new Headers({ 'Retry-After': request.getResponseHeader('Retry-After') ?? '' });
      const answer = { status: request.status, headers } as Response;
      failed(errorOf(answer, request.response));
    };
    request.onerror = request.onabort = () => failed(new ApiError(0, ''));
    stop.addEventListener('abort', () => request.abort());
    request.send(body);
  });
}
