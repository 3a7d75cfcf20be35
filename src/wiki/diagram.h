/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * wiki/diagram.h: diagrams in pages that a model wrote, as far as they can be mended.
 *
 * Models write diagrams in Mermaid's language (https://mermaid.js.org/) whose texts
 * hold what the language itself uses: A[read(fd)] is an error in a flowchart,
 * "A->>B: x; y" one in a sequence diagram. In ```mermaid blocks
 *
 *   - of flowcharts such labels are put into quotes;
 *   - of sequence, class, state and entity diagrams, pies, mind maps, timelines and
 *     journeys each line is read as a statement of a small language of our own, and
 *     written as Mermaid takes it for sure: names that are no words get an id and are
 *     shown as they were, what ends a text stands as #59;, ends that are missing are
 *     added, what cannot be (to deactivate who is not active) goes;
 *   - of other kinds that Mermaid knows, the first line is put right, and there must be
 *     something below it.
 *
 * A line that is no statement, or a kind that nobody knows: the block becomes one of
 * text, because a reader can read that, and no program can draw it. Settings before
 * a diagram and lines about looks that are not surely right are left away. Mended
 * once more, a page stays as it is.
 *
 * Pure; any thread.
 */
#pragma once

#include "base/buf.h"

/* The page with its diagrams mended, appended. Gives how many were made into text. */
size_t wiki_diagrams_mend(struct str markdown, struct buf *to);
