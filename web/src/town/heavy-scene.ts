// SPDX-License-Identifier: AGPL-3.0-or-later
//
// The map's picture, by PixiJS. Loaded only where the map is shown. Everybody is a particle of one
// texture, on the screen's own coordinates; a frame touches numbers in arrays and allocates nothing.
// When nobody walks and nothing falls from the sky, no frame is drawn.
import 'pixi.js/unsafe-eval';
import { BitmapText, CanvasSource, Container, DOMAdapter, Graphics, Particle, ParticleContainer, Rectangle, Sprite, Texture, WebGLRenderer } from 'pixi.js';
import { drawAtlas, DOT, ICON, ICON_AT, WHITE_AT, type Pad } from './atlas';
import type { Camera } from './camera';
import type { TownModel } from './model';
import { LOOKS, type MapLook } from './palette';
import { colourOfPlace, GROUND_ROUND, roundOf, SHUT, treesOf } from './places';
import { roads } from './roads';
import { isNight, lightAt } from './sky';
import { ICONS, iconOf } from './types';

// PixiJS asks this for what a page has and a worker has not. Its own for workers brings a parser of XML along.
if (typeof document === 'undefined') {
  DOMAdapter.set({
    createCanvas: (width = 1, height = 1) => new OffscreenCanvas(width, height) as never,
    createImage: () => new Image() as never,
    getCanvasRenderingContext2D: () => OffscreenCanvasRenderingContext2D as never,
    getWebGLRenderingContext: () => WebGLRenderingContext,
    getNavigator: () => navigator as never,
    getBaseUrl: () => location.href,
    getFontFaceSet: () => null,
    fetch: (url, options) => fetch(url, options),
    parseXML: () => {
      throw new Error('no XML here');
    },
  });
}

const FONT = 'system-ui, "Segoe UI", "PingFang SC", "Hiragino Sans GB", "Microsoft YaHei", "Noto Sans CJK SC", "Noto Sans SC", sans-serif';
const NAMES_MOST = 150;
const PLACE_NAMES_MOST = 160;
const NAMES_ZOOM = 0.6;
const PLACE_NAMES_ZOOM = 0.4;
/** Which names have room is looked at again so often while somebody walks; more often, and they would flicker. */
const NAMES_MS = 500;
const NAME_SIZE = 12;
const NAME_HEIGHT = 15;
/** Who stands so near to another is counted to their name. */
const BESIDE = 40;
const NOBODY = -2;
const DROPS = 160;
const FRAMES_KEPT = 600;
/** Pictures that the painter may have before it. */
const UNDER_WAY = 2;

export interface Stats {
  frames: number;
  fps: number;
  /** Milliseconds of our own work in a frame, and of PixiJS's: mean, and 95 of 100 are below. */
  update: number;
  update95: number;
  draw: number;
  draw95: number;
  particles: number;
  names: number;
}

export interface SceneOptions {
  canvas: Pad;
  /** The screen's points in a CSS pixel. */
  density: number;
  model: TownModel;
  camera: Camera;
  /** The town's clock, in game minutes. */
  minuteAt(now: number): number;
  /** Everybody stands on the screen where `sx` and `sy` say. */
  drawn(): void;
}

interface Labels {
  root: Container;
  all: BitmapText[];
  /** Whose each is; -1: nobody's. */
  owner: Int32Array;
  free: number[];
}

export class Scene {
  selected = -1;
  followed = -1;
  showGrid = false;
  showNames = true;
  /** No weather, and one picture a second instead of sixty. */
  still = false;
  /** Nobody looks: no picture is followed by the next. */
  visible = true;
  weather = 'sunny';
  /** Instead of now: where everybody was. */
  past: { x: Float32Array; y: Float32Array; minute: number } | null = null;
  sx = new Float32Array(0);
  sy = new Float32Array(0);

