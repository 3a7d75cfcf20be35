/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * tests/support/hearing.h: one answer fed to a reader, and all that was heard of it.
 *
 *     struct hearing h;
 *     hear_begin(&h, provider, quirks, 200, "text/event-stream", true);
 *     hear(&h, bytes); …
 *     hear_end(&h, broken);      // h.result, h.trouble, h.text …
 *     hear_release(&h);
 *
 * It checks what holds for every answer: pieces are valid UTF-8 and not empty, names
 * of calls come once and first, nothing is told after trouble.
 */
#pragma once

#include "base/buf.h"
#include "llm/reader.h"

struct hearing {
    struct llm_reader reader;
    struct buf log; /* every piece in order, as it came */
    struct buf text, reasoning;
    struct buf tools; /* index name id( arguments of each call, joined */
    struct buf arguments[LLM_TOOLS_MAX];
    int calls, opens, pieces;
    char model[64];
    struct llm_result result;
    struct llm_trouble trouble;
};

void hear_begin(struct hearing *h, const struct llm_provider *provider, unsigned quirks, int status,
                const char *type, bool streamed);
void hear(struct hearing *h, struct str bytes);
void hear_end(struct hearing *h, bool broken);
void hear_release(struct hearing *h);
