/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* llm/loop.h: a loop's part of the models' client, for the files of this room. */
#pragma once

#include "http/client.h"
#include "llm/site.h"

struct llm_loop {
    struct llm *llm;
    struct loop *loop;
    struct http_client *client;
    struct list calls;   /* of struct llm_call */
    struct list listing; /* of struct listing (models.c) */
};

/* Send what a provider has written, with the headers all of them share; `streamed`: the reply is
 * to come in pieces. The wire's body is copied. */
struct http_fetch *llm_fetch(struct llm_loop *home, const struct llm_place *place,
                             struct llm_wire *wire, bool streamed,
                             const struct http_fetch_events *events, void *ctx);
/* When to come back, by the head of an error; -1: not said. */
int64_t llm_fetch_hint_ms(struct http_fetch *fetch);
/* Why a fetch did not end well; LLM_FAULT_NONE when it did. */
struct llm_trouble llm_fetch_trouble(const struct http_fetch_end *end);

/* What the journal has for the key, with the result that was; NULL: nothing, and the result is a
 * failure that says so. */
const struct json *llm_replayed(struct llm_loop *home, const char *key,
                                struct llm_result *result_out);

/* Drop what asks for models, untold. */
void llm_models_close(struct llm_loop *home);