  private renderer = new WebGLRenderer();
  private stage = new Container();
  private world = new Container();
  private ground = new Graphics();
  private blocks = new Graphics();
  private lamps = new Graphics();
  private edges = new Graphics();
  private grid = new Graphics();
  private mark = new Graphics();
  private night!: Sprite;
  private veil!: Sprite;
  private dots!: ParticleContainer<Particle>;
  private icons!: ParticleContainer<Particle>;
  private drops!: ParticleContainer<Particle>;
  private dotTexture!: Texture;
  private iconTextures: Texture[] = [];
  private names!: Labels;
  private placeNames!: Labels;
  private hoveredPlace = -1;
  private chosenPlace = -1;
  private nameOf = new Int32Array(0);
  private placeNameOf = new Int32Array(0);
  /** Whose names have room, and how many others' have none because of each. */
  private named = new Uint8Array(0);
  private others = new Uint16Array(0);
  private nameWidths = new Float32Array(0);
  private namedAt = 0;
  /** What names cover: left, top, right, bottom, and whose it is (-1: a place's). */
  private covered = new Float32Array(5 * (NAMES_MOST + PLACE_NAMES_MOST));
  private coveredCount = 0;
  private coveredByPlaces = 0;
  private iconsShown = new Int8Array(0);
  private look: MapLook = LOOKS.light;
  private asked = 0;
  private dirty = true;
  private zoomShown = 0;
  private tintShown = -1;
  private lastFrame = 0;
  private dead = false;
  /** What comes into the picture only with the next ones: what each kind needs takes long to make. */
  private coming: Container[][] = [];
  private fences: WebGLSync[] = [];
  private gaps = new Float32Array(FRAMES_KEPT);
  private updates = new Float32Array(FRAMES_KEPT);
  private draws = new Float32Array(FRAMES_KEPT);
  private frames = 0;

  private constructor(private o: SceneOptions) {}

  /** Throws where there is no WebGL. */
  static async open(o: SceneOptions): Promise<Scene> {
    const scene = new Scene(o);
    await scene.begin();
    return scene;
  }

  private async begin(): Promise<void> {
    const { camera, canvas } = this.o;
    await this.renderer.init({
      canvas, width: camera.width, height: camera.height, antialias: true, autoDensity: true,
      resolution: Math.min(2, this.o.density || 1), backgroundAlpha: 1, manageImports: false,
      powerPreference: 'low-power',
    });
    const source = new CanvasSource({ resource: drawAtlas() });
    const frame = (x: number, y: number, width: number, height: number): Texture =>
      new Texture({ source, frame: new Rectangle(x, y, width, height) });
    this.dotTexture = frame(0, 0, DOT, DOT);
    this.iconTextures = ICONS.map((_, i) => frame(ICON_AT + i * ICON, 0, ICON, ICON));
    const white = frame(WHITE_AT + 2, 2, 4, 4);
    const drop = frame(WHITE_AT + 16, 0, 8, 32);
    this.night = new Sprite({ texture: white, blendMode: 'multiply' });
    this.veil = new Sprite({ texture: white, alpha: 0 });
    this.dots = new ParticleContainer<Particle>({ texture: this.dotTexture, dynamicProperties: { position: true, color: false, vertex: false, uvs: false, rotation: false } });
    this.icons = new ParticleContainer<Particle>({ texture: this.iconTextures[0]!, dynamicProperties: { position: true, color: false, vertex: false, uvs: false, rotation: false } });
    this.drops = new ParticleContainer<Particle>({ texture: drop, dynamicProperties: { position: true, color: false, vertex: false, uvs: false, rotation: false } });
    for (let i = 0; i < DROPS; i++) this.drops.particleChildren.push(new Particle({ texture: drop, anchorX: 0.5, anchorY: 0.5, alpha: 0.5 }));
    this.drops.visible = false;
    this.names = labels();
    this.placeNames = labels();
    this.world.addChild(this.ground, this.blocks, this.grid, this.edges);
    this.lamps.blendMode = 'add';
    this.stage.addChild(this.world, this.night, this.lamps, this.mark, this.dots, this.icons, this.veil, this.drops, this.placeNames.root, this.names.root);
    this.coming = [[this.night, this.lamps, this.mark], [this.dots, this.icons], [this.placeNames.root], [this.names.root, this.veil, this.drops]];
    for (const one of this.coming.flat()) one.renderable = false;
  }

  destroy(): void {
    this.dead = true;
    cancelAnimationFrame(this.asked);
    this.stage.destroy({ children: true });
    this.dotTexture.destroy(true);
    this.renderer.destroy({ removeView: false });
  }

