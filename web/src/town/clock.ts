// SPDX-License-Identifier: AGPL-3.0-or-later
//
// The town's clock between two words of the server: it runs on at the town's pace, and what the
// server says is approached within two seconds, so nobody on the map jumps or walks backwards.

const SLEW_MS = 2000;

/** What a clock goes by; another with the same goes the same. */
export interface ClockState {
  running: boolean;
  base: number;
  since: number;
  rate: number;
  slew: number;
}

export class TownClock {
  running = false;
  private base = 0;
  private since = 0;
  /** Game minutes in a millisecond. */
  private rate = 0;
  private slew = 0;

  get state(): ClockState {
    const { running, base, since, rate, slew } = this;
    return { running, base, since, rate, slew };
  }

  set state(state: ClockState) {
    Object.assign(this, state);
  }

  /** Game minutes, with their fraction, at `now` (milliseconds of any clock that only goes on). */
  at(now: number): number {
    if (!this.running) return this.base;
    const gone = Math.max(0, now - this.since);
    return this.base + gone * this.rate + Math.min(gone, SLEW_MS) * this.slew;
  }

  /** `speed`: game minutes in a real minute. */
  pace(running: boolean, speed: number, now: number): void {
    this.base = this.at(now);
    this.since = now;
    this.slew = 0;
    this.running = running;
    this.rate = speed / 60_000;
  }

  /** The server's clock stands at `minute`. */
  sync(minute: number, now: number): void {
    const mine = this.at(now);
    const off = minute - mine;
    this.since = now;
    this.slew = 0;
    if (!this.running || Math.abs(off) > Math.max(5, 4000 * this.rate)) {
      this.base = minute;
      return;
    }
    this.base = mine;
    this.slew = Math.max(off / SLEW_MS, -0.6 * this.rate);
  }

  /** How many real milliseconds so many game minutes take. */
  lasts(minutes: number): number {
    return this.rate > 0 ? minutes / this.rate : Infinity;
  }
}
