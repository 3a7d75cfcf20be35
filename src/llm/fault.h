/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * llm/fault.h: what a provider's failure means, and how a person is told.
 *
 * Providers say the same in a dozen forms (reference, 5.3, 7, 8.3, 10.2, 11,
 * 13): here they become one of the kinds of enum llm_fault.
 */
#pragma once

#include "llm/reader.h"

/* From a status and, may be NULL, the JSON of its body. */
struct llm_trouble llm_fault_read(int status, const struct json *body);
/* The same for a body that is no JSON: a proxy's page, plain text. */
struct llm_trouble llm_fault_read_text(int status, struct str body);

/* The site has nothing in that place: the fault is one of its address. */
void llm_fault_note_path(struct llm_trouble *trouble);

/* A body that came whole: LLM_FAULT_NONE when it is JSON with a good status and no error, then
 * `*tree_out` is the caller's to free; else it is NULL. */
struct llm_trouble llm_fault_read_body(int status, struct str body, struct json **tree_out);

/* "37s", "1m30s", "17ms", seconds with decimals, an HTTP date; -1: not understood. */
int64_t llm_retry_after_ms(struct str text, int64_t wall_us);

/* One sentence for the person: what happened and what to do. */
void llm_fault_sentence(enum llm_fault fault, const struct llm_site *site, struct str model,
                        const struct llm_trouble *trouble, struct why *why);

/* May the same be asked again after a pause? Another key? Another site? Does it count against the
 * site's health? */
struct llm_fault_rules {
    bool again, next_key, next_site, counts;
};
struct llm_fault_rules llm_fault_rules(enum llm_fault fault);