  /** Light or dark; draws places and names anew. */
  dress(dark: boolean): void {
    this.look = dark ? LOOKS.dark : LOOKS.light;
    this.renderer.background.color = this.look.ground;
    for (const group of [this.names, this.placeNames]) {
      for (const label of group.all) label.destroy();
      group.all.length = 0;
      group.free.length = 0;
    }
    this.nameOf.fill(-1);
    this.placeNameOf.fill(-1);
    this.tintShown = -1;
    this.drawGround();
    this.drawPlaces();
    this.wake();
  }

  /** Other people, or other places: all particles anew. */
  populate(): void {
    const { people, places } = this.o.model;
    const count = people.length;
    this.sx = new Float32Array(count);
    this.sy = new Float32Array(count);
    this.iconsShown = new Int8Array(count).fill(-2);
    for (const group of [this.names, this.placeNames]) freeAll(group);
    this.nameOf = new Int32Array(count).fill(-1);
    this.placeNameOf = new Int32Array(places.length).fill(-1);
    this.named = new Uint8Array(count);
    this.others = new Uint16Array(count);
    this.nameWidths = Float32Array.from(people, ({ name }) => widthOf(name));
    this.dots.particleChildren = people.map((one) => new Particle({ texture: this.dotTexture, anchorX: 0.5, anchorY: 0.5, tint: colourOf(one.id, this.look) }));
    this.icons.particleChildren = people.map(() => new Particle({ texture: this.iconTextures[0]!, anchorX: 0, anchorY: 1, alpha: 0 }));
    this.zoomShown = 0;
    this.drawGround();
    this.drawPlaces();
    for (let i = 0; i < count; i++) this.changed(i);
    this.wake();
  }

  /** Somebody does something else now. */
  changed(i: number, action = this.o.model.people[i]!.action): void {
    const icon = iconOf(action);
    this.wake();
    if (this.iconsShown[i] === icon) return;
    this.iconsShown[i] = icon;
    const particle = this.icons.particleChildren[i]!;
    particle.alpha = icon < 0 ? 0 : 1;
    if (icon >= 0) particle.texture = this.iconTextures[icon]!;
    this.icons.update();
  }

  private drawGround(): void {
    const { model } = this.o;
    const { ground, look } = this;
    ground.clear();
    const { x, y, width, height } = model.bounds;
    ground.roundRect(x - 400, y - 400, width + 800, height + 800, 40).fill(look.around);
    ground.roundRect(x, y, width, height, GROUND_ROUND).fill(look.ground);
    for (const [a, b] of roads(model.places)) {
      ground.moveTo(a.x + a.width / 2, a.y + a.height / 2).lineTo(b.x + b.width / 2, b.y + b.height / 2);
    }
    if (model.places.length > 1) ground.stroke({ color: look.road, width: 9, cap: 'round', join: 'round' });
  }

  private drawPlaces(): void {
    const { blocks, look } = this;
    blocks.clear();
    for (const place of this.o.model.places) {
      const { x, y, width, height } = place;
      blocks.roundRect(x, y, width, height, roundOf(place))
        .fill({ color: colourOfPlace(place, look), alpha: place.is_open ? 1 : SHUT })
        .stroke({ color: look.edge, width: 1, alignment: 0.5 });
      for (const tree of treesOf(place)) blocks.circle(tree.x, tree.y, tree.radius).fill(look.tree);
    }
  }

  /** At night lamps are lit where somebody is: `crowd` says how many are in each place. */
  drawLamps(crowd: ReadonlyMap<number, number>): void {
    const { lamps, look } = this;
    lamps.clear();
    for (const place of this.o.model.places) {
      if (!place.is_indoor || !crowd.get(place.id)) continue;
      lamps.roundRect(place.x + 2, place.y + 2, place.width - 4, place.height - 4, roundOf(place)).fill({ color: look.lamp, alpha: 0.3 });
    }
    this.wake();
  }

  get isNight(): boolean {
    return this.lamps.visible;
  }

  /** Around the places that are chosen or pointed at. */
  markPlaces(chosen: number, hovered: number): void {
    if (chosen === this.chosenPlace && hovered === this.hoveredPlace) return;
    this.chosenPlace = chosen;
    this.hoveredPlace = hovered;
    this.edges.clear();
    for (const at of [chosen, hovered]) {
      const place = this.o.model.places[at];
      if (place) this.edges.roundRect(place.x, place.y, place.width, place.height, roundOf(place)).stroke({ color: this.look.mark, width: 2.5 });
    }
    this.wake();
  }

