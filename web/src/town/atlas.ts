// SPDX-License-Identifier: AGPL-3.0-or-later
//
// One picture for everything that is drawn many times: the dot, the small signs of what somebody
// does, a white patch and a drop.
import { ICONS } from './types';

export const DOT = 64;
export const ICON = 64;
export const ICON_AT = DOT;
export const WHITE_AT = ICON_AT + ICON * ICONS.length;

/** Outlines on 24 × 24, drawn with a pen. */
const SIGNS: Record<(typeof ICONS)[number], string> = {
  talk: 'M4 5h16v11h-9l-5 4v-4h-2z',
  sleep: 'M6 6h6l-6 7h6M14 12h5l-5 6h5',
  eat: 'M4 11h16a8 8 0 0 1-16 0zM9 4v3M13 3v4M17 4v3',
  work: 'M4 8h16v11h-16zM9 8v-3h6v3M4 13h16',
  phone: 'M8 3h8v18h-8zM11 18h2',
  think: 'M9 18h6M10 21h4M8 14a6 6 0 1 1 8 0l-1 2h-6z',
  rest: 'M6 9h10v6a4 4 0 0 1-4 4h-2a4 4 0 0 1-4-4zM16 11h2a2 2 0 0 1 0 5h-2M9 3v3M13 3v3',
};

export type Pad = HTMLCanvasElement | OffscreenCanvas;
type Pen = CanvasRenderingContext2D | OffscreenCanvasRenderingContext2D;

/** Workers have no document. */
function pad(width: number, height: number): Pad {
  if (typeof document === 'undefined') return new OffscreenCanvas(width, height);
  return Object.assign(document.createElement('canvas'), { width, height });
}

export function drawAtlas(): Pad {
  const canvas = pad(WHITE_AT + 32, 64);
  const pen = canvas.getContext('2d') as Pen;
  drawDot(pen);
  ICONS.forEach((name, i) => drawSign(pen, ICON_AT + i * ICON, SIGNS[name]));
  pen.fillStyle = '#fff';
  pen.fillRect(WHITE_AT, 0, 12, 12);
  pen.beginPath();
  pen.roundRect(WHITE_AT + 17, 1, 6, 30, 3);
  pen.fill();
  return canvas;
}

/** White, so that a tint colours it, with a lighter rim and a shadow of its own. */
function drawDot(pen: Pen): void {
  const middle = DOT / 2;
  const circle = (radius: number, colour: string): void => {
    pen.fillStyle = colour;
    pen.beginPath();
    pen.arc(middle, middle, radius, 0, 2 * Math.PI);
    pen.fill();
  };
  circle(30, 'rgba(0, 0, 0, 0.22)');
  circle(28, '#fff');
}

function drawSign(pen: Pen, x: number, path: string): void {
  pen.save();
  pen.translate(x + 2, 2);
  pen.fillStyle = 'rgba(60, 48, 40, 0.35)';
  pen.beginPath();
  pen.roundRect(0, 0, 60, 60, 20);
  pen.fill();
  pen.fillStyle = '#fffdfa';
  pen.beginPath();
  pen.roundRect(2, 2, 56, 56, 18);
  pen.fill();
  pen.translate(9, 9);
  pen.scale(1.75, 1.75);
  pen.strokeStyle = '#2a2420';
  pen.lineWidth = 2.2;
  pen.lineCap = pen.lineJoin = 'round';
  pen.stroke(new Path2D(path));
  pen.restore();
}
