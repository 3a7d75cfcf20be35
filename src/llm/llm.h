/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * llm/llm.h: asking language models, whoever runs them.
 *
 * `struct llm` is what a process knows: which providers there are (sites),
 * their keys, how they behave lately, who may call how many at once. It is
 * shared by all threads. `struct llm_loop` is a loop's part: its connections
 * and calls. A call (`struct llm_call`) lives on the loop that started it, so
 * what a model says is written to the browser in the turn in which it came.
 *
 *     llm_start() → open? → (reasoning | text | tool)* → end
 *
 * Exactly one `end` comes, with exactly one of five verdicts (enum llm_end),
 * unless the caller cancels: then nothing comes any more. An answer that was
 * cut short is never LLM_COMPLETE, whatever the provider's framing said.
 *
 * Before the first piece was told, failures that may pass are tried again and
 * other keys and providers are asked; afterwards never: the reader would get
 * two beginnings.
 */
#pragma once

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/settings.h"
#include "io/loop.h"
#include "llm/message.h"

struct llm;
struct llm_loop;
struct llm_call;

enum llm_end {
    LLM_COMPLETE,  /* the model said all it wanted */
    LLM_CUT_OFF,   /* a limit or a broken connection ended it: what came is a part */
    LLM_REFUSED,   /* a filter, or the model itself, would not answer */
    LLM_CANCELLED, /* we did not want it any more */
    LLM_FAILED     /* no answer; `fault` and `why` say more */
};

/* What the provider gave as its reason to stop. */
enum llm_finish {
    LLM_FINISH_NONE,
    LLM_FINISH_STOP,
    LLM_FINISH_LENGTH,
    LLM_FINISH_TOOL,
    LLM_FINISH_FILTER
};

/* Kinds of failure: what may be done about it (spec of providers, 13.1). */
enum llm_fault {
    LLM_FAULT_NONE,
    LLM_FAULT_AUTH,       /* the key is not accepted */
    LLM_FAULT_BILLING,    /* no money left */
    LLM_FAULT_RATE,       /* too fast; later */
    LLM_FAULT_QUOTA,      /* used up for a long time */
    LLM_FAULT_OVERLOAD,   /* too busy; later */
    LLM_FAULT_SERVER,     /* it broke */
    LLM_FAULT_CONNECTION, /* not reached, or broken off */
    LLM_FAULT_TIMEOUT,    /* silent for too long */
    LLM_FAULT_TRUNCATED,  /* the answer ended without its end */
    LLM_FAULT_EMPTY,      /* an answer without words */
    LLM_FAULT_TOO_LONG,   /* more than the model can read */
    LLM_FAULT_FILTER,     /* the provider's filter */
    LLM_FAULT_MODEL,      /* no such model */
    LLM_FAULT_REQUEST,    /* not understood, or not supported */
    LLM_FAULT_PROTOCOL,   /* it speaks what we do not understand */
    LLM_FAULT_BUSY,       /* our own queue is full, or nothing got through in time */
    LLM_FAULT_SETUP,      /* nothing is configured that could answer */
    LLM_FAULT_COUNT
};

/* In tokens; -1: the provider did not say. */
struct llm_usage {
    int64_t input, output;
    int64_t cached, reasoning; /* parts of input and of output */
    bool estimated;            /* input or output is our guess (llm/tokens.h) */
};

/* What another call took comes on top; what nobody said of either stays unknown. */
void llm_usage_add(struct llm_usage *used, const struct llm_usage *more);

struct llm_result {
    enum llm_end end;
    enum llm_finish finish;
    enum llm_fault fault;
    struct why why; /* unless complete: one sentence for the person, with what to do about it */
    struct llm_usage usage; /* of all attempts at `site` and `model`; see llm_events.spent */
    struct str site, model; /* who answered, or was asked last; good until the return */
    struct str instead;     /* one sentence: why not who was asked first; empty: it was */
    int attempts;           /* requests made */
    int64_t first_us;       /* from the start to the first piece; -1: none came */
    int64_t total_us;
    int64_t retry_after_ms; /* LLM_FAULT_RATE and _QUOTA: the provider's word, -1: none */
};

/* A piece of a tool call (OpenAI's form): `id` and `name` come once for an index, then arguments.
 */
struct llm_tool_piece {
    int index;
    struct str id, name, arguments;
};

/* Everything is told on the loop of the call; strings are good until the return. NULL: not wanted.
 */
struct llm_events {
    /* Who answers is not who was asked: one sentence says why, as that of a failure. Before open.
     */
    void (*instead)(void *ctx, struct str sentence);
    /* Attempts at a choice that is given up took this; the result's usage is that of the last one
     * alone, as each has its own price. Not to be cancelled inside. */
    void (*spent)(void *ctx, struct str site, struct str model, const struct llm_usage *usage);
    void (*open)(void *ctx, struct str site, struct str model); /* once, before the first piece */
    void (*text)(void *ctx, struct str piece);                  /* whole characters, never empty */
    void (*reasoning)(void *ctx, struct str piece);
    void (*tool)(void *ctx, const struct llm_tool_piece *piece);
    /* The last call, never inside llm_start(); the call's memory goes after it. Must be there. */
    void (*end)(void *ctx, const struct llm_result *result);
};

