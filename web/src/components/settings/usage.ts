// SPDX-License-Identifier: AGPL-3.0-or-later
//
// Sums of what was used, see docs/gateway.md.
import type { Schemas } from '@/api/client';

export type UsageRow = Schemas['UsageRow'];
export type By = 'day' | 'key' | 'model';

export interface Sum {
  name: string;
  requests: number;
  input: number;
  output: number;
  estimated: number;
  /** Millionths of the unit of the prices; null: no price is known for any of it. */
  cost: number | null;
  /** There were requests without a price: it cost more than `cost`. */
  unpriced: boolean;
}

function nothing(name: string): Sum {
  return { name, requests: 0, input: 0, output: 0, estimated: 0, cost: null, unpriced: false };
}

function add(sum: Sum, row: UsageRow): void {
  sum.requests += row.requests;
  sum.input += row.input_tokens;
  sum.output += row.output_tokens;
  sum.estimated += row.estimated_tokens;
  if (row.cost_micro !== null) sum.cost = (sum.cost ?? 0) + row.cost_micro;
  sum.unpriced ||= row.unpriced_requests > 0;
}

export function total(rows: UsageRow[]): Sum {
  const sum = nothing('');
  for (const row of rows) add(sum, row);
  return sum;
}

/** Days newest first; keys and models by what they used, the most first. */
export function sums(rows: UsageRow[], by: By): Sum[] {
  const found = new Map<string, Sum>();
  for (const row of rows) {
    // Two keys may have one name.
    const key = by === 'day' ? row.day : by === 'key' ? String(row.key_id) : `${row.site}/${row.model}`;
    const sum = found.get(key) ?? nothing(by === 'key' ? row.key_name : key);
    found.set(key, sum);
    add(sum, row);
  }
  const all = [...found.values()];
  if (by === 'day') return all.sort((a, b) => (a.name < b.name ? 1 : -1));
  return all.sort((a, b) => b.input + b.output - a.input - a.output);
}
