/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* api/gateway_internal.h: what the files of the gateway share. */
#pragma once

#include <stdatomic.h>

#include "api/gateway.h"
#include "api/ledger.h"
#include "base/limits.h"
#include "base/map.h"

struct models;  /* gateway_models.c */
struct answers; /* gateway_answers.h */

struct gateway {
    struct store *store;
    struct prices *prices;
    struct ledger *ledger;
    struct answers *answers;           /* NULL: llm-cache is off */
    bool share;                        /* llm-share */
    atomic_ullong asked, shared, kept; /* see gateway_counts() */
};

struct gateway_loop {
    struct api_loop *home;
    struct map keys;        /* of struct seen_key, owned; by hash */
    uint64_t notices;       /* how many came: what was looked up before the last one may be old */
    struct list flights;    /* of struct flight: calls under way */
    struct map shared;      /* of struct flight, by what was asked */
    struct list embeddings; /* of struct embedding: under way */
    struct models *models;  /* owned */
    bool closed;
};

/* --- gateway.c --- */

/* What a handler of the gateway goes on with, when the key is known. Runs on the loop; like a
 * handler of LANE_LOOP it takes the exchange over with OK. */
typedef enum err gateway_begin(struct call *call, const struct api_key *key, struct why *why);
/* Find out whose key it is, then go on; on MariaDB a worker looks it up. */
MUST_USE enum err gateway_with_key(struct call *call, gateway_begin *begin, struct why *why);
/* ERR_LIMIT with everything the program needs to know; OK: `tokens` are reserved. */
MUST_USE enum err gateway_admit(struct call *call, const struct api_key *key, uint64_t tokens,
                                struct why *why);
/* Refuse with what a model's failure says; on the loop. */
void gateway_refuse(struct call *call, const struct llm_result *result);
enum err gateway_err(enum llm_fault fault);

/* --- gateway_read.c: what is asked --- */

struct chat_asked {
    struct llm_request request; /* everything in the call's arena */
    bool stream, include_usage;
    uint64_t input_estimate;
};
/* ERR_INVALID names the field that is wrong or has no counterpart here. */
MUST_USE enum err gateway_read_chat(struct call *call, struct chat_asked *asked_out,
                                    struct why *why);
/* Everything that decides on the answer, as bytes; in `arena`. */
struct str gateway_mark(struct arena *arena, const struct llm_request *request);

/* --- gateway_said.c: an answer as it is written, and OpenAI's forms of it --- */

enum { SAID_TOOLS_MAX = 128, SAID_ID_BYTES = 32 };

struct said_tool {
    struct buf id, name, arguments;
};

/* Counted; written by one loop, then never changed. */
struct said {
    atomic_uint refs;
    char id[SAID_ID_BYTES];
    int64_t created_s;
    char site[USAGE_SITE_BYTES], model[USAGE_MODEL_BYTES];
    struct buf text, reasoning;
    struct said_tool *tools; /* owned; most answers have none */
    size_t tool_count;
    enum llm_finish finish;
    bool refused;
    struct llm_usage usage;
};

struct said *said_new(void);
struct said *said_ref(struct said *said);
void said_unref(struct said *said); /* NULL is fine */
size_t said_bytes(const struct said *said);
void said_add_tool(struct said *said, const struct llm_tool_piece *piece);

/* The whole answer. */
void said_write(const struct said *said, struct buf *to);
/* Events of a stream ("data: …\n\n"), appended. */
void said_chunk_begin(const struct said *said, struct buf *to);
void said_chunk_text(const struct said *said, const char *member, struct str piece, struct buf *to);
void said_chunk_tool(const struct said *said, const struct llm_tool_piece *piece, struct buf *to);
/* Everything said so far, for a reader who comes late. */
void said_chunk_past(const struct said *said, struct buf *to);
void said_chunk_end(const struct said *said, struct buf *to);
void said_chunk_usage(const struct said *said, struct buf *to);

/* --- gateway_chat.c --- */
void gateway_chat_end_key(struct gateway_loop *gateway, struct key_id key);
void gateway_chat_abort(struct gateway_loop *gateway);

/* --- gateway_embed.c --- */
void gateway_embed_end_key(struct gateway_loop *gateway, struct key_id key);
void gateway_embed_abort(struct gateway_loop *gateway);

/* --- gateway_models.c --- */
struct models *models_new(void);
void models_abort(struct models *models);
void models_free(struct models *models);

/* --- gateway_answers.c: answers kept (llm-cache) --- */
struct answers *answers_new(size_t bytes_max);
void answers_free(struct answers *answers); /* NULL is fine */
/* A reference for the caller, or NULL. */
struct said *answers_find(struct answers *answers, struct str mark);
void answers_keep(struct answers *answers, struct str mark, struct said *said);
