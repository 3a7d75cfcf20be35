/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * llm/provider.h: what a provider's file gives: how its requests are written
 * and how its answers are read. Pure: no I/O, no time.
 *
 * One provider is one file (provider_NAME.c) and one entry of
 * llm_providers[] (provider.c). A site is a provider at an address with a key:
 * LM Studio and DeepSeek are sites of the provider "openai".
 *
 * Reading: the stream's decoder (llm/reader.h) splits events or lines, parses
 * their JSON and hands each to read_event(); a body that came whole goes to
 * read_whole(). Both call llm_read_text() and its sisters; they never judge
 * whether the answer is complete: llm_reader_verdict() does, for all alike.
 */
#pragma once

#include "base/arena.h"
#include "base/buf.h"
#include "base/json.h"
#include "http/exchange.h"
#include "llm/llm.h"

struct llm_reader;
struct llm_provider;

/* Where servers that call themselves compatible are not. */
enum llm_quirk {
    LLM_QUIRK_MAX_TOKENS = 1,        /* wants max_tokens, not max_completion_tokens */
    LLM_QUIRK_NO_USAGE = 2,          /* refuses stream_options */
    LLM_QUIRK_NO_JSON_OBJECT = 4,    /* response_format takes json_schema only (LM Studio) */
    LLM_QUIRK_NO_SAMPLING = 8,       /* refuses temperature and its like (reasoning models) */
    LLM_QUIRK_THINKS_INSIDE = 16,    /* its template opens <think> before the answer */
    LLM_QUIRK_NO_FINISH = 32,        /* never says why it stopped: its end marker is enough */
    LLM_QUIRK_NO_SCHEMA = 64,        /* no JSON Schema: JSON mode, or words alone */
    LLM_QUIRK_NO_JSON = 128,         /* neither */
    LLM_QUIRK_NO_THINKING = 256,     /* refuses to be told whether to think */
    LLM_QUIRK_CUMULATIVE = 512,      /* DashScope: repeats in every event all that it said */
    LLM_QUIRK_REASONING_BACK = 1024, /* wants the reasoning before tool calls back, like DeepSeek */
    LLM_QUIRK_NO_REASONING_BACK = 2048 /* refuses it */
};

enum { LLM_KEYS_MAX = 8, LLM_SITE_HEADERS_MAX = 4 };

/* A configured provider. Immutable once opened. */
struct llm_site {
    const struct llm_provider *provider;
    struct str name;    /* "openai", "lmstudio" … what stands before the slash of a model */
    struct str base;    /* without a slash at its end; may hold secrets */
    struct str address; /* the same to be shown, without them; empty: offline */
    struct str model;   /* its default; empty: none */
    struct str version; /* Azure: api-version; Anthropic: anthropic-version */
    struct str keys[LLM_KEYS_MAX];
    size_t key_count;
    struct http_header headers[LLM_SITE_HEADERS_MAX]; /* of this site's own (OpenRouter) */
    size_t header_count;
    unsigned quirks;
    int64_t context_tokens; /* Ollama, which must be told; 0: 8192 */
    bool local;             /* on this machine or network: it may have to load its model first */
};

enum llm_framing { LLM_FRAMING_SSE, LLM_FRAMING_NDJSON };

enum { LLM_WIRE_HEADERS_MAX = 12 };

/* One request to a provider, written out; everything in `arena`, but the body. */
struct llm_wire {
    struct arena *arena;
    const char *method; /* "POST" at first */
    struct str url;
    struct http_header headers[LLM_WIRE_HEADERS_MAX];
    size_t header_count;
    struct buf body; /* owned; release with buf_release() */
};

/* What goes into one request of a site. */
struct llm_asking {
    const struct llm_site *site;
    struct str key;   /* empty: none */
    struct str model; /* as the site knows it */
    const struct llm_request *request;
    const struct llm_message *messages; /* the request's, or its shorter ones */
    size_t message_count;
    unsigned quirks; /* the site's, and those learnt about the model */
};

struct llm_embedding_asking {
    const struct llm_site *site;
    struct str key, model;
    const struct str *texts;
    size_t count;
    bool query;         /* what is searched for, not what is searched in */
    int64_t dimensions; /* 0: the model's own */
};

