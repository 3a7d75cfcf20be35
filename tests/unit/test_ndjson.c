/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "llm/ndjson.h"

#include "unit.h"

#include "base/mem.h"

struct heard {
    struct buf log;
    struct ndjson *stop;
};

static void hear_line(void *ctx, struct str line)
{
    struct heard *heard = ctx;
    assert_true(line.len > 0);
    buf_printf(&heard->log, "[%.*s]", STR_ARGS(line));
    if (heard->stop) ndjson_stop(heard->stop);
}

static enum err feed(struct ndjson *ndjson, struct str bytes, struct heard *heard, struct why *why)
{
    const struct ndjson_events to = {.line = hear_line, .ctx = heard};
    char *copy = mem_copy(bytes.at, bytes.len);
    enum err err = ndjson_feed(ndjson, (struct str){copy, bytes.len}, &to, why);
    mem_free(copy);
    return err;
}

/* Fed in two pieces, or byte by byte. */
static void expect(struct str stream, size_t cut, const char *told, bool stops)
{
    struct ndjson ndjson;
    struct heard heard = {.stop = stops ? &ndjson : NULL};
    const struct ndjson_events to = {.line = hear_line, .ctx = &heard};
    struct why why = {0};
    size_t step = cut ? stream.len : 1;
    buf_init(&heard.log, 1000);
    buf_add(&heard.log, "", 0);
    ndjson_init(&ndjson, 20);
    enum err err = feed(&ndjson, str_head(stream, cut), &heard, &why);
    for (size_t at = cut; at < stream.len && err == OK; at += step) {
        err = feed(&ndjson, str_head(str_from(stream, at), step), &heard, &why);
    }
    if (err) {
        assert_int_equal(err, ERR_LIMIT);
        assert_string_equal(why.text, "a line of the answer has more than 20 bytes");
        buf_add_byte(&heard.log, '!');
        assert_int_equal(feed(&ndjson, STR("\nlate\n"), &heard, &why), OK);
    }
    assert_int_equal(ndjson_finish(&ndjson, &to, &why), OK);
    assert_int_equal(feed(&ndjson, STR("late\n"), &heard, &why), OK);
    assert_str_equal(buf_str(&heard.log), told);
    ndjson_release(&ndjson);
    buf_release(&heard.log);
}

static void lines_are_the_same_however_the_bytes_are_cut(void **state)
{
    (void)state;
    static const struct {
        const char *stream;
        const char *told;
        bool stops;
    } cases[] = {
        {"{\"a\":1}\n{\"b\":2}\n", "[{\"a\":1}][{\"b\":2}]", false},
        {"{\"a\":1}\n{\"b\":2}", "[{\"a\":1}][{\"b\":2}]", false},
        {"\n\r\n \t\n{}\r\n\n", "[{}]", false},
        {"\xEF\xBB\xBF{}\n\xEF\xBB\xBF\n", "[{}][\xEF\xBB\xBF]", false},
        {"", "", false},
        {"1\n2\n3", "[1]", true},
        {"12345678901234567890\nshort\n", "[12345678901234567890][short]", false},
        {"short\n123456789012345678901\nshort\n", "[short]!", false},
        {"short\n123456789012345678901", "[short]!", false},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        for (size_t cut = 0; cut <= strlen(cases[i].stream); cut++) {
            expect(str_of(cases[i].stream), cut, cases[i].told, cases[i].stops);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_are_the_same_however_the_bytes_are_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
