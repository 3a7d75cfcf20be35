/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * wiki/diagram.h: diagrams in pages that a model wrote, as far as they can be mended.
 *
 * Models write flowcharts in Mermaid's language whose labels hold what the
 * language itself uses: A[read(fd)] is an error there, A["read(fd)"] is none.
 * In ```mermaid blocks that are flowcharts such labels are put into quotes
 * (https://mermaid.js.org/syntax/flowchart.html); a flowchart with a line whose
 * brackets still do not match becomes a block of text, because a reader can read
 * that, and no program can draw it. Other kinds of diagrams stay as they are.
 *
 * Pure; any thread.
 */
#pragma once

#include "base/buf.h"

/* The page with its diagrams mended, appended. Gives how many were made into text. */
size_t wiki_diagrams_mend(struct str markdown, struct buf *to);
