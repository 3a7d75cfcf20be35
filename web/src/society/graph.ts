// SPDX-License-Identifier: AGPL-3.0-or-later
//
// Where the circles of the graph of ties stand: d3-force, the same picture for the same ties.
import { forceCenter, forceCollide, forceLink, forceManyBody, forceSimulation, forceX, forceY, type SimulationLinkDatum, type SimulationNodeDatum } from 'd3-force';
import type { Schemas } from '@/api/client';

export type Ties = Schemas['TownTies'];
export interface Knot extends SimulationNodeDatum {
  id: number;
  name: string;
  ties: number;
  radius: number;
}
export interface Tie extends SimulationLinkDatum<Knot> {
  source: Knot;
  target: Knot;
  /** The stronger one's. */
  bond: number;
  mutual: boolean;
}

/** Both ways as one line. */
export function knotsAndTies(told: Ties): { knots: Knot[]; ties: Tie[] } {
  const knots = told.residents.map(({ id, name, ties }) => ({ id, name, ties, radius: 6 + Math.min(10, Math.sqrt(ties) * 2) }));
  const byId = new Map(knots.map((knot) => [knot.id, knot]));
  const pairs = new Map<string, Tie>();
  for (const { from, to, bond } of told.ties) {
    const [source, target] = [byId.get(Math.min(from, to)), byId.get(Math.max(from, to))];
    if (!source || !target) continue;
    const key = `${source.id} ${target.id}`;
    const known = pairs.get(key);
    if (known) Object.assign(known, { mutual: true, bond: Math.max(known.bond, bond) });
    else pairs.set(key, { source, target, bond, mutual: false });
  }
  return { knots, ties: [...pairs.values()] };
}

const TICKS = 300;
const A_TURN = 15;

/** Lets the knots find their places, a few milliseconds at a time; `drawn` after each turn. Returns how to end it. */
export function settle(knots: Knot[], ties: Tie[], drawn: () => void): () => void {
  const forces = forceSimulation(knots).stop()
    .force('ties', forceLink(ties).distance(70).strength((tie) => 0.1 + (tie.bond / 100) * 0.4))
    .force('apart', forceManyBody().strength(-160).distanceMax(400))
    .force('room', forceCollide<Knot>((knot) => knot.radius + 8))
    .force('x', forceX(0).strength(0.06))
    .force('y', forceY(0).strength(0.09))
    .force('centre', forceCenter(0, 0));
  let left = TICKS;
  let frame = 0;
  function turn(): void {
    forces.tick(Math.min(A_TURN, left));
    left -= A_TURN;
    drawn();
    if (left > 0) frame = requestAnimationFrame(turn);
  }
  turn();
  return () => cancelAnimationFrame(frame);
}
