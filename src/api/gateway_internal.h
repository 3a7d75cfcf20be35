/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* api/gateway_internal.h: what the files of the gateway share. */
#pragma once

#include <pthread.h>
#include <stdatomic.h>

#include "api/audience.h"
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
    struct answers *answers; /* NULL: llm-cache is off */
    bool share;              /* llm-share */
    pthread_mutex_t lock;    /* before a flight's: */
    struct map shared;       /* of struct flight that may be joined, by what was asked */
    atomic_ullong asked, shared_answers, kept; /* see gateway_counts() */
};

struct gateway_loop {
    struct api_loop *home;
    struct map keys;        /* of struct seen_key, owned; by hash */
    uint64_t notices;       /* how many came: what was looked up before the last one may be old */
    struct list readers;    /* of struct reader: who waits for an answer here */
    struct list flights;    /* of struct flight: calls of models that run here */
    struct buf events;      /* being written */
    struct list embeddings; /* of struct embedding: under way */
    struct list counsels;   /* of struct counsel: questions to wikis under way */
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
/* … or that its key has been revoked meanwhile. */
void gateway_refuse_revoked(struct call *call);
extern const char gateway_revoked[]; /* the sentence */
enum err gateway_err(enum llm_fault fault);
/* OpenAI's word for it, or ours. */
const char *gateway_code(enum llm_fault fault);

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

/* Counted. Written by one loop and only growing, then never changed; while it grows, others look
 * under a lock. */
struct said {
    atomic_uint refs;
    char id[SAID_ID_BYTES];
    int64_t created_s;
    char site[USAGE_SITE_BYTES], model[USAGE_MODEL_BYTES]; /* as it calls itself */
    char asked[USAGE_MODEL_BYTES]; /* as we asked for it, and as it is booked and priced */
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
/* There was more than fits. */
bool said_overflowed(const struct said *said);

/* The whole answer. */
void said_write(const struct said *said, struct buf *to);
/* How far a reader has come. Zeroed: it has nothing. */
struct said_mark {
    bool begun;
    size_t text, reasoning;
    size_t *tools; /* for each, 1 + how much of its arguments; in an arena, NULL before the first */
};
/* Events of a stream ("data: …\n\n"), appended: what the mark does not have, up to some SAID_BYTES.
 * True: there is more. */
enum { SAID_BYTES = 64 * 1024 };
bool said_chunks(const struct said *said, struct said_mark *mark, struct arena *arena,
                 struct buf *to);
void said_chunk_end(const struct said *said, struct buf *to);
void said_chunk_usage(const struct said *said, struct buf *to);

/* --- gateway_reply.c: one request, and what its program gets --- */

/* Who pays, and what was reserved for it. */
struct payer {
    struct key_id key;
    uint64_t reserved, input_estimate;
};

struct flight;

/* Lives on the loop of its call. */
struct reader {
    struct listener listener; /* on another loop than its flight */
    struct list near;         /* else: in flight->near */
    struct list of_loop;      /* in gateway_loop->readers */
    struct flight *flight;    /* a reference; NULL: the answer was kept */
    struct call *call;
    struct payer payer;
    uint64_t rank; /* the first of a flight pays */
    struct said_mark mark;
    bool stream, include_usage;
    bool begun;              /* its reply */
    struct deadline silence; /* until it begins, of a stream */
    bool stuck;              /* it reads too slowly: what it does not have waits in `said` */
    bool asks_wiki;          /* it is a part of a counsel: no flight, in none of the lists above */
};

/* The events that go with a reply, on the reader's loop. */
void program_gone(void *ctx);
void program_drained(void *ctx);

/* When the rest of the reader is there. Whoever frees it clears `silence`. */
void reply_prepare(struct reader *reader);
void reply_events(struct reader *reader, struct str events);
/* Everything to its end. */
void reply_rest(struct reader *reader, const struct said *said);
/* Takes the exchange to its end: well, or with a failure. The call is gone afterwards. */
void reply_end(struct reader *reader, const struct said *said, const struct llm_result *failure);

void reply_revoked(struct reader *reader);

/* --- gateway_chat.c --- */
/* What may be told as an answer: all of it, all up to a limit that was set, or what a filter left.
 */
bool said_is_answer(const struct said *said, const struct llm_result *result);
void gateway_chat_end_key(struct gateway_loop *gateway, struct key_id key);
void gateway_chat_abort(struct gateway_loop *gateway);

/* --- gateway_wiki.c --- */

/* "wiki:NAME": a repository to ask, see wiki/ask.h. */
bool gateway_wiki_of(struct str model, struct str *name_out);
MUST_USE enum err gateway_begin_wiki(struct call *call, const struct api_key *key,
                                     const struct chat_asked *asked, struct str name,
                                     struct why *why);
void counsel_gone(struct reader *reader);
void counsel_drained(struct reader *reader);
void gateway_wiki_end_key(struct gateway_loop *gateway, struct key_id key);

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
