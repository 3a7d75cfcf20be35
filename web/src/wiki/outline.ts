// SPDX-License-Identifier: AGPL-3.0-or-later

/** What is inside of what is shown: headings of a page, symbols of a file. */
export interface OutlineRow {
  hash: string;
  text: string;
  depth: number;
}
