// SPDX-License-Identifier: AGPL-3.0-or-later
//
// The map's colours, near those of styles.css.

export interface MapLook {
  ground: number;
  around: number;
  road: number;
  edge: number;
  mark: number;
  tree: number;
  /** What lies outdoors: parks, and squares and gardens. */
  park: number;
  green: number;
  lamp: number;
  rain: number;
  snow: number;
  fog: number;
  cloud: number;
  other: number;
  kinds: Record<string, number>;
  name: { fill: number; halo: number };
  placeName: { fill: number; halo: number };
  dotLight: number;
  /** How much of the light's colour is seen. */
  night: number;
}

export const LOOKS: Record<'light' | 'dark', MapLook> = {
  light: {
    ground: 0xf4efe6, around: 0xe6e4d3, road: 0xe4dacb, edge: 0xcdbfae, mark: 0xa63c27, tree: 0x8fb37f, park: 0xc6ddb9, green: 0xdbe2c3, lamp: 0xffc46b,
    rain: 0x6f8fb0, snow: 0xffffff, fog: 0xf6f3ee, cloud: 0x8a8f9a, other: 0xe2dbd0,
    kinds: {
      public: 0xe9dcc3, commercial: 0xf1cfb6, residential: 0xd8dcea, workplace: 0xdbd7d0, medical: 0xf3cfcd, government: 0xdfd0e4,
      education: 0xf2e4b4, recreation: 0xc6ddb9,
    },
    name: { fill: 0x2a2420, halo: 0xfffdfa }, placeName: { fill: 0x6a4a3a, halo: 0xfffdfa }, dotLight: 0.45, night: 0.8,
  },
  dark: {
    ground: 0x26221e, around: 0x1e1e1a, road: 0x38322c, edge: 0x51483f, mark: 0xf0936f, tree: 0x5b7a50, park: 0x37492f, green: 0x3f4630, lamp: 0xc98a3a,
    rain: 0x9db8d4, snow: 0xe8e8ee, fog: 0x8a847c, cloud: 0x14161c, other: 0x3c3630,
    kinds: {
      public: 0x4a4234, commercial: 0x573f30, residential: 0x3a4052, workplace: 0x45423d, medical: 0x573a3a, government: 0x493c50,
      education: 0x524a2e, recreation: 0x37492f,
    },
    name: { fill: 0xf0e8df, halo: 0x1a1715 }, placeName: { fill: 0xd9c3ae, halo: 0x1a1715 }, dotLight: 0.62, night: 0.5,
  },
};
