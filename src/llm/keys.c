/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* llm/keys.c: which of a site's keys is asked with, and which rest because they were refused. */
#include "base/clock.h"
#include "llm/fault.h"
#include "llm/site.h"

enum { REST_MS = 500, REFUSED_US = 600 * 1000000 };

int llm_take_key(const struct llm_place *place, int64_t *rest_us_out)
{
    int64_t now_us = clock_mono_us();
    size_t count = place->site.key_count;
    int key = gate_take_key(place->gate, count, now_us);
    *rest_us_out = 0;
    if (key >= 0 || count == 0) return key;
    struct gate_parked parked = gate_first_parked(place->gate, count);
    if (parked.fault == LLM_FAULT_RATE) *rest_us_out = MAX(parked.until_us - now_us, 1);
    return parked.key;
}

bool llm_another_key(const struct llm_place *place, int key, enum llm_fault fault, int64_t hint_ms)
{
    if (!llm_fault_rules(fault).next_key || place->site.key_count < 2) return false;
    int64_t now_us = clock_mono_us();
    bool soon = fault == LLM_FAULT_RATE;
    int64_t park_us = soon ? MAX(hint_ms, (int64_t)REST_MS) * 1000 : REFUSED_US;
    gate_park_key(place->gate, key, now_us + park_us, fault);
    return gate_first_parked(place->gate, place->site.key_count).until_us <= now_us;
}