  private drawGrid(): void {
    const { grid } = this;
    grid.clear();
    grid.visible = this.showGrid;
    if (!this.showGrid) return;
    const { zoom } = this.o.camera;
    const step = zoom < 0.5 ? 100 : zoom > 2 ? 25 : 50;
    const { x, y, width, height } = this.o.model.bounds;
    for (let at = Math.ceil(x / step) * step; at <= x + width; at += step) grid.moveTo(at, y).lineTo(at, y + height);
    for (let at = Math.ceil(y / step) * step; at <= y + height; at += step) grid.moveTo(x, at).lineTo(x + width, at);
    grid.stroke({ color: this.look.edge, width: 1 / zoom, alpha: 0.8 });
  }

  resize(): void {
    const { camera } = this.o;
    this.renderer.resize(camera.width, camera.height);
    this.wake();
  }

  /** Draw at the next chance; `all`: the camera or everybody has moved. */
  wake(all = true): void {
    this.dirty ||= all;
    if (this.asked || this.dead) return;
    this.asked = requestAnimationFrame(this.frame);
  }

  /** Worth a picture although nobody walks: the light has changed. */
  isLate(now: number): boolean {
    return this.lightNow(this.past?.minute ?? this.o.minuteAt(now)) !== this.tintShown;
  }

  /** The painter is behind: what is asked of it now would keep the page waiting, its buttons too. */
  private isBehind(): boolean {
    const { gl } = this.renderer;
    while (this.fences.length && gl.clientWaitSync(this.fences[0]!, 0, 0) !== gl.TIMEOUT_EXPIRED) gl.deleteSync(this.fences.shift()!);
    return this.fences.length >= UNDER_WAY;
  }

  private paint(): void {
    this.renderer.render(this.stage);
    const { gl } = this.renderer;
    const fence = this.renderer.context.webGLVersion === 2 ? gl.fenceSync(gl.SYNC_GPU_COMMANDS_COMPLETE, 0) : null;
    if (fence) this.fences.push(fence);
  }

  private frame = (now: number): void => {
    this.asked = 0;
    if (this.dead) return;
    if (this.isBehind()) return this.wake(false);
    const began = performance.now();
    const { model } = this.o;
    const minute = this.past?.minute ?? this.o.minuteAt(began);
    const arrivals = model.arrivals;
    const walking = !this.past && model.advance(minute);
    if (arrivals !== model.arrivals) this.dirty = true;
    const x = this.past?.x ?? model.x;
    const y = this.past?.y ?? model.y;
    if (this.followed >= 0 && this.followed < x.length) {
      this.o.camera.centre(x[this.followed]!, y[this.followed]!);
      this.dirty = true;
    }
    this.project(x, y, now);
    this.light(minute);
    const falling = this.fall(now);
    const ready = performance.now();
    this.o.drawn();
    this.paint();
    this.measure(now, ready - began, performance.now() - ready);
    this.dirty = false;
    const next = this.coming.shift();
    for (const one of next ?? []) one.renderable = true;
    if (next) return this.wake();
    if ((walking || falling) && !this.still && this.visible) this.wake(false);
  };

  private measure(now: number, update: number, draw: number): void {
    const at = this.frames++ % FRAMES_KEPT;
    this.gaps[at] = now - this.lastFrame;
    this.updates[at] = update;
    this.draws[at] = draw;
    this.lastFrame = now;
  }

  stats(): Stats {
    const count = Math.min(this.frames, FRAMES_KEPT);
    const sorted = (of: Float32Array): Float32Array => of.slice(0, count).sort();
    const mean = (of: Float32Array): number => of.reduce((sum, one) => sum + one, 0) / (count || 1);
    const high = (of: Float32Array): number => sorted(of)[Math.floor(count * 0.95)] ?? 0;
    return {
      frames: this.frames, fps: 1000 / (sorted(this.gaps)[count >> 1] || 1), update: mean(this.updates.subarray(0, count)), update95: high(this.updates),
      draw: mean(this.draws.subarray(0, count)), draw95: high(this.draws), particles: this.sx.length, names: this.names.all.length - this.names.free.length,
    };
  }

