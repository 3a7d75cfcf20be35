/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * llm/extract.h: the JSON in a model's answer.
 *
 * Asked for JSON, models answer with JSON, with JSON in a fence, with a sentence
 * before and after, with two drafts, with commas too many, and stop in the middle
 * when their limit is reached. What is tried, in order, until something parses and
 * is of the kind wanted:
 *
 *  1. the whole text
 *  2. the same behind the reasoning: `</think>` cuts off all up to its last, unless it
 *     stands in JSON
 *  3. fenced blocks, the last one first: models restate
 *  4. every object or array in the text, the longest first
 *  5. the same, mended (llm/loose.h says how)
 *  6. wanted an array: two or more objects one behind the other, as a list
 *  7. what was cut off at the end of the text, closed: marked partial
 *
 * An object inside of something larger is never taken for the answer: where the
 * larger one was meant as JSON but cannot be mended there is none, and where it
 * also never ends the result is partial. So of an answer that was cut off anywhere
 * the result is partial or none, with two exceptions no reader of the text alone can
 * tell: the cut fell between two drafts, or between two objects of a list (6).
 * Where the provider said why the answer ended, believe that too.
 *
 * Work is bounded by the length of the text: at most some 40 bytes are read for each.
 */
#pragma once

#include "base/buf.h"
#include "base/err.h"

enum extract_want { EXTRACT_ANY, EXTRACT_OBJECT, EXTRACT_ARRAY }; /* any: an object or an array */

enum { EXTRACT_TEXT_MAX = 1 << 20 };

/*
 * `json_out` is reset; on OK it holds text that json_parse() accepts, an object or
 * an array as wanted, at most 6 times as long as `text`. `*partial_out`: something is or may be
 * missing at its end. ERR_INVALID: none to be found, the sentence says why in words that a model
 * can use. ERR_LIMIT: `text` is longer than EXTRACT_TEXT_MAX, or the JSON than json_out's ceiling.
 */
MUST_USE enum err extract_json(struct str text, enum extract_want want, struct buf *json_out,
                               bool *partial_out, struct why *why);
