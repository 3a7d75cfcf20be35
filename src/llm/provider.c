/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "llm/provider.h"

#include "base/mem.h"

const struct llm_provider *const llm_providers[] = {
    &llm_provider_openai,    &llm_provider_azure,  &llm_provider_google,
    &llm_provider_anthropic, &llm_provider_ollama, &llm_provider_dashscope,
};
const size_t llm_provider_count = COUNT_OF(llm_providers);

const struct llm_provider *llm_provider_find(struct str name)
{
    for (size_t i = 0; i < llm_provider_count; i++) {
        if (str_eq(name, str_of(llm_providers[i]->name))) return llm_providers[i];
    }
    return NULL;
}

void llm_wire_header(struct llm_wire *wire, const char *name, struct str value)
{
    ASSERT(wire->header_count < LLM_WIRE_HEADERS_MAX);
    ASSERT(str_find_byte(value, '\n') == value.len);
    wire->headers[wire->header_count++] =
        (struct http_header){str_of(name), arena_copy(wire->arena, value)};
}

void llm_wire_site_headers(struct llm_wire *wire, const struct llm_site *site)
{
    for (size_t i = 0; i < site->header_count; i++) {
        ASSERT(wire->header_count < LLM_WIRE_HEADERS_MAX);
        wire->headers[wire->header_count++] = site->headers[i];
    }
}

void llm_wire_bearer(struct llm_wire *wire, const struct llm_site *site, struct str key)
{
    if (key.len > 0) {
        struct str value = arena_printf(wire->arena, "Bearer %.*s", STR_ARGS(key));
        llm_wire_header(wire, "Authorization", value);
    }
    llm_wire_site_headers(wire, site);
}

/* RFC 3986, 2.3: what needs no escape. */
static bool is_unreserved(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           strchr("-._~", c);
}

static struct str percent_encode(struct arena *arena, struct str part)
{
    char *to = arena_alloc(arena, part.len * 3 + 1);
    size_t len = 0;
    for (size_t i = 0; i < part.len; i++) {
        if (part.at[i] && is_unreserved(part.at[i])) {
            to[len++] = part.at[i];
        } else {
            to[len++] = '%';
            hex_write(to + len, part.at + i, 1);
            len += 2;
        }
    }
    return (struct str){to, len};
}

void llm_wire_url(struct llm_wire *wire, const struct llm_site *site, const char *path,
                  struct str part)
{
    struct str rest = str_of(path);
    struct str encoded = percent_encode(wire->arena, part);
    size_t at = str_find(rest, STR("{}"));
    wire->url = arena_printf(wire->arena, "%.*s%.*s%.*s%.*s", STR_ARGS(site->base),
                             STR_ARGS(str_head(rest, at)), STR_ARGS(encoded),
                             STR_ARGS(str_from(rest, at + 2)));
}

/* Reads a list of numbers into `values`; false: it is none. */
static bool read_vector(const struct json *vector, struct buf *values)
{
    buf_reset(values, values->max);
    for (const struct json *number = json_first(vector); number; number = json_after(number)) {
        double value;
        if (!json_as_double(number, &value)) return false;
        float narrow = (float)value;
        buf_add(values, &narrow, sizeof(narrow));
    }
    return values->len > 0 && !values->failed;
}

/* Which text a vector belongs to: as it says itself, or by its place. */
static size_t vector_index(const struct json *item, size_t position)
{
    const struct json *said = json_get(item, "index");
    if (said == NULL) said = json_get(item, "text_index"); /* DashScope */
    uint64_t index;
    if (said == NULL) return position;
    return json_as_u64(said, &index) ? (size_t)index : SIZE_MAX;
}

struct vectors {
    size_t count, length; /* wanted; numbers in the first */
    bool *seen;
    struct buf values;
};

static enum err take_vector(struct vectors *vectors, const struct json *item, const char *member,
                            size_t index, struct why *why)
{
    if (index >= vectors->count || vectors->seen[index]) {
        return why_set(why, ERR_UPSTREAM,
                       "the embeddings of the answer are not those of the texts");
    }
    vectors->seen[index] = true;
    if (!read_vector(member ? json_get(item, member) : item, &vectors->values)) {
        return why_set(why, ERR_UPSTREAM, "an embedding of the answer is no list of numbers");
    }
    if (vectors->length == 0) vectors->length = vectors->values.len;
    if (vectors->length == vectors->values.len) return OK;
    return why_set(why, ERR_UPSTREAM, "the embeddings of the answer differ in length");
}

enum err llm_read_vectors(const struct json *list, const char *member, size_t count,
                          llm_each_vector *each, void *ctx, struct why *why)
{
    struct vectors vectors = {.count = count, .seen = mem_alloc(count + 1)};
    buf_init(&vectors.values, 256 * 1024);
    enum err err = OK;
    size_t position = 0;
    for (const struct json *item = json_first(list); item && !err; item = json_after(item)) {
        size_t index = member ? vector_index(item, position) : position;
        err = take_vector(&vectors, item, member, index, why);
        position++;
        if (err) break;
        each(ctx, index, (const float *)(const void *)vectors.values.at,
             vectors.values.len / sizeof(float));
    }
    if (!err && position != count) {
        err = why_set(why, ERR_UPSTREAM, "asked for %zu embeddings, got %zu", count, position);
    }
    buf_release(&vectors.values);
    mem_free(vectors.seen);
    return err;
}
