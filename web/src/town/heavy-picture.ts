// SPDX-License-Identifier: AGPL-3.0-or-later
//
// The map's picture and what it shows, apart from the page: it hears what the page says and paints. In a
// worker of its own, so that the page hears every tap however slow the painter is; where a browser
// cannot paint there, the page loads the same file and has `townPicture`.
import { Camera } from './camera';
import { TownClock, type ClockState } from './clock';
import { Scene, type Stats } from './heavy-scene';
import { TownModel } from './model';
import type { Happening, Town } from './types';

/** What the page decides of the picture. People and places by their index. */
export interface View {
  x: number;
  y: number;
  zoom: number;
  width: number;
  height: number;
  dark: boolean;
  /** No weather, and one picture a second instead of sixty. */
  still: boolean;
  /** The page is in sight. */
  visible: boolean;
  weather: string;
  selected: number;
  followed: number;
  chosenPlace: number;
  hoveredPlace: number;
  grid: boolean;
  names: boolean;
  /** Over whose heads words stand. */
  talkers: number[];
}

export interface Past {
  x: Float32Array;
  y: Float32Array;
  minute: number;
}

export type ToPicture =
  | { do: 'open'; canvas: HTMLCanvasElement | OffscreenCanvas; density: number }
  | { do: 'town'; town: Pick<Town, 'locations' | 'residents' | 'minute'> }
  | { do: 'hear'; what: Happening }
  /** The clock; `origin`: what its milliseconds count from. */
  | { do: 'clock'; clock: ClockState; origin: number }
  | { do: 'view'; view: Partial<View> }
  | { do: 'past'; past: Past | null }
  /** The measured times: as they are, or count anew. */
  | { do: 'stats'; anew: boolean }
  | { do: 'close' };

export type FromPicture =
  /** The first picture is there. */
  | { is: 'open' }
  /** There is no WebGL here. */
  | { is: 'failed' }
  /** A picture is there. Where the talkers are on it, x and y of each; and its corner, which follows whoever is followed. */
  | { is: 'drawn'; talkers: number[]; x: number; y: number }
  | { is: 'stats'; stats: Stats };

const BEAT_MS = 1000;
const LAMPS_MS = 5000;
const WET = ['rainy', 'stormy', 'snowy', 'foggy', 'cloudy'];

class Picture {
  private model = new TownModel();
  private clock = new TownClock();
  private camera = new Camera();
  private scene: Scene | null = null;
  private past: Past | null = null;
  private view: View = {
    x: 0, y: 0, zoom: 1, width: 1, height: 1, dark: false, still: false, visible: true, weather: 'sunny', selected: -1, followed: -1,
    chosenPlace: -1, hoveredPlace: -1, grid: false, names: true, talkers: [],
  };
  private timer: ReturnType<typeof setInterval> | undefined;
  private lampsAt = 0;
  private closed = false;
  private shown = false;

  constructor(private readonly tell: (what: FromPicture) => void) {}

  hear(said: ToPicture): void {
    switch (said.do) {
      case 'open':
        void this.open(said.canvas, said.density);
        break;
      case 'town':
        this.model.load(said.town);
        this.populate();
        break;
      case 'hear': {
        const i = this.model.hear(said.what);
        if (i >= 0) this.scene?.changed(i);
        break;
      }
      case 'clock':
        this.clock.state = { ...said.clock, since: said.clock.since + said.origin - performance.timeOrigin };
        break;
      case 'view':
        this.look(said.view);
        break;
      case 'past':
        this.past = said.past;
        if (this.scene) this.scene.past = said.past;
        this.scene?.wake();
        break;
      case 'stats':
        if (said.anew) this.scene?.resetStats();
        if (this.scene) this.tell({ is: 'stats', stats: this.scene.stats() });
        break;
      case 'close':
        this.closed = true;
        clearInterval(this.timer);
        this.scene?.destroy();
        this.scene = null;
    }
  }

  private async open(canvas: HTMLCanvasElement | OffscreenCanvas, density: number): Promise<void> {
    const { model, camera, clock } = this;
    let scene: Scene;
    try {
      scene = await Scene.open({ canvas, density, model, camera, minuteAt: (now) => clock.at(now), drawn: () => this.drawn() });
    } catch {
      this.tell({ is: 'failed' });
      return;
    }
    if (this.closed) return scene.destroy();
    this.scene = scene;
    scene.past = this.past;
    scene.dress(this.view.dark);
    scene.resize();
    this.apply();
    this.populate();
    this.timer = setInterval(() => this.beat(), BEAT_MS);
  }

  private populate(): void {
    this.camera.bounds = this.model.bounds;
    this.scene?.populate();
    this.scene?.drawLamps(this.model.occupants());
  }

  private look(change: Partial<View>): void {
    const { dark, width, height } = this.view;
    const next = Object.assign(this.view, change);
    Object.assign(this.camera, { x: next.x, y: next.y, zoom: next.zoom, width: next.width, height: next.height });
    if (!this.scene) return;
    if (next.dark !== dark) {
      this.scene.dress(next.dark);
      this.scene.drawLamps(this.model.occupants());
    }
    if (next.width !== width || next.height !== height) this.scene.resize();
    this.apply();
    this.scene.wake();
  }

  private apply(): void {
    const { scene, view } = this;
    if (!scene) return;
    scene.selected = view.selected;
    scene.followed = view.followed;
    scene.still = view.still;
    scene.visible = view.visible;
    scene.weather = view.weather;
    scene.showNames = view.names;
    scene.markPlaces(view.chosenPlace, view.hoveredPlace);
    if (scene.showGrid !== view.grid) {
      scene.showGrid = view.grid;
      scene.gridChanged();
    }
  }

  private beat(): void {
    const { scene, view } = this;
    if (!scene || !view.visible) return;
    const at = performance.now();
    if (at - this.lampsAt > LAMPS_MS) {
      this.lampsAt = at;
      if (scene.isNight) scene.drawLamps(this.model.occupants());
    }
    if (this.model.moverCount > 0 || scene.isLate(at) || WET.includes(view.weather)) scene.wake(false);
  }

  private drawn(): void {
    const { scene, view, camera } = this;
    if (!scene) return;
    if (!this.shown) this.tell({ is: 'open' });
    this.shown = true;
    if (!view.talkers.length && view.followed < 0) return;
    this.tell({ is: 'drawn', talkers: view.talkers.flatMap((i) => [scene.sx[i] ?? -999, scene.sy[i] ?? -999]), x: camera.x, y: camera.y });
  }
}

export type Painter = (tell: (what: FromPicture) => void) => (said: ToPicture) => void;

declare global {
  // eslint-disable-next-line no-var
  var townPicture: Painter | undefined;
}

const begin: Painter = (tell) => {
  const picture = new Picture(tell);
  return (said) => picture.hear(said);
};
if (typeof document === 'undefined') {
  const hear = begin((what) => postMessage(what));
  addEventListener('message', ({ data }) => hear(data as ToPicture));
} else globalThis.townPicture = begin;
