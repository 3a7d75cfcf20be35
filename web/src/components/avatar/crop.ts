// SPDX-License-Identifier: AGPL-3.0-or-later
//
// The square part of a picture, in the picture's own pixels, so that it is the same whatever the
// size of the view. Zoom 1 is the largest square that fits; the square never leaves the picture.

export interface Crop {
  readonly width: number;
  readonly height: number;
  readonly zoom: number;
  /** Middle of the square. */
  readonly x: number;
  readonly y: number;
}

export const ZOOM_MAX = 4;

export function side({ width, height, zoom }: Crop): number {
  return Math.min(width, height) / zoom;
}

function within(crop: Crop): Crop {
  const half = side(crop) / 2;
  const clamp = (at: number, length: number): number => Math.min(Math.max(at, half), length - half);
  return { ...crop, x: clamp(crop.x, crop.width), y: clamp(crop.y, crop.height) };
}

/** The middle of a picture. */
export function cropOf(width: number, height: number): Crop {
  return { width, height, zoom: 1, x: width / 2, y: height / 2 };
}

/** `dx`, `dy`: how far the square moves over the picture, in sides of the square. */
export function moved(crop: Crop, dx: number, dy: number): Crop {
  return within({ ...crop, x: crop.x + dx * side(crop), y: crop.y + dy * side(crop) });
}

export function zoomed(crop: Crop, zoom: number): Crop {
  return within({ ...crop, zoom: Math.min(Math.max(zoom, 1), ZOOM_MAX) });
}

/** Where the whole picture lies behind a square window that shows the part: CSS lengths. */
export function placed(crop: Crop): { width: string; height: string; left: string; top: string } {
  const one = side(crop);
  const percent = (length: number): string => `${(length / one) * 100}%`;
  return {
    width: percent(crop.width),
    height: percent(crop.height),
    left: percent(one / 2 - crop.x),
    top: percent(one / 2 - crop.y),
  };
}

/** The part as a JPEG of `pixels` on a side. null: the browser cannot make one. */
export function cut(picture: CanvasImageSource, crop: Crop, pixels: number): Promise<Blob | null> {
  const canvas = document.createElement('canvas');
  canvas.width = canvas.height = pixels;
  const pen = canvas.getContext('2d');
  if (!pen) return Promise.resolve(null);
  pen.fillStyle = '#fff'; // JPEG has no see-through; black would come instead
  pen.fillRect(0, 0, pixels, pixels);
  pen.imageSmoothingQuality = 'high';
  const one = side(crop);
  pen.drawImage(picture, crop.x - one / 2, crop.y - one / 2, one, one, 0, 0, pixels, pixels);
  return new Promise((done) => canvas.toBlob(done, 'image/jpeg', 0.9));
}
