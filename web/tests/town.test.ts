// SPDX-License-Identifier: AGPL-3.0-or-later
//
// The town's arithmetic: clock, camera, light, who is where now and at a minute of the log.
import { describe, expect, test } from 'vitest';
import { around, Camera } from '../src/town/camera';
import { TownClock } from '../src/town/clock';
import { DemoTown } from '../src/town/demo';
import { nextOf, spotX, spotY, TownModel, within } from '../src/town/model';
import { everybodyAt, Past } from '../src/town/past';
import { roads } from '../src/town/roads';
import { isNight, lightAt } from '../src/town/sky';
import { clockOf, dayOf, iconOf, ICONS, typeOf, type Log, type Place, type State } from '../src/town/types';

const place = (id: number, x: number, y: number): Place => ({
  id, name: `place ${id}`, location_type: 'public', x, y, width: 40, height: 40, is_indoor: false, is_open: true, occupants: 0,
});
const home = place(1, 0, 0);
const park = place(2, 300, 0);
const state = (id: number, more: Partial<State> = {}): State => ({
  id, name: `n${id}`, x: 0, y: 0, location_id: 1, action: 'rest', doing: '', since: 0, until: 60, emotion: 'happy', ...more,
});
const log = (more: Partial<Log>): Log => ({
  id: 1, character_id: 7, character_name: 'n7', action_type: 'rest', action_name: 'rest', description: 'rests', location_id: 1,
  location_name: 'place 1', target_character_id: null, target_character_name: null, extra_data: null,
  game_day: 1, game_time: '08:00', duration: 60, reason: null, result: null, success: true, created_at: '', ...more,
});

describe('the clock', () => {
  test("runs at the town's pace and stands while it is paused", () => {
    const clock = new TownClock();
    clock.sync(480, 0);
    clock.pace(true, 60, 0);
    expect(clock.at(5000)).toBeCloseTo(485);
    clock.pace(false, 60, 5000);
    expect(clock.at(99_000)).toBeCloseTo(485);
  });

  test('approaches the server without a step back, and jumps when it is far off', () => {
    const clock = new TownClock();
    clock.pace(true, 60, 0);
    clock.sync(100, 0);
    clock.pace(true, 60, 0);
    clock.sync(107, 10_000); // three behind us
    let last = clock.at(10_000);
    expect(last).toBeCloseTo(110);
    for (let now = 10_000; now <= 12_000; now += 50) {
      expect(clock.at(now)).toBeGreaterThanOrEqual(last);
      last = clock.at(now);
    }
    expect(last).toBeLessThan(112);
    clock.sync(900, 12_000);
    expect(clock.at(12_000)).toBe(900);
    expect(clock.lasts(6)).toBeCloseTo(6000);
  });
});

describe('the camera', () => {
  const camera = (): Camera => {
    const one = new Camera();
    one.bounds = { x: 0, y: 0, width: 1000, height: 500 };
    one.resize(500, 500);
    one.fit();
    return one;
  };

  test('fits the town and turns world into screen and back', () => {
    const one = camera();
    expect(one.zoom).toBeCloseTo(0.5);
    expect(one.toScreenX(500)).toBeCloseTo(250);
    expect(one.toScreenY(250)).toBeCloseTo(250);
    expect(one.toWorldX(one.toScreenX(123))).toBeCloseTo(123);
  });

  test('keeps the point under the pointer and the limits of the zoom', () => {
    const one = camera();
    const before = one.toWorldX(200);
    one.zoomAt(2, 200, 240);
    expect(one.toWorldX(200)).toBeCloseTo(before);
    one.zoomAt(1000);
    expect(one.zoom).toBe(6);
    one.zoomAt(0.00001);
    expect(one.zoom).toBeCloseTo(0.2);
  });

  test('does not leave the town, and another size keeps the middle', () => {
    const one = camera();
    one.pan(1e6, 1e6);
    expect(one.toWorldX(one.width / 2)).toBeCloseTo(0);
    expect(one.toWorldY(one.height / 2)).toBeCloseTo(0);
    one.centre(400, 200);
    one.resize(900, 300);
    expect(one.toWorldX(450)).toBeCloseTo(400);
    expect(one.toWorldY(150)).toBeCloseTo(200);
  });

  test('has a box around nothing, too', () => {
    expect(around([], 10)).toEqual({ x: 0, y: 0, width: 20, height: 20 });
    expect(around([home, park], 10)).toEqual({ x: -10, y: -10, width: 360, height: 60 });
  });
});

