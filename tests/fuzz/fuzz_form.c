/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * tests/fuzz/fuzz_form.c: any bytes as a query or a urlencoded body.
 *
 * Held: names and values are UTF-8 without NUL; parameters written with
 * url_add_param read back as they were; find gives the last of a name; and any
 * text is the value of the parameter it was escaped into.
 */
#include "base/utf8.h"
#include "http/url.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_written_again(struct arena *arena, const struct url_params *params)
{
    struct buf buf;
    struct url_params again;
    struct why why;
    buf_init(&buf, 1 << 24);
    for (size_t i = 0; i < params->count; i++) {
        if (i > 0) buf_add_byte(&buf, '&');
        url_add_escaped(&buf, params->items[i].name);
        buf_add_byte(&buf, '=');
        url_add_escaped(&buf, params->items[i].value);
    }
    enum err err = url_params_parse(arena, buf_str(&buf), &again, &why);
    ASSERT(err == OK && again.count == params->count);
    for (size_t i = 0; i < params->count; i++) {
        ASSERT(str_eq(again.items[i].name, params->items[i].name));
        ASSERT(str_eq(again.items[i].value, params->items[i].value));
    }
    buf_release(&buf);
}

static void check_params(struct arena *arena, struct str text)
{
    struct url_params params;
    struct why why;
    if (url_params_parse(arena, text, &params, &why) != OK) return;
    ASSERT(params.count <= URL_PARAMS_MAX);
    for (size_t i = 0; i < params.count; i++) {
        struct str name = params.items[i].name, value = params.items[i].value;
        ASSERT(utf8_valid(name) && str_find_byte(name, '\0') == name.len);
        ASSERT(utf8_valid(value) && str_find_byte(value, '\0') == value.len);
        const struct url_param *found = url_params_find(&params, arena_copy(arena, name).at);
        ASSERT(found != NULL && found >= &params.items[i] && str_eq(found->name, name));
    }
    check_written_again(arena, &params);
}

static void check_value(struct arena *arena, struct str text)
{
    struct buf buf;
    struct url_params params;
    struct why why;
    buf_init(&buf, 3 * text.len + 64);
    url_add_param(&buf, "a", STR("1 2"));
    url_add_param(&buf, "q", text);
    enum err err = url_params_parse(arena, buf_str(&buf), &params, &why);
    bool is_text = utf8_valid(text) && str_find_byte(text, '\0') == text.len;
    ASSERT((err == OK) == is_text);
    if (is_text) {
        ASSERT(params.count == 2 && str_eq(params.items[0].value, STR("1 2")));
        ASSERT(str_eq(url_params_find(&params, "q")->value, text));
    }
    buf_release(&buf);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena arena = {0};
    struct str text = {(const char *)data, size};
    check_params(&arena, text);
    check_value(&arena, text);
    arena_release(&arena);
    return 0;
}
