/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * llm/reader.h: one answer of a provider, from the first byte of its body to the verdict.
 *
 *     bytes → sse | ndjson | one body → JSON → the provider → whole → think → pieces
 *
 * Pure: bytes go in, pieces come out through a table of functions, and at the
 * end a verdict. The same for recorded answers, tests and the real thing. The
 * rules of the verdict are a table in reader.c, from the providers' reference,
 * section 2.
 */
#pragma once

#include "llm/ndjson.h"
#include "llm/provider.h"
#include "llm/sse.h"
#include "llm/think.h"
#include "llm/whole.h"

enum {
    LLM_LINE_MAX = 1024 * 1024,
    LLM_EVENT_MAX = 4 * 1024 * 1024,
    LLM_BODY_MAX = 64 * 1024 * 1024,
    LLM_ERROR_BODY_MAX = 64 * 1024,
    LLM_TEXT_MAX = 4 * 1024 * 1024 /* of one answer */
};

struct llm_reader_events {
    /* Once, before every piece; `model` may be empty. */
    void (*open)(void *ctx, struct str model);
    void (*text)(void *ctx, struct str piece);
    void (*reasoning)(void *ctx, struct str piece);
    void (*tool)(void *ctx, const struct llm_tool_piece *piece);
};

/* What went wrong inside an answer, or instead of one. */
struct llm_trouble {
    enum llm_fault fault;   /* LLM_FAULT_NONE: nothing */
    int64_t retry_after_ms; /* -1: not said */
    char code[64];          /* the provider's own word: for logs and for repairs */
    char param[64];         /* the field it complains of, where it names one apart */
    char text[256];         /* the provider's sentence, without keys and mark-up; for operators */
};

/* In `code`: it went on and on, and was cut off by us (LLM_FAULT_TRUNCATED). */
#define LLM_CODE_TOO_MUCH "too_much"
/* … of LLM_FAULT_PROTOCOL: what is wrong with the site's address. */
#define LLM_CODE_NO_URL "no_url"      /* it cannot be called */
#define LLM_CODE_NO_HTTP "no_http"    /* who listens there speaks something else */
#define LLM_CODE_WRONG_PATH "no_path" /* a server, but no models in that place */

enum llm_body { LLM_BODY_STREAM, LLM_BODY_WHOLE, LLM_BODY_ERROR };

enum { LLM_TOOLS_MAX = 64, LLM_BLOCKS_MAX = 64 };

/* What was heard of tool calls, to tell each name once and to find the call of a fragment. */
struct llm_tool_notes {
    uint64_t named;              /* a bit for each index that had its first piece */
    int count, last;             /* calls so far; index of the last piece */
    uint64_t last_id, last_name; /* hashes */
};

/* A content block of Anthropic's. */
struct llm_block {
    int8_t tool; /* index of its tool call and 1; 0: none; -1: the answer in the form of one */
    bool filled; /* arguments came */
};

/* Lives with one attempt. Open only so that it can be embedded. */
/* DashScope's pieces, while they may be what is new or all so far (provider_dashscope.c). */
struct llm_so_far {
    struct buf passed; /* owned; what went on, as accumulated; of the undecided the first piece */
    struct buf held;   /* owned; pieces that wait for what comes, one behind the other */
    size_t last_at;    /* where the last of them begins */
    int growths;       /* how many were longer than the one before */
};

struct llm_reader {
    const struct llm_provider *provider;
    const struct llm_reader_events *events;
    void *ctx;
    unsigned quirks;

    enum llm_body body;
    int status;
    bool opened;
    bool marked_end; /* the protocol's end marker came */
    bool said;       /* text, reasoning or a tool call was passed on */
    bool said_text;
    bool said_tool;
    bool stopped; /* by the owner, inside an event */
    bool ending;  /* the body is over: what is unfinished was cut */
    enum llm_finish finish;
    struct llm_usage usage;
    struct llm_trouble trouble;
    size_t text_bytes;

    /* The provider's own notes between events. */
    struct llm_so_far so_far, thought_so_far; /* DashScope */
    bool incremental;                         /* DashScope: pieces are known to be what is new */
    struct llm_block blocks[LLM_BLOCKS_MAX];
    struct llm_tool_notes tools;
    int http_hint; /* DashScope: the true status, out of a comment; 0: none */

    struct sse sse;
    struct ndjson ndjson;
    struct buf gathered; /* owned; a body that is read whole */
    struct buf scratch, scratch_halves;
    struct whole whole_text, whole_thought;
    struct halves halves;
    struct think think;
};

/*
 * `type`: the Content-Type of the reply. Decides between stream, whole body and error: a server
 * that ignored `stream: true` and one that answers 200 with an error are read for what they are.
 */
void llm_reader_init(struct llm_reader *reader, const struct llm_provider *provider,
                     unsigned quirks, int status, struct str type, bool streamed,
                     const struct llm_reader_events *events, void *ctx);
void llm_reader_release(struct llm_reader *reader); /* zeroed is fine */
/* Bytes of the body. Nothing more is told once trouble was found. */
void llm_reader_feed(struct llm_reader *reader, struct str bytes);
/* Nothing more is to be told: the owner has gone inside an event. */
void llm_reader_stop(struct llm_reader *reader);
/*
 * The body is over; `broken`: not at its end. Tells what was held back, then fills `result`: end,
 * finish, fault, usage; `why` is the caller's (llm_fault_sentence()). `trouble` says more. There is
 * no verdict when the owner goes (llm_reader_stop()) while it is told: `result` stays as it was.
 */
void llm_reader_verdict(struct llm_reader *reader, bool broken, struct llm_result *result);

/* --- for provider files --- */

void llm_read_open(struct llm_reader *reader, struct str model);
void llm_read_text(struct llm_reader *reader, struct str piece);
void llm_read_reasoning(struct llm_reader *reader, struct str piece);
/* The first piece of an index carries its name, and an id: one of ours when the provider has none.
 * Later ones need neither. */
void llm_read_tool(struct llm_reader *reader, const struct llm_tool_piece *piece);
/* A call, or a fragment, whose arguments are an object, or a string that is JSON when whole. */
void llm_read_call(struct llm_reader *reader, int index, struct str id, struct str name,
                   const struct json *arguments);
/* The last word counts, but a late filter overrides a stop. */
void llm_read_finish(struct llm_reader *reader, enum llm_finish finish);
void llm_read_end(struct llm_reader *reader); /* the protocol's end marker */
/* -1 leaves what was known. */
void llm_read_usage(struct llm_reader *reader, int64_t input, int64_t output, int64_t cached,
                    int64_t reasoning);
/* An error in the place of an answer, in any form a provider may give it (13.2 of the reference).
 */
void llm_read_trouble(struct llm_reader *reader, const struct json *error);
void llm_read_fault(struct llm_reader *reader, enum llm_fault fault, const char *text);

/* What begins an id of a tool call that the provider did not name. */
#define LLM_OWN_ID "hutong-"

/* A whole number of a member, or -1. */
int64_t llm_json_count(const struct json *object, const char *name);
/* A string of a member, or empty (also for null). */
struct str llm_json_text(const struct json *object, const char *name);
