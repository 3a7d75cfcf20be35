/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* api/gateway_embed.c: POST /v1/embeddings. */
#include "api/gateway_internal.h"
#include "api/input.h"
#include "base/mem.h"
#include "community/keys.h"
#include "llm/embed.h"
#include "llm/tokens.h"

enum { TEXTS_MAX = 2048 }; /* as OpenAI has it */

/* One request; in its call's arena. */
struct embedding {
    struct list link; /* of the loop's */
    struct call *call;
    struct llm_embed *asked; /* NULL: over */
    struct key_id key;
    uint64_t tokens; /* reserved, and our estimate */
    bool base64;
    struct str *vectors; /* of each text, as bytes of floats */
    struct llm_embed_request request;
};

/* --- what is asked --- */

static enum err wrong(struct why *why, const char *name, const char *sentence)
{
    return why_field(why, name, "invalid_value", "%s %s", name, sentence);
}

static enum err read_input(struct embedding *e, const struct json *value, struct why *why)
{
    bool list = value && json_kind(value) == JSON_ARRAY;
    struct str *texts = ARENA_ARRAY(e->call->arena, struct str, TEXTS_MAX);
    const struct json *at = list ? json_first(value) : value;
    size_t count = 0;
    for (; at; at = list ? json_after(at) : NULL) {
        if (count == TEXTS_MAX || !json_as_str(at, &texts[count]) || texts[count].len == 0) {
            return wrong(why, "input",
                         "must be a text or a list of up to 2048, none of them empty "
                         "(lists of tokens are not supported)");
        }
        e->tokens += tokens_estimate(texts[count++]);
    }
    if (count == 0) return wrong(why, "input", "is missing");
    e->request.texts = texts;
    e->request.count = count;
    return OK;
}

static enum err read_format(struct embedding *e, const struct json *value, struct why *why)
{
    struct str word = {0};
    if (!json_as_str(value, &word) ||
        (!str_eq(word, STR("float")) && !str_eq(word, STR("base64")))) {
        return wrong(why, "encoding_format", "must be float or base64");
    }
    e->base64 = str_eq(word, STR("base64"));
    return OK;
}

static enum err read_field(struct embedding *e, const struct json *value, struct why *why)
{
    const char *name = json_name(value);
    int64_t *dimensions = &e->request.dimensions;
    struct str user;
    if (json_kind(value) == JSON_NULL) return OK;
    if (strcmp(name, "model") == 0) {
        bool fits =
            json_as_str(value, &e->request.model) && e->request.model.len <= LIMIT_MODEL_BYTES;
        return fits ? OK : wrong(why, "model", "must be the name of a model");
    }
    if (strcmp(name, "input") == 0) return read_input(e, value, why);
    if (strcmp(name, "encoding_format") == 0) return read_format(e, value, why);
    if (strcmp(name, "dimensions") == 0) {
        bool fits = json_as_i64(value, dimensions) && *dimensions > 0 && *dimensions <= 65536;
        return fits ? OK : wrong(why, "dimensions", "must be a whole number from 1");
    }
    if (strcmp(name, "user") == 0 && json_as_str(value, &user)) return OK;
    name = arena_copy(e->call->arena, str_head(str_of(name), 100)).at;
    return why_field(why, name, "unsupported_parameter", "%s is not supported here: leave it out",
                     name);
}

static enum err read_body(struct embedding *e, struct why *why)
{
    enum err err = input_json(e->call, why);
    for (const struct json *at = json_first(e->call->body); at && !err; at = json_after(at)) {
        err = read_field(e, at, why);
    }
    if (err) return err;
    if (e->request.model.at == NULL) return wrong(why, "model", "is missing");
    if (e->request.texts == NULL) return wrong(why, "input", "is missing");
    return OK;
}

/* --- what is answered --- */

/* RFC 4648, 4: floats as the machine has them, little-endian, as OpenAI's clients expect. */
static struct str base64_of(struct arena *arena, struct str bytes)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    char *text = arena_alloc(arena, (bytes.len + 2) / 3 * 4 + 1), *to = text;
    for (size_t i = 0; i < bytes.len; i += 3) {
        unsigned char in[3] = {0};
        size_t len = MIN(bytes.len - i, (size_t)3);
        memcpy(in, bytes.at + i, len);
        unsigned word = (unsigned)in[0] << 16 | (unsigned)in[1] << 8 | in[2];
        for (size_t d = 0; d < 4; d++) *to++ = d > len ? '=' : digits[word >> (18 - 6 * d) & 63];
    }
    return (struct str){text, (size_t)(to - text)};
}

static void put_vector(struct json_out *out, const struct embedding *e, size_t index)
{
    struct str bytes = e->vectors[index];
    json_open(out, NULL, '{');
    json_put_str(out, "object", STR("embedding"));
    json_put_u64(out, "index", index);
    if (e->base64) {
        json_put_str(out, "embedding", base64_of(e->call->arena, bytes));
    } else {
        json_open(out, "embedding", '[');
        for (size_t i = 0; i + sizeof(float) <= bytes.len; i += sizeof(float)) {
            float value;
            memcpy(&value, bytes.at + i, sizeof(value));
            json_put_double(out, NULL, (double)value);
        }
        json_close(out, ']');
    }
    json_close(out, '}');
}