  /** From now on, count anew. */
  resetStats(): void {
    this.frames = 0;
  }

  /** The world onto the screen: everybody when the camera has moved, else who walks. */
  private project(x: Float32Array, y: Float32Array, now: number): void {
    const { camera, model } = this.o;
    const { zoom } = camera;
    const all = this.dirty;
    if (all) {
      this.world.scale.set(zoom);
      this.world.position.set(-camera.x * zoom, -camera.y * zoom);
      this.lamps.scale.set(zoom);
      this.lamps.position.copyFrom(this.world.position);
      if (this.zoomShown !== zoom) this.rescale(zoom);
      for (let i = 0; i < x.length; i++) this.put(i, x[i]!, y[i]!);
      this.namePlaces();
    } else {
      for (let at = 0; at < model.moverCount; at++) {
        const i = model.movers[at]!;
        this.put(i, x[i]!, y[i]!);
      }
    }
    this.namePeople(now);
    this.drawMark();
  }

  private put(i: number, x: number, y: number): void {
    const { camera } = this.o;
    const sx = (x - camera.x) * camera.zoom;
    const sy = (y - camera.y) * camera.zoom;
    this.sx[i] = sx;
    this.sy[i] = sy;
    const dot = this.dots.particleChildren[i]!;
    dot.x = sx;
    dot.y = sy;
    const icon = this.icons.particleChildren[i]!;
    icon.x = sx + 3;
    icon.y = sy - 3;
  }

  private rescale(zoom: number): void {
    this.zoomShown = zoom;
    const radius = Math.min(15, Math.max(3, 6 * zoom));
    const scale = (radius * 2.3) / DOT;
    for (const dot of this.dots.particleChildren) dot.scaleX = dot.scaleY = scale;
    const iconScale = Math.min(20, Math.max(12, 12 * zoom)) / ICON;
    for (const icon of this.icons.particleChildren) icon.scaleX = icon.scaleY = iconScale;
    this.icons.visible = zoom >= 0.8;
    this.dots.update();
    this.icons.update();
    this.drawGrid();
  }

  /** The grid was turned on or off. */
  gridChanged(): void {
    this.drawGrid();
    this.wake();
  }

  private isIn(sx: number, sy: number): boolean {
    return sx > -40 && sy > -20 && sx < this.o.camera.width + 40 && sy < this.o.camera.height + 20;
  }

  /** Names of those who are seen, unless they are too many. */
  private namePeople(now: number): void {
    const { model, camera } = this.o;
    const { sx, sy, names, named, others } = this;
    const below = Math.min(15, Math.max(3, 6 * camera.zoom)) + 1;
    if (this.dirty || now - this.namedAt > NAMES_MS) {
      this.namedAt = now;
      this.makeRoom(below);
    }
    for (let at = 0; at < names.all.length; at++) {
      const i = names.owner[at]!;
      if (i >= 0 && !(named[i] && this.isIn(sx[i]!, sy[i]!))) this.dropName(at);
    }
    for (let i = 0; i < sx.length; i++) {
      if (!named[i] || !this.isIn(sx[i]!, sy[i]!)) continue;
      let at = this.nameOf[i]!;
      if (at < 0) {
        at = take(names, NAMES_MOST, this.look.name, NAME_SIZE, '500');
        if (at < 0) continue;
        names.owner[at] = i;
        this.nameOf[i] = at;
      }
      const label = names.all[at]!;
      const text = others[i] ? `${model.people[i]!.name} +${others[i]}` : model.people[i]!.name;
      if (label.text !== text) label.text = text;
      label.position.set(Math.round(sx[i]!), Math.round(sy[i]! + below));
    }
  }

