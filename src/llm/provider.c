/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "llm/provider.h"

const struct llm_provider *const llm_providers[] = {
    &llm_provider_openai,
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

enum err llm_read_vectors(const struct json *list, const char *member, size_t count,
                          llm_each_vector *each, void *ctx, struct why *why)
{
    size_t position = 0;
    struct buf values;
    buf_init(&values, 256 * 1024);
    enum err err = OK;
    const struct json *item = json_first(list);
    for (; item && !err; item = json_after(item), position++) {
        const struct json *vector = member ? json_get(item, member) : item;
        int64_t index = (int64_t)position;
        if (member && json_as_i64(json_get(item, "index"), &index) && index < 0) index = -1;
        buf_reset(&values, 256 * 1024);
        const struct json *number = json_first(vector);
        for (; number; number = json_after(number)) {
            double value;
            if (!json_as_double(number, &value)) break;
            float narrow = (float)value;
            buf_add(&values, &narrow, sizeof(narrow));
        }
        if (number || values.failed || values.len == 0 || index < 0 || (size_t)index >= count) {
            err = why_set(why, ERR_UPSTREAM, "an embedding of the answer is no list of numbers");
        } else {
            each(ctx, (size_t)index, (const float *)(const void *)values.at,
                 values.len / sizeof(float));
        }
    }
    if (!err && position != count) {
        err = why_set(why, ERR_UPSTREAM, "asked for %zu embeddings, got %zu", count, position);
    }
    buf_release(&values);
    return err;
}