describe('the light', () => {
  test('is white at noon, dark and blue at night, and has no seam at midnight', () => {
    expect(lightAt(12 * 60)).toBe(0xffffff);
    const night = lightAt(2 * 60);
    expect(night >> 16).toBeLessThan(night & 255);
    expect(lightAt(1439.99)).toBe(lightAt(1440));
    expect(lightAt(2 * 60, 0)).toBe(0xffffff);
    expect(isNight(60) && isNight(22 * 60) && !isNight(12 * 60)).toBe(true);
  });

  test('changes little from minute to minute', () => {
    for (let minute = 0; minute < 1440; minute++) {
      for (const shift of [0, 8, 16]) {
        const step = Math.abs(((lightAt(minute) >> shift) & 255) - ((lightAt(minute + 1) >> shift) & 255));
        expect(step).toBeLessThanOrEqual(3);
      }
    }
  });
});

describe('who is where', () => {
  test('somebody walks from where they are and is in at the end', () => {
    const model = new TownModel();
    model.load({ locations: [home, park], residents: [state(7), state(8)], minute: 10 });
    expect(model.advance(10)).toBe(false);
    expect([model.x[0], model.y[0]]).toEqual([Math.fround(spotX(home, 7)), Math.fround(spotY(home, 7))]);
    expect(model.hear({ what: 'began', minute: 10, id: 7, action: 'move_to', until: 20, to_location_id: 2 })).toBe(0);
    expect(model.advance(15)).toBe(true);
    expect(model.x[0]).toBeGreaterThan(spotX(home, 7) + 100);
    expect(model.x[0]).toBeLessThan(spotX(park, 7) - 100);
    expect(model.people[0]!.place).toBeNull();
    expect(model.occupants().get(1)).toBe(1);
    expect(model.advance(21)).toBe(false);
    expect(model.x[0]).toBeCloseTo(spotX(park, 7), 3);
    expect(model.people[0]!.place).toBe(2);
    expect(model.arrivals).toBe(1);
  });

  test('what begins ends a walk that our clock has not ended', () => {
    const model = new TownModel();
    model.load({ locations: [home, park], residents: [state(7)], minute: 0 });
    model.hear({ what: 'began', minute: 0, id: 7, action: 'move_to', until: 10, to_location_id: 2 });
    model.advance(9);
    model.hear({ what: 'began', minute: 10, id: 7, action: 'eat', until: 30, doing: 'eats' });
    expect(model.people[0]).toMatchObject({ place: 2, to: null, action: 'eat', doing: 'eats' });
    expect(model.x[0]).toBeCloseTo(spotX(park, 7), 3);
    expect(model.moverCount).toBe(0);
  });

  test('a snapshot in the middle of a walk goes on from there, and strangers change nothing', () => {
    const model = new TownModel();
    const walker = state(7, { location_id: null, x: 150, y: 20, action: 'move_to', to_location_id: 2, until: 20 });
    model.load({ locations: [home, park], residents: [walker, state(8)], minute: 10 });
    expect(model.moverCount).toBe(1);
    model.advance(10);
    expect(model.x[0]).toBeCloseTo(150);
    expect(model.hear({ what: 'began', minute: 10, id: 99, action: 'eat' })).toBe(-1);
    expect(model.hear({ what: 'sky', minute: 10 })).toBe(-1);
  });

  test('another model that takes its snapshot has everybody where they are, and on their way', () => {
    const model = new TownModel();
    model.load({ locations: [home, park], residents: [state(7), state(8)], minute: 10 });
    model.hear({ what: 'began', minute: 10, id: 7, action: 'move_to', until: 20, to_location_id: 2 });
    model.advance(14);
    const other = new TownModel();
    other.load(structuredClone(model.snapshot(14)));
    expect([...other.x]).toEqual([...model.x]);
    expect(other.people).toEqual(model.people);
    expect(other.advance(15)).toBe(true);
    expect(other.advance(21)).toBe(false);
    expect(other.x[0]).toBeCloseTo(spotX(park, 7), 3);
  });

  test('of several who stand in one place each tap is for the next', () => {
    expect([-1, 4, 9, 2, 7].map((before) => nextOf([4, 9, 2], before))).toEqual([4, 9, 2, 4, 4]);
    expect(nextOf([], 4)).toBeUndefined();
  });

  test('who is within reach is found, the nearest first', () => {
    const x = Float32Array.from([0, 10, 100]);
    const y = Float32Array.from([0, 0, 0]);
    expect(within(x, y, 8, 0, 5)).toEqual([1]);
    expect(within(x, y, 8, 0, 50)[0]).toBe(1);
    expect(within(x, y, 8, 0, 50).length).toBeGreaterThan(1);
    expect(within(x, y, 50, 0, 5)).toEqual([]);
  });
});

