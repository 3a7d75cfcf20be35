/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * bench/tokens.c: what llm/tokens.h counts and estimates, for bench/tokens.mjs.
 *
 *     tokens <TEXTS
 *
 * Texts on standard input, a NUL byte behind each. For each a line of JSON: its
 * bytes, the estimate, and how many of each class were counted.
 */
#include "base/json.h"
#include "llm/tokens.h"

static void print_one(struct str text)
{
    uint64_t counts[TOKENS_CLASSES] = {0};
    struct buf line;
    buf_init(&line, 4096);
    tokens_count(text, counts);
    struct json_out out = json_begin(&line);
    json_open(&out, NULL, '{');
    json_put_u64(&out, "bytes", text.len);
    json_put_u64(&out, "estimate", tokens_estimate(text));
    for (int i = 0; i < TOKENS_CLASSES; i++) {
        json_put_u64(&out, tokens_class_name((enum tokens_class)i), counts[i]);
    }
    json_close(&out, '}');
    printf("%.*s\n", STR_ARGS(buf_str(&line)));
    buf_release(&line);
}

int main(void)
{
    struct buf all;
    char *space;
    buf_init(&all, 1 << 28);
    while ((space = buf_space(&all, 1 << 16)) != NULL) {
        size_t got = fread(space, 1, 1 << 16, stdin);
        if (got == 0) break;
        buf_grew(&all, got);
    }
    if (all.failed) {
        fprintf(stderr, "tokens: more than 256 MB of texts\n");
        return 1;
    }
    struct str rest = buf_str(&all), text;
    while (rest.len > 0 && str_split(&rest, '\0', &text)) print_one(text);
    buf_release(&all);
    return 0;
}
