/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * llm/tally.h: what was asked of each site since the start, in numbers.
 *
 * A call may make several requests, at several sites: requests and failures count where they were
 * made, a call's beginning at the site it was meant for, its end at the one that was asked last.
 * What a journal replays counts nowhere.
 *
 * Counted some times in a call, never for a piece. Any thread.
 */
#pragma once

#include <stdatomic.h>

#include "llm/gate.h"
#include "llm/llm.h"

enum llm_kind { LLM_KIND_CHAT, LLM_KIND_EMBEDDING, LLM_KINDS };
enum { LLM_ENDS = LLM_FAILED + 1, LLM_TALLY_TIMES = 14 };

/* Upper ends of the classes of time, ascending; what is slower counts in the one behind them. */
extern const int64_t llm_tally_times_us[LLM_TALLY_TIMES];

struct llm_times {
    atomic_ullong classes[LLM_TALLY_TIMES + 1]; /* not added up */
    atomic_ullong sum_us;
};

struct llm_tally {
    atomic_ullong started[LLM_KINDS];
    atomic_ullong ended[LLM_KINDS][LLM_ENDS][LLM_FAULT_COUNT];
    atomic_ullong requests, retries, failures[LLM_FAULT_COUNT];
    atomic_ullong input, output, estimated; /* tokens; the last: calls whose tokens are a guess */
    struct llm_times first, whole;          /* of chats: to the first piece, and to the end */
};

void llm_tally_start(struct llm_tally *tally, enum llm_kind kind);
/* One request goes out; `again`: after another of the same call to the same site. */
void llm_tally_request(struct llm_tally *tally, bool again);
/* A request is over: LLM_FAULT_NONE and _BUSY (nobody can say) are no failures. */
void llm_tally_answer(struct llm_tally *tally, enum llm_fault fault);
/* What attempts took that are not in the result of the call's end. */
void llm_tally_spent(struct llm_tally *tally, const struct llm_usage *usage);
void llm_tally_end(struct llm_tally *tally, enum llm_kind kind, const struct llm_result *result);

/* --- reading: for each site below llm_site_count() --- */

struct llm_numbers {
    struct str site;
    const struct llm_tally *tally;
    struct gate_state gate;
};
struct llm_numbers llm_numbers(const struct llm *llm, size_t site);
