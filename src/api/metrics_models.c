/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * api/metrics_models.c: the models' part of GET /metrics.
 *
 * Labels are names of sites (as many as are set up) and words of ours. Models are no label:
 * programs may ask for any name, so there could be any number of them.
 */
#include <inttypes.h>

#include "api/gateway.h"
#include "api/metrics_internal.h"
#include "llm/models.h"
#include "llm/tally.h"

static const char *const kinds[LLM_KINDS] = {"chat", "embedding"};
static const char *const classes[LLM_CLASSES] = {"person", "program", "resident"};

static uint64_t get(const atomic_ullong *number)
{
    return atomic_load_explicit(number, memory_order_relaxed);
}

/* All samples of one family for one site, `site="NAME"` being in `label`. */
typedef void write_family(struct buf *to, const char *name, const char *label,
                          const struct llm_numbers *numbers);

static void put(struct buf *to, const char *name, const char *label, const char *more,
                uint64_t value)
{
    buf_printf(to, "%s{%s%s} %" PRIu64 "\n", name, label, more, value);
}

static void write_started(struct buf *to, const char *name, const char *label,
                          const struct llm_numbers *numbers)
{
    for (size_t i = 0; i < LLM_KINDS; i++) {
        char more[64];
        snprintf(more, sizeof(more), ",kind=\"%s\"", kinds[i]);
        put(to, name, label, more, get(&numbers->tally->started[i]));
    }
}

static void write_end(struct buf *to, const char *name, const char *label, size_t kind, size_t end,
                      const struct llm_numbers *numbers)
{
    for (size_t fault = 0; fault < LLM_FAULT_COUNT; fault++) {
        uint64_t count = get(&numbers->tally->ended[kind][end][fault]);
        /* What goes well is there from the start: a first failure must show as a rise. */
        bool always = end == LLM_COMPLETE && fault == LLM_FAULT_NONE;
        if (count == 0 && !always) continue;
        char more[128];
        snprintf(more, sizeof(more), ",kind=\"%s\",end=\"%s\",fault=\"%s\"", kinds[kind],
                 llm_end_name((enum llm_end)end), llm_fault_name((enum llm_fault)fault));
        put(to, name, label, more, count);
    }
}

static void write_ended(struct buf *to, const char *name, const char *label,
                        const struct llm_numbers *numbers)
{
    for (size_t kind = 0; kind < LLM_KINDS; kind++) {
        for (size_t end = 0; end < LLM_ENDS; end++) write_end(to, name, label, kind, end, numbers);
    }
}

static void write_requests(struct buf *to, const char *name, const char *label,
                           const struct llm_numbers *numbers)
{
    put(to, name, label, "", get(&numbers->tally->requests));
}

static void write_retries(struct buf *to, const char *name, const char *label,
                          const struct llm_numbers *numbers)
{
    put(to, name, label, "", get(&numbers->tally->retries));
}

static void write_failures(struct buf *to, const char *name, const char *label,
                           const struct llm_numbers *numbers)
{
    for (size_t fault = 0; fault < LLM_FAULT_COUNT; fault++) {
        uint64_t count = get(&numbers->tally->failures[fault]);
        char more[64];
        snprintf(more, sizeof(more), ",fault=\"%s\"", llm_fault_name((enum llm_fault)fault));
        if (count > 0) put(to, name, label, more, count);
    }
}

static void write_running(struct buf *to, const char *name, const char *label,
                          const struct llm_numbers *numbers)
{
    put(to, name, label, "", numbers->gate.running);
}

static void write_waiting(struct buf *to, const char *name, const char *label,
                          const struct llm_numbers *numbers)
{
    for (size_t i = 0; i < LLM_CLASSES; i++) {
        char more[64];
        snprintf(more, sizeof(more), ",class=\"%s\"", classes[i]);
        put(to, name, label, more, numbers->gate.waiting_of[i]);
    }
}

static void write_limit(struct buf *to, const char *name, const char *label,
                        const struct llm_numbers *numbers)
{
    put(to, name, label, "", numbers->gate.limit);
}

static void write_circuit(struct buf *to, const char *name, const char *label,
                          const struct llm_numbers *numbers)
{
    const struct gate_state *gate = &numbers->gate;
    put(to, name, label, ",state=\"closed\"", !gate->open);
    put(to, name, label, ",state=\"open\"", gate->open && !gate->probing);
    put(to, name, label, ",state=\"probing\"", gate->probing);
}

static void write_openings(struct buf *to, const char *name, const char *label,
                           const struct llm_numbers *numbers)
{
    put(to, name, label, "", numbers->gate.openings);
}

static void write_refused(struct buf *to, const char *name, const char *label,
                          const struct llm_numbers *numbers)
{
    put(to, name, label, "", numbers->gate.refused);
}