  /** Whose names there is room for: who is chosen first, then who had one, so that they stay. */
  private makeRoom(below: number): void {
    const { sx, sy, named, others } = this;
    const near = this.showNames && this.o.camera.zoom >= NAMES_ZOOM;
    let seen = 0;
    if (near) for (let i = 0; i < sx.length; i++) if (this.isIn(sx[i]!, sy[i]!)) seen++;
    const all = near && seen <= NAMES_MOST;
    named.fill(0);
    others.fill(0);
    this.coveredCount = this.coveredByPlaces;
    for (let turn = 0; turn < (all ? 3 : 1); turn++) {
      for (let i = 0; i < sx.length; i++) {
        const own = i === this.selected || i === this.followed ? 0 : this.nameOf[i]! >= 0 ? 1 : 2;
        if (own !== turn || named[i] || !this.isIn(sx[i]!, sy[i]!)) continue;
        const top = sy[i]! + below;
        const half = this.nameWidths[i]! / 2;
        const by = this.cover(sx[i]! - half, top, sx[i]! + half, top + NAME_HEIGHT, i, turn === 0);
        if (by === NOBODY) named[i] = 1;
        else if (by >= 0 && Math.hypot(sx[i]! - sx[by]!, sy[i]! - sy[by]!) < BESIDE && ++others[by]! === 1) this.widen(by);
      }
    }
  }

  /** Takes this room for a name, and says that it was nobody's; else, whose it is. */
  private cover(left: number, top: number, right: number, bottom: number, owner: number, anyway = false): number {
    const { covered } = this;
    for (let at = 0; at < 5 * this.coveredCount && !anyway; at += 5) {
      if (left >= covered[at + 2]! || right <= covered[at]! || top >= covered[at + 3]! || bottom <= covered[at + 1]!) continue;
      return covered[at + 4]!;
    }
    if (5 * this.coveredCount < covered.length) covered.set([left, top, right, bottom, owner], 5 * this.coveredCount++);
    return NOBODY;
  }

  /** A number comes behind this name. */
  private widen(owner: number): void {
    for (let at = 0; at < 5 * this.coveredCount; at += 5) {
      if (this.covered[at + 4] !== owner) continue;
      this.covered[at]! -= NAME_SIZE;
      this.covered[at + 2]! += NAME_SIZE;
    }
  }

  private dropName(at: number): void {
    this.nameOf[this.names.owner[at]!] = -1;
    give(this.names, at);
  }

  private namePlaces(): void {
    const { model, camera } = this.o;
    const near = this.showNames && camera.zoom >= PLACE_NAMES_ZOOM;
    this.coveredCount = 0;
    for (let turn = 0; turn < 2; turn++) {
      for (let p = 0; p < model.places.length; p++) {
        const first = p === this.chosenPlace || p === this.hoveredPlace;
        if (first === (turn === 0)) this.namePlace(p, near);
      }
    }
    this.coveredByPlaces = this.coveredCount;
  }

  private namePlace(p: number, near: boolean): void {
    const { camera, model } = this.o;
    const place = model.places[p]!;
    const sx = camera.toScreenX(place.x + place.width / 2);
    const sy = camera.toScreenY(place.y) - 17;
    const half = widthOf(place.name) / 2;
    let at = this.placeNameOf[p]!;
    if (!near || !this.isIn(sx, sy) || this.cover(sx - half, sy, sx + half, sy + NAME_HEIGHT, -1) !== NOBODY) {
      if (at >= 0) give(this.placeNames, at);
      this.placeNameOf[p] = -1;
      return;
    }
    if (at < 0) {
      at = take(this.placeNames, PLACE_NAMES_MOST, this.look.placeName, NAME_SIZE, '600');
      if (at < 0) return;
      this.placeNameOf[p] = at;
      this.placeNames.all[at]!.text = place.name;
    }
    this.placeNames.all[at]!.position.set(Math.round(sx), Math.round(sy));
  }

  /** The ring around who is chosen, and the way that is still before them. */
  private drawMark(): void {
    const i = this.selected;
    const { mark, look } = this;
    if (i < 0 || i >= this.sx.length) {
      mark.visible = false;
      return;
    }
    const { camera, model } = this.o;
    mark.visible = true;
    mark.clear();
    const sx = this.sx[i]!;
    const sy = this.sy[i]!;
    if (!this.past && model.isMoving(i)) {
      const gx = camera.toScreenX(model.goalX(i));
      const gy = camera.toScreenY(model.goalY(i));
      mark.moveTo(sx, sy).lineTo(gx, gy).stroke({ color: look.mark, width: 2, alpha: 0.6, cap: 'round' }).circle(gx, gy, 4).fill(look.mark);
    }
    mark.circle(sx, sy, Math.min(15, Math.max(3, 6 * camera.zoom)) + 4).stroke({ color: look.mark, width: 3 });
  }