typedef void llm_each_model(void *ctx, struct str id, int64_t context_tokens /* -1: unknown */);
/* `index` of the text; values are good until the return. */
typedef void llm_each_vector(void *ctx, size_t index, const float *values, size_t count);

struct llm_provider {
    const char *name;
    const char *base;         /* default address; NULL: must be configured */
    enum llm_framing framing; /* of its streams */
    size_t embed_max;         /* texts in one call; 0: no embeddings */
    /* ERR_INVALID: the provider has nothing for something that was asked, named in the sentence. */
    enum err (*write_chat)(const struct llm_asking *asking, struct llm_wire *wire, struct why *why);
    /* An event of the stream: `name` of SSE, empty mostly. */
    void (*read_event)(struct llm_reader *reader, struct str name, const struct json *data);
    void (*read_whole)(struct llm_reader *reader, const struct json *body);
    /* Nothing more comes. NULL: nothing was held back. */
    void (*read_end)(struct llm_reader *reader);
    /* NULL where there is none. */
    enum err (*write_models)(const struct llm_asking *asking, struct llm_wire *wire,
                             struct why *why);
    void (*read_models)(const struct json *body, llm_each_model *each, void *ctx);
    enum err (*write_embedding)(const struct llm_embedding_asking *asking, struct llm_wire *wire,
                                struct why *why);
    /* ERR_UPSTREAM: not what was asked for (a text is missing, lengths differ). */
    enum err (*read_embedding)(const struct json *body, size_t count, llm_each_vector *each,
                               void *ctx, struct llm_usage *usage, struct why *why);
};

extern const struct llm_provider *const llm_providers[];
extern const size_t llm_provider_count;
const struct llm_provider *llm_provider_find(struct str name); /* NULL: none */

extern const struct llm_provider llm_provider_openai;
extern const struct llm_provider llm_provider_azure;
extern const struct llm_provider llm_provider_google;
extern const struct llm_provider llm_provider_anthropic;
extern const struct llm_provider llm_provider_ollama;
extern const struct llm_provider llm_provider_dashscope;

/* --- writing, for provider files --- */

/* A header whose value is copied; `value` must have no line ends. */
void llm_wire_header(struct llm_wire *wire, const char *name, struct str value);
/* The site's base with `path` behind it, in which {} stands for `part`, percent-encoded. */
void llm_wire_url(struct llm_wire *wire, const struct llm_site *site, const char *path,
                  struct str part);

/* The key as "Authorization: Bearer", if there is one, and the site's own headers. */
void llm_wire_bearer(struct llm_wire *wire, const struct llm_site *site, struct str key);
void llm_wire_site_headers(struct llm_wire *wire, const struct llm_site *site);

/*
 * Vectors of an embeddings answer: a list of objects with `member` and, maybe, an index; or with
 * `member` NULL a list of vectors. ERR_UPSTREAM: not `count` different ones of one length, or no
 * numbers.
 */
MUST_USE enum err llm_read_vectors(const struct json *list, const char *member, size_t count,
                                   llm_each_vector *each, void *ctx, struct why *why);

/* OpenAI's own forms, which others share (provider_openai.c). */
void llm_openai_write_body(const struct llm_asking *asking, struct llm_wire *wire);
void llm_openai_read_event(struct llm_reader *reader, struct str name, const struct json *data);
void llm_openai_read_whole(struct llm_reader *reader, const struct json *body);
/* The "tool_calls" of a message or of a delta. */
void llm_openai_read_calls(struct llm_reader *reader, const struct json *words);
enum llm_finish llm_openai_finish(struct str reason);
void llm_openai_read_models(const struct json *body, llm_each_model *each, void *ctx);
void llm_openai_write_embedding_body(const struct llm_embedding_asking *asking,
                                     struct llm_wire *wire);
enum err llm_openai_read_embedding(const struct json *body, size_t count, llm_each_vector *each,
                                   void *ctx, struct llm_usage *usage, struct why *why);
/* One message as OpenAI has it. */
void llm_openai_put_message(struct json_out *out, const struct llm_message *message);
/* "response_format", if it takes one. */
void llm_openai_put_format(struct json_out *out, const struct llm_asking *asking);