describe('the past', () => {
  const places = new Map([[1, home], [2, park]]);
  const past = new Past([
    log({ id: 3, action_type: 'eat', action_name: 'eat', description: 'eats', location_id: 2, game_time: '09:10', duration: 30 }),
    log({ id: 2, action_type: 'move', action_name: 'move_to', description: 'walks', location_id: 2, game_time: '09:00', duration: 10 }),
    log({ id: 1 }),
    log({ id: 4, action_type: 'move', location_id: 1, game_time: '10:00', duration: 10, success: false }),
    log({ id: 5, action_type: 'like', location_id: null, game_time: '09:15', duration: 0 }),
  ]);

  test('is where the log says, on the way between, and stays where it was', () => {
    expect(past.at(7, 8 * 60 + 30, places)).toMatchObject({ place: 1, doing: 'rests', unknown: false });
    const half = past.at(7, 9 * 60 + 5, places)!;
    expect(half.place).toBeNull();
    expect(half.x).toBeCloseTo((spotX(home, 7) + spotX(park, 7)) / 2);
    expect(past.at(7, 9 * 60 + 20, places)).toMatchObject({ place: 2, doing: 'eats' });
    expect(past.at(7, 12 * 60, places)).toMatchObject({ place: 2, doing: '', action: 'idle' });
    expect(past.at(7, 7 * 60, places)).toMatchObject({ place: 1, unknown: true });
    expect(past.at(8, 9 * 60, places)).toBeNull();
    expect(past.oldest).toBe(480);
  });

  test('includes what goes on now, and puts strangers to the log outside', () => {
    const model = new TownModel();
    model.load({ locations: [home, park], residents: [state(7, { location_id: 1, since: 700, until: 760, action: 'work', doing: 'works' }), state(9)], minute: 720 });
    const now = new Past([]);
    now.addNow(model);
    const shown = everybodyAt(now, model, 730);
    expect(shown.moments[0]).toMatchObject({ place: 1, doing: 'works' });
    const old = everybodyAt(past, model, 9 * 60 + 20);
    expect(old.x[0]).toBeCloseTo(spotX(park, 7), 3);
    expect(old.x[1]).toBeLessThan(-1000);
    expect(old.moments[1]).toBeNull();
  });
});

describe('the made-up town', () => {
  const words = { places: ['a'], names: ['Ada', 'Ben'], doing: { move_to: 'walks' }, lines: ['hi'], walk: (to: string) => `walks to ${to}` };

  test('lives, is the same for the same seed, and the map can follow it', () => {
    const towns = [new DemoTown(words, 130), new DemoTown(words, 130)] as const;
    const model = new TownModel();
    model.load(towns[0].town());
    expect(model.places.length).toBe(30);
    const first = towns[0].go(600);
    expect(towns[1].go(600)).toEqual(first);
    expect(first.happened.length).toBeGreaterThan(130);
    expect(first.said.length).toBeGreaterThan(0);
    for (const one of first.happened) {
      model.advance(one.minute);
      expect(model.hear(one)).toBeGreaterThanOrEqual(0);
    }
    model.advance(600);
    const truth = towns[0].town().residents;
    model.people.forEach((one, i) => expect(one.place ?? one.to).toBe(truth[i]!.to_location_id ?? truth[i]!.location_id));
  });
});

test('ways join all places, each once', () => {
  const many = Array.from({ length: 12 }, (_, i) => place(i + 1, (i % 4) * 100, Math.floor(i / 4) * 100));
  const found = roads(many);
  expect(found.length).toBe(11);
  const joined = new Set([many[0]!.id]);
  for (const [a, b] of found) {
    expect(joined.has(a.id)).toBe(true);
    joined.add(b.id);
  }
  expect(joined.size).toBe(12);
  expect(roads([])).toEqual([]);
});

test('words for minutes and kinds', () => {
  expect([clockOf(485.9), clockOf(1440), dayOf(1439), dayOf(1440)]).toEqual(['08:05', '00:00', 1, 2]);
  expect(typeOf({ what: 'began', action: 'greet' })).toBe('talk');
  expect(typeOf({ what: 'woke' })).toBe('wake_up');
  expect(typeOf({ what: 'began', action: 'look_around' })).toBe('other');
  expect(ICONS[iconOf('create_post')]).toBe('phone');
  expect(iconOf('move_to')).toBe(-1);
});