static void reply(const struct embedding *e, const struct llm_result *result)
{
    bool counted = result->usage.input >= 0 && !result->usage.estimated;
    uint64_t tokens = counted ? (uint64_t)result->usage.input : e->tokens;
    struct json_out out = call_json(e->call);
    json_open(&out, NULL, '{');
    json_put_str(&out, "object", STR("list"));
    json_open(&out, "data", '[');
    for (size_t i = 0; i < e->request.count; i++) put_vector(&out, e, i);
    json_close(&out, ']');
    json_put_str(&out, "model", result->model);
    json_open(&out, "usage", '{');
    json_put_u64(&out, "prompt_tokens", tokens);
    json_put_u64(&out, "total_tokens", tokens);
    if (!counted) json_put_bool(&out, "estimated", true);
    json_close(&out, '}');
    json_close(&out, '}');
    call_reply(e->call);
}

static void on_vector(void *ctx, size_t index, const float *values, size_t count)
{
    struct embedding *e = ctx;
    if (index >= e->request.count) return;
    e->vectors[index] =
        arena_copy(e->call->arena, (struct str){(const char *)values, count * sizeof(*values)});
}

static void settle(const struct embedding *e, struct str site, struct str model,
                   const struct llm_usage *usage)
{
    struct ledger_use use = {.key = e->key,
                             .reserved = e->tokens,
                             .site = site,
                             .model = model,
                             .usage = *usage,
                             .input_estimate = e->tokens};
    if (usage->estimated) use.usage.input = -1; /* a part of it is not known */
    use.usage.estimated = false;
    use.usage.output = 0; /* vectors are not counted in tokens */
    ledger_settle(e->call->api->gateway->ledger, &use);
}

static void on_end(void *ctx, const struct llm_result *result)
{
    struct embedding *e = ctx;
    e->asked = NULL;
    list_remove(&e->link);
    if (result->end != LLM_COMPLETE) {
        if (result->usage.input > 0) { /* of the batches before */
            settle(e, result->site, result->model, &result->usage);
        } else {
            ledger_release(e->call->api->gateway->ledger, e->key, e->tokens);
        }
        gateway_refuse(e->call, result);
        return;
    }
    settle(e, result->site, result->model, &result->usage);
    reply(e, result);
}

static const struct llm_embed_events embed_events = {on_vector, on_end};

/* --- leaving --- */

/* Whatever was asked so far is paid for: all of it, as far as we know; what only waited, is not. */
static void give_up(struct embedding *e)
{
    struct str site, model;
    struct llm_usage usage;
    llm_embed_choice(e->asked, &site, &model);
    if (llm_embed_used(e->asked, &usage)) {
        settle(e, site, model, &usage);
    } else {
        ledger_release(e->call->api->gateway->ledger, e->key, e->tokens);
    }
    llm_embed_cancel(e->asked);
    e->asked = NULL;
    list_remove(&e->link);
}

static void reader_gone(void *ctx)
{
    struct embedding *e = ctx;
    struct http_exchange *x = e->call->x;
    if (e->asked) give_up(e);
    x->status = 499;
    http_reply(x);
}

static void put_out(struct embedding *e, const char *sentence)
{
    struct why why;
    why_set(&why, ERR_BUSY, "%s", sentence);
    give_up(e);
    call_refuse(e->call, ERR_BUSY, &why);
}

void gateway_embed_end_key(struct gateway_loop *gateway, struct key_id key)
{
    struct list *next;
    for (struct list *at = gateway->embeddings.next; at != &gateway->embeddings; at = next) {
        next = at->next;
        struct embedding *e = CONTAINER_OF(at, struct embedding, link);
        if (e->key.value == key.value) put_out(e, "this key has been revoked");
    }
}

void gateway_embed_abort(struct gateway_loop *gateway)
{
    while (!list_is_empty(&gateway->embeddings)) {
        put_out(CONTAINER_OF(gateway->embeddings.next, struct embedding, link),
                "the server is stopping");
    }
}

/* --- beginning --- */

static enum err begin_embedding(struct call *call, const struct api_key *key, struct why *why)
{
    struct embedding *e = ARENA_NEW(call->arena, struct embedding);
    e->call = call;
    e->key = key->id;
    e->request.class = LLM_PROGRAM;
    enum err err = read_body(e, why);
    if (err) return err;
    if (!key_allows(key->models, e->request.model)) {
        call->error_code = "model_not_allowed";
        return why_set(why, ERR_DENIED, "this key may not use the model %.*s",
                       STR_ARGS(e->request.model));
    }
    err = gateway_admit(call, key, e->tokens, why);
    if (err) return err;
    e->vectors = ARENA_ARRAY(call->arena, struct str, e->request.count);
    list_add_last(&call->home->gateway->embeddings, &e->link);
    http_watch(call->x, (struct http_stream_events){.gone = reader_gone, .ctx = e});
    e->asked = llm_embed_start(call->home->llm, &e->request, &embed_events, e);
    return OK;
}

enum err gateway_embeddings(struct call *call, struct why *why)
{
    return gateway_with_key(call, begin_embedding, why);
}
