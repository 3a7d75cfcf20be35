// SPDX-License-Identifier: AGPL-3.0-or-later
//
// What of the town is on the screen: screen = (world − camera) × zoom.

export interface Box {
  x: number;
  y: number;
  width: number;
  height: number;
}

export const ZOOM_STEP = 1.15;
const ZOOM_MIN = 0.2;
const ZOOM_MAX = 6;

export class Camera {
  /** The world's point at the left upper corner. */
  x = 0;
  y = 0;
  zoom = 1;
  /** The screen, in CSS pixels. */
  width = 1;
  height = 1;
  /** Where one can go: the town with a margin. */
  bounds: Box = { x: 0, y: 0, width: 100, height: 100 };

  get least(): number {
    return Math.min(ZOOM_MIN, this.fitting());
  }

  private fitting(): number {
    return Math.min(this.width / this.bounds.width, this.height / this.bounds.height);
  }

  toScreenX(x: number): number {
    return (x - this.x) * this.zoom;
  }

  toScreenY(y: number): number {
    return (y - this.y) * this.zoom;
  }

  toWorldX(sx: number): number {
    return this.x + sx / this.zoom;
  }

  toWorldY(sy: number): number {
    return this.y + sy / this.zoom;
  }

  /** The picture follows a hand that moved so many pixels. */
  pan(dx: number, dy: number): void {
    this.x -= dx / this.zoom;
    this.y -= dy / this.zoom;
    this.keepIn();
  }

  /** The world's point under (sx, sy) stays there. */
  zoomAt(factor: number, sx = this.width / 2, sy = this.height / 2): void {
    const wx = this.toWorldX(sx);
    const wy = this.toWorldY(sy);
    this.zoom = Math.min(ZOOM_MAX, Math.max(this.least, this.zoom * factor));
    this.x = wx - sx / this.zoom;
    this.y = wy - sy / this.zoom;
    this.keepIn();
  }

  centre(wx: number, wy: number): void {
    this.x = wx - this.width / 2 / this.zoom;
    this.y = wy - this.height / 2 / this.zoom;
    this.keepIn();
  }

  fit(): void {
    this.zoom = Math.min(ZOOM_MAX, this.fitting());
    this.centre(this.bounds.x + this.bounds.width / 2, this.bounds.y + this.bounds.height / 2);
  }

  /** As the original's key R: one to one, in the middle. */
  reset(): void {
    this.zoom = Math.max(1, this.least);
    this.centre(this.bounds.x + this.bounds.width / 2, this.bounds.y + this.bounds.height / 2);
  }

  /** Another size of the screen: what was in the middle stays there. */
  resize(width: number, height: number): void {
    const wx = this.toWorldX(this.width / 2);
    const wy = this.toWorldY(this.height / 2);
    this.width = Math.max(1, width);
    this.height = Math.max(1, height);
    this.zoom = Math.max(this.zoom, this.least);
    this.centre(wx, wy);
  }

  /** The middle of the screen does not leave the town. */
  private keepIn(): void {
    const halfX = this.width / 2 / this.zoom;
    const halfY = this.height / 2 / this.zoom;
    const { x, y, width, height } = this.bounds;
    this.x = Math.min(x + width, Math.max(x, this.x + halfX)) - halfX;
    this.y = Math.min(y + height, Math.max(y, this.y + halfY)) - halfY;
  }
}

/** The box around all of these, with `margin` on every side. */
export function around(boxes: readonly Box[], margin: number): Box {
  if (!boxes.length) return { x: 0, y: 0, width: 2 * margin, height: 2 * margin };
  let left = Infinity, top = Infinity, right = -Infinity, bottom = -Infinity;
  for (const box of boxes) {
    left = Math.min(left, box.x);
    top = Math.min(top, box.y);
    right = Math.max(right, box.x + box.width);
    bottom = Math.max(bottom, box.y + box.height);
  }
  return { x: left - margin, y: top - margin, width: right - left + 2 * margin, height: bottom - top + 2 * margin };
}
