/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "llm/tally.h"

#include "llm/site.h"

const int64_t llm_tally_times_us[LLM_TALLY_TIMES] = {
    50000,    100000,   250000,   500000,   1000000,   2500000,   5000000,
    10000000, 20000000, 30000000, 60000000, 120000000, 300000000, 600000000};

static void add(atomic_ullong *number, uint64_t by)
{
    atomic_fetch_add_explicit(number, by, memory_order_relaxed);
}

static void add_time(struct llm_times *times, int64_t us)
{
    size_t class = 0;
    while (class < LLM_TALLY_TIMES && us > llm_tally_times_us[class]) class ++;
    add(&times->classes[class], 1);
    add(&times->sum_us, (uint64_t)MAX(us, 0));
}

void llm_tally_start(struct llm_tally *tally, enum llm_kind kind)
{
    add(&tally->started[kind], 1);
}

void llm_tally_request(struct llm_tally *tally, bool again)
{
    add(&tally->requests, 1);
    if (again) add(&tally->retries, 1);
}

void llm_tally_answer(struct llm_tally *tally, enum llm_fault fault)
{
    if (fault != LLM_FAULT_NONE && fault != LLM_FAULT_BUSY) add(&tally->failures[fault], 1);
}

void llm_tally_spent(struct llm_tally *tally, const struct llm_usage *usage)
{
    if (usage->input > 0) add(&tally->input, (uint64_t)usage->input);
    if (usage->output > 0) add(&tally->output, (uint64_t)usage->output);
}

void llm_tally_end(struct llm_tally *tally, enum llm_kind kind, const struct llm_result *result)
{
    add(&tally->ended[kind][result->end][result->fault], 1);
    llm_tally_spent(tally, &result->usage);
    if (result->usage.estimated) add(&tally->estimated, 1);
    if (kind != LLM_KIND_CHAT) return;
    if (result->first_us >= 0) add_time(&tally->first, result->first_us);
    /* What we broke off ourselves says nothing about how long the site takes. */
    if (result->end != LLM_CANCELLED) add_time(&tally->whole, result->total_us);
}

struct llm_numbers llm_numbers(const struct llm *llm, size_t site)
{
    ASSERT(site < llm->place_count);
    const struct llm_place *place = &llm->places[site];
    return (struct llm_numbers){place->site.name, &place->tally, gate_state(place->gate)};
}
