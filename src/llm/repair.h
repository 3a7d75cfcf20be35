/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * llm/repair.h: what to leave out of a question, or to call by another name, after a model refused
 * it. Pure.
 *
 * What is left out for one is left out for all who ask that model later (llm/plan.c), so only a
 * lack of the model counts: a parameter or a value of it that it does not know. A number out of
 * its range, a faulty schema or two wishes that exclude each other are mistakes of one program, and
 * that program hears of them.
 */
#pragma once

#include "llm/reader.h"

/* The quirks to ask with next, after those in `quirks`; the same: there is nothing to mend. */
unsigned llm_quirks_after(unsigned quirks, const struct llm_trouble *trouble);