static void write_tokens(struct buf *to, const char *name, const char *label,
                         const struct llm_numbers *numbers)
{
    put(to, name, label, ",direction=\"input\"", get(&numbers->tally->input));
    put(to, name, label, ",direction=\"output\"", get(&numbers->tally->output));
}

static void write_estimated(struct buf *to, const char *name, const char *label,
                            const struct llm_numbers *numbers)
{
    put(to, name, label, "", get(&numbers->tally->estimated));
}

static void write_times(struct buf *to, const char *name, const char *label,
                        const struct llm_times *times)
{
    uint64_t below = 0;
    for (size_t i = 0; i < LLM_TALLY_TIMES; i++) {
        below += get(&times->classes[i]);
        buf_printf(to, "%s_bucket{%s,le=\"%g\"} %" PRIu64 "\n", name, label,
                   (double)llm_tally_times_us[i] / 1e6, below);
    }
    below += get(&times->classes[LLM_TALLY_TIMES]);
    uint64_t sum_us = get(&times->sum_us);
    buf_printf(to, "%s_bucket{%s,le=\"+Inf\"} %" PRIu64 "\n", name, label, below);
    buf_printf(to, "%s_sum{%s} %" PRIu64 ".%06" PRIu64 "\n", name, label, sum_us / 1000000,
               sum_us % 1000000);
    buf_printf(to, "%s_count{%s} %" PRIu64 "\n", name, label, below);
}

static void write_first(struct buf *to, const char *name, const char *label,
                        const struct llm_numbers *numbers)
{
    write_times(to, name, label, &numbers->tally->first);
}

static void write_whole(struct buf *to, const char *name, const char *label,
                        const struct llm_numbers *numbers)
{
    write_times(to, name, label, &numbers->tally->whole);
}

static const struct {
    const char *name, *type, *help;
    write_family *write;
} families[] = {
    {"hutong_llm_calls_total", "counter", "Calls begun, by the site they were meant for.",
     write_started},
    {"hutong_llm_ends_total", "counter",
     "Calls over, by the site that was asked last, how they ended and the kind of failure.",
     write_ended},
    {"hutong_llm_requests_total", "counter", "Requests made to the site.", write_requests},
    {"hutong_llm_retries_total", "counter",
     "Requests made after another of the same call to the same site.", write_retries},
    {"hutong_llm_failures_total", "counter",
     "Requests that failed, by kind; a call may have ended well all the same.", write_failures},
    {"hutong_llm_running", "gauge", "Requests under way.", write_running},
    {"hutong_llm_waiting", "gauge", "Calls that wait for a place, by who waits for the answer.",
     write_waiting},
    {"hutong_llm_limit", "gauge", "How many requests are let through at once, now.", write_limit},
    {"hutong_llm_circuit", "gauge",
     "1 for the state of the circuit: open, nothing is asked; probing, one call finds out.",
     write_circuit},
    {"hutong_llm_circuit_opened_total", "counter", "Times the circuit opened.", write_openings},
    {"hutong_llm_turned_away_total", "counter",
     "Calls that found the queue full or the circuit open.", write_refused},
    {"hutong_llm_tokens_total", "counter",
     "Tokens as the provider counted them, or as we guess where it did not.", write_tokens},
    {"hutong_llm_estimated_total", "counter", "Calls whose tokens are, in part, our guess.",
     write_estimated},
    {"hutong_llm_first_piece_seconds", "histogram",
     "From the beginning of a call to the first piece of its answer.", write_first},
    {"hutong_llm_answer_seconds", "histogram",
     "From the beginning of a call to its end; those cancelled here are left out.", write_whole},
};

static void write_gateway(struct buf *to, const struct gateway *gateway)
{
    const char *name = "hutong_gateway_answers_total";
    struct gateway_counts counts = gateway_counts(gateway);
    metrics_head(to, name, "counter",
                 "Chats of programs by where their answer comes from: a call of their own, one "
                 "under way (llm-share), or one kept (llm-cache).");
    buf_printf(to, "%s{from=\"model\"} %" PRIu64 "\n", name, counts.asked);
    buf_printf(to, "%s{from=\"shared\"} %" PRIu64 "\n", name, counts.shared);
    buf_printf(to, "%s{from=\"kept\"} %" PRIu64 "\n", name, counts.kept);
}

void metrics_write_models(struct buf *to, const struct api *api)
{
    for (size_t f = 0; f < COUNT_OF(families); f++) {
        metrics_head(to, families[f].name, families[f].type, families[f].help);
        for (size_t site = 0; site < llm_site_count(api->llm); site++) {
            struct llm_numbers numbers = llm_numbers(api->llm, site);
            char label[128];
            snprintf(label, sizeof(label), "site=\"%.*s\"", STR_ARGS(numbers.site));
            families[f].write(to, families[f].name, label, &numbers);
        }
    }
    write_gateway(to, api->gateway);
}