enum llm_format { LLM_FORMAT_TEXT, LLM_FORMAT_JSON, LLM_FORMAT_SCHEMA };

/* Who waits for the answer: people come before programs, programs before the simulation. */
enum llm_class { LLM_PERSON, LLM_PROGRAM, LLM_RESIDENT, LLM_CLASSES };

enum llm_thinking { LLM_THINKING_DEFAULT, LLM_THINKING_OFF, LLM_THINKING_ON };

#define LLM_UNSET (-1000.0) /* of a sampling number: the provider's own default */

/* Whether the answer must keep to the schema to the letter; for providers that ask. */
enum llm_strict { LLM_STRICT, LLM_STRICT_OFF, LLM_STRICT_DEFAULT /* the provider's own */ };

enum { LLM_STOPS_MAX = 4 };

/* Start from llm_request_plain(). What it points to is copied by llm_start(). */
struct llm_request {
    /* "SITE/MODEL", "MODEL" of the default site, "SITE" for its own choice; empty: the default. */
    struct str model;
    const struct llm_message *messages;
    size_t message_count;
    /* What to ask instead, once, when the model cannot read so much; NULL: nothing. */
    const struct llm_message *shorter;
    size_t shorter_count;
    double temperature, top_p, presence_penalty, frequency_penalty; /* LLM_UNSET */
    int64_t max_tokens;                                             /* 0: the provider's own */
    int64_t seed;                                                   /* -1: none */
    struct str stops[LLM_STOPS_MAX];
    size_t stop_count;
    enum llm_format format;
    struct str schema_name, schema; /* LLM_FORMAT_SCHEMA: a JSON Schema */
    struct str schema_description;  /* empty: none */
    enum llm_strict schema_strict;
    bool format_or_nothing;        /* who has no such format is not to answer in another */
    struct str tools, tool_choice; /* OpenAI's form, already JSON; empty: none */
    enum llm_thinking thinking;
    enum llm_class class;
    bool whole;                    /* nobody reads along: the provider may answer in one piece */
    bool only_this;                /* never fall back to another site */
    const struct llm_scene *scene; /* for the offline engine; NULL: a chat with a person */
};

struct llm_request llm_request_plain(void);
/* Everything it points to is in `arena` afterwards. */
void llm_request_copy(struct arena *arena, const struct llm_request *from, struct llm_request *to);
/* About how many tokens it is to read (llm/tokens.h): with tools, schema and pictures, each of
 * which counts as 1,000. `messages`: those of the request, or its shorter ones. */
uint64_t llm_input_estimate(const struct llm_request *request, const struct llm_message *messages,
                            size_t count);
/* Append everything that decides on the answer, as bytes: two requests have the same exactly when
 * they ask the same. Who waits for it, and whether it streams, is not in it. */
void llm_request_mark(struct buf *to, const struct llm_request *request);

/*
 * Sites out of the settings. `probe`: without any configuration, look for model servers on this
 * machine (LM Studio, Ollama) for at most a second. ERR_INVALID: a setting makes no sense.
 */
MUST_USE enum err llm_open(const struct settings *settings, struct llm **llm_out, struct why *why);
void llm_free(struct llm *llm); /* after every loop's part is closed; NULL is fine */

struct llm_loop *llm_loop_open(struct llm *llm, struct loop *loop);
/* Cancels what is under way, without `end`. NULL is fine. */
void llm_loop_close(struct llm_loop *home);

/* `events` must stay; `ctx` goes with every call of them. */
struct llm_call *llm_start(struct llm_loop *home, const struct llm_request *request,
                           const struct llm_events *events, void *ctx);
/* The upstream connection closes at the end of this turn; nothing is told any more, and the call is
 * gone. May be called inside an event but `end`. Gives what was used, as far as it is known. */
struct llm_usage llm_cancel(struct llm_call *call);
/* The site and the model that are asked now, as the settings and prices name them; who answers may
 * call itself more ("gpt-4o-2024-08-06"). Empty in a replay. */
struct str llm_call_site(const struct llm_call *call);
struct str llm_call_model(const struct llm_call *call);
/* A slow reader: stop reading from the provider until resumed, and do not take it for silent
 * meanwhile. What was read already may still be told; nothing is, inside these. */
void llm_pause(struct llm_call *call);
void llm_resume(struct llm_call *call);

const char *llm_end_name(enum llm_end end);       /* "complete", "cut_off" … */
const char *llm_fault_name(enum llm_fault fault); /* "bad_key", "no_such_model" … */