  private lightNow(minute: number): number {
    return lightAt(minute, this.look.night);
  }

  private light(minute: number): void {
    const tint = this.lightNow(minute);
    this.night.setSize(this.o.camera.width, this.o.camera.height);
    this.lamps.visible = isNight(minute);
    if (tint === this.tintShown) return;
    this.tintShown = tint;
    this.night.tint = tint;
    this.night.visible = tint !== 0xffffff;
  }

  /** Rain, snow, fog and clouds. True: something falls, so the next frame is another. */
  private fall(now: number): boolean {
    const { drops, veil } = this;
    const { width, height } = this.o.camera;
    const grey = { cloudy: 0.06, rainy: 0.1, stormy: 0.18, snowy: 0.08, foggy: 0.3 }[this.weather] ?? 0;
    veil.visible = grey > 0 && !this.past;
    if (veil.visible) {
      veil.setSize(width, height);
      veil.tint = this.weather === 'foggy' ? this.look.fog : this.look.cloud;
      veil.alpha = grey;
    }
    const snow = this.weather === 'snowy';
    const rain = this.weather === 'rainy' || this.weather === 'stormy';
    const falls = (snow || rain) && !this.still && !this.past;
    if (drops.visible !== falls) {
      drops.visible = falls;
      for (let i = 0; i < DROPS; i++) {
        const one = drops.particleChildren[i]!;
        one.scaleX = snow ? 0.5 : 0.16;
        one.scaleY = snow ? 0.12 : 0.5;
        one.tint = snow ? this.look.snow : this.look.rain;
      }
      drops.update();
    }
    if (!falls) return false;
    const speed = snow ? 0.04 : this.weather === 'stormy' ? 0.75 : 0.5;
    const drift = snow ? 0.01 : this.weather === 'stormy' ? -0.16 : -0.04;
    for (let i = 0; i < DROPS; i++) {
      // Each has a place and a pace of its own; where it is follows from the time alone.
      const own = 0.7 + ((i * 37) % 60) / 100;
      const one = drops.particleChildren[i]!;
      one.y = (((i * 7919) % 1000) / 1000 * height + now * speed * own) % (height + 40) - 20;
      const x = (((i * 104729) % 1000) / 1000 * width + now * drift * own) % (width + 40);
      one.x = x < 0 ? x + width + 20 : x - 20;
    }
    return true;
  }
}

/** About so wide is a name: exactly is known only when it is drawn. */
function widthOf(name: string): number {
  let width = 6;
  for (const sign of name) width += NAME_SIZE * (sign > '\u2e7f' ? 1 : 0.58);
  return width;
}

/** Steps of the golden angle, as avatars have them. */
function colourOf(id: number, look: MapLook): number {
  return hsl(((id * 137.5) % 360) / 360, 0.52, look.dotLight);
}

function hsl(hue: number, saturation: number, light: number): number {
  const reach = saturation * Math.min(light, 1 - light);
  let colour = 0;
  for (const offset of [0, 8, 4]) {
    const k = (offset + hue * 12) % 12;
    colour = colour * 256 + Math.round(255 * (light - reach * Math.max(-1, Math.min(k - 3, 9 - k, 1))));
  }
  return colour;
}

function labels(): Labels {
  return { root: new Container(), all: [], owner: new Int32Array(Math.max(NAMES_MOST, PLACE_NAMES_MOST)).fill(-1), free: [] };
}

function take(group: Labels, most: number, colour: { fill: number; halo: number }, size: number, weight: '500' | '600'): number {
  const at = group.free.pop() ?? group.all.length;
  if (at >= most) return -1;
  if (at === group.all.length) {
    const label = new BitmapText({
      text: '', anchor: { x: 0.5, y: 0 },
      style: { fontFamily: FONT, fontSize: size, fontWeight: weight, fill: colour.fill, stroke: { color: colour.halo, width: 3, join: 'round' } },
    });
    group.all.push(label);
    group.root.addChild(label);
  }
  group.all[at]!.visible = true;
  return at;
}

function give(group: Labels, at: number): void {
  group.owner[at] = -1;
  group.all[at]!.visible = false;
  group.free.push(at);
}

function freeAll(group: Labels): void {
  group.free.length = 0;
  for (let at = 0; at < group.all.length; at++) give(group, at);
}
