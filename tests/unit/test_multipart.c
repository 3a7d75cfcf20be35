/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * tests/unit/test_multipart.c: bodies, whole and cut everywhere.
 *
 * A recording sink writes what it is told as text: "{name|filename|type}" for
 * begin ("-" without a file name), the data as it is, "{end}". Data calls that
 * follow each other run together, so the record does not depend on the cuts.
 */
#include <setjmp.h>
#include <stdarg.h>

#include "base/rng.h"
#include "http/multipart.h"

#include <cmocka.h>

struct record {
    struct buf text;
    size_t data_calls;
    const char *fail_at; /* "begin", "data", "end" or NULL */
};

static enum err record_fails(struct record *record, const char *at, struct why *why)
{
    if (record->fail_at == NULL || strcmp(record->fail_at, at) != 0) return OK;
    return why_set(why, ERR_BUSY, "the sink says no at %s", at);
}

static enum err record_begin(void *ctx, const struct multipart_part *part, struct why *why)
{
    struct record *record = ctx;
    bool file = part->filename.at != NULL;
    buf_printf(&record->text, "{%.*s|%.*s|%.*s}", STR_ARGS(part->name),
               STR_ARGS(file ? part->filename : STR("-")), STR_ARGS(part->content_type));
    return record_fails(record, "begin", why);
}

static enum err record_data(void *ctx, struct str bytes, struct why *why)
{
    struct record *record = ctx;
    assert_true(bytes.len > 0);
    record->data_calls++;
    buf_add_str(&record->text, bytes);
    return record_fails(record, "data", why);
}

static enum err record_end(void *ctx, struct why *why)
{
    struct record *record = ctx;
    buf_add_str(&record->text, STR("{end}"));
    return record_fails(record, "end", why);
}

static const struct multipart_sink recorder = {record_begin, record_data, record_end};

static void record_init(struct record *record)
{
    *record = (struct record){0};
    buf_init(&record->text, 1 << 20);
}

static enum err feed(struct multipart *multipart, struct str piece, struct why *why)
{
    enum err err = multipart_feed(multipart, piece, why);
    multipart_check(multipart);
    return err;
}

/* Each piece in memory of its own, so that a read past its end is caught. */
static enum err feed_copy(struct multipart *multipart, struct str piece, struct why *why)
{
    char *copy = malloc(piece.len + 1);
    assert_non_null(copy);
    char *at = copy + 1; /* the end of the block is the end of the piece */
    if (piece.len > 0) memcpy(at, piece.at, piece.len);
    enum err err = feed(multipart, (struct str){at, piece.len}, why);
    free(copy);
    return err;
}

/* The body in pieces that end at the `count` ascending `cuts`. */
static enum err parse_cut(struct str boundary, struct str body, const size_t *cuts, size_t count,
                          struct record *record, struct why *why)
{
    struct multipart multipart;
    multipart_init(&multipart, boundary, &recorder, record);
    size_t from = 0;
    enum err err = OK;
    for (size_t i = 0; i <= count && !err; i++) {
        size_t to = i < count ? cuts[i] : body.len;
        err = feed_copy(&multipart, str_head(str_from(body, from), to - from), why);
        from = to;
    }
    if (!err) err = multipart_finish(&multipart, why);
    multipart_release(&multipart);
    return err;
}

static enum err parse(struct str boundary, struct str body, struct record *record, struct why *why)
{
    record_init(record);
    return parse_cut(boundary, body, NULL, 0, record, why);
}

/* A browser's form: a field, a picture with everything that looks like a delimiter, an empty file.
 */
#define FORM                                                                                       \
    "--XbX\r\n"                                                                                    \
    "Content-Disposition: form-data; name=\"content\"\r\n\r\n"                                     \
    "\xE4\xBD\xA0\xE5\xA5\xBD\r\nline\r\n"                                                         \
    "\r\n--XbX\r\n"                                                                                \
    "content-disposition: form-data; name=\"file\"; filename=\"a b.png\"\r\n"                      \
    "Content-Type: image/png\r\n\r\n"                                                              \
    "\r\n-\r\n--\r\n--X\r\n--Xb\r\r\n--XbY\r\n\r\n\r--XbX\n--XbX\r"                                \
    "\r\n--XbX \t\r\n"                                                                             \
    "Content-Disposition: form-data; name=\"none\"; filename=\"\"\r\n"                             \
    "Content-Type: application/octet-stream\r\n\r\n"                                               \
    "\r\n--XbX--\r\nepilogue --XbX\r\n--XbX\r\n"

#define FORM_RECORD                                                                                \
    "{content|-|text/plain}\xE4\xBD\xA0\xE5\xA5\xBD\r\nline\r\n{end}"                              \
    "{file|a b.png|image/png}\r\n-\r\n--\r\n--X\r\n--Xb\r\r\n--XbY\r\n\r\n\r--XbX\n--XbX\r{end}"   \
    "{none||application/octet-stream}{end}"

static void a_form_is_read_whole(void **state)
{
    (void)state;
    struct record record;
    struct why why = {0};
    enum err err = parse(STR("XbX"), STR(FORM), &record, &why);
    if (err) fail_msg("%s", why.text);
    assert_string_equal(record.text.at, FORM_RECORD);
    buf_release(&record.text);
}

static void a_cut_at_any_one_or_two_bytes_changes_nothing(void **state)
{
    (void)state;
    struct str body = STR(FORM);
    struct why why;
    for (size_t first = 0; first <= body.len; first++) {
        /* The second cut within the length of a delimiter: farther cuts do not meet. */
        for (size_t second = first; second <= MIN(body.len, first + 10); second++) {
            struct record record;
            record_init(&record);
            size_t cuts[] = {first, second};
            assert_int_equal(parse_cut(STR("XbX"), body, cuts, 2, &record, &why), OK);
            assert_string_equal(record.text.at, FORM_RECORD);
            buf_release(&record.text);
        }
    }
}

static void single_bytes_give_the_same(void **state)
{
    (void)state;
    size_t cuts[sizeof(FORM)];
    for (size_t i = 0; i < COUNT_OF(cuts); i++) cuts[i] = i;
    struct record record;
    struct why why;
    record_init(&record);
    struct str body = STR(FORM);
    assert_int_equal(parse_cut(STR("XbX"), body, cuts, body.len, &record, &why), OK);
    assert_string_equal(record.text.at, FORM_RECORD);
    buf_release(&record.text);
}

/* Bytes that love to look like "\r\n--ab" and its neighbours. */
static void add_noise(struct rng *rng, struct buf *buf, size_t len)
{
    static const char *const bits[] = {"\r", "\n", "-", "a", "b", "\r\n--", "\r\n--a", "--ab", "x"};
    while (len-- > 0) buf_add_str(buf, str_of(bits[rng_below(rng, COUNT_OF(bits))]));
}

static void random_bodies_and_cuts_agree_with_one_piece(void **state)
{
    (void)state;
    struct rng rng;
    rng_init(&rng, 2046, 7578);
    int good = 0, bad = 0;
    for (int round = 0; round < 3000; round++) {
        struct buf body;
        buf_init(&body, 1 << 16);
        if (rng_below(&rng, 4) == 0) add_noise(&rng, &body, rng_below(&rng, 6));
        for (uint32_t parts = rng_below(&rng, 4); parts > 0; parts--) {
            buf_add_str(&body, STR("\r\n--ab\r\nContent-Disposition:form-data;name=n\r\n\r\n"));
            add_noise(&rng, &body, rng_below(&rng, 40));
        }
        buf_add_str(&body, STR("\r\n--ab--"));
        struct why why;
        struct record whole, pieces;
        enum err wanted = parse(STR("ab"), buf_str(&body), &whole, &why);
        *(wanted ? &bad : &good) += 1;
        for (int again = 0; again < 4; again++) {
            size_t cuts[8], last = 0;
            for (size_t i = 0; i < COUNT_OF(cuts); i++) {
                last += rng_below(&rng, 2) ? rng_below(&rng, 8)
                                           : rng_below(&rng, (uint32_t)(body.len - last) / 2 + 1);
                cuts[i] = last = MIN(last, body.len);
            }
            record_init(&pieces);
            enum err err =
                parse_cut(STR("ab"), buf_str(&body), cuts, COUNT_OF(cuts), &pieces, &why);
            assert_int_equal(err, wanted);
            assert_true(str_eq(buf_str(&pieces.text), buf_str(&whole.text)));
            buf_release(&pieces.text);
        }
        buf_release(&whole.text);
        buf_release(&body);
    }
    assert_true(good > 500 && bad > 500); /* the noise meets both ends */
}

#define HEAD "--b\r\nContent-Disposition: form-data; name=\"n\"\r\n"
#define PART HEAD "\r\nv\r\n"

static void odd_but_right_bodies_are_read(void **state)
{
    (void)state;
    static const struct {
        const char *body, *record;
    } cases[] = {
        {"--b--", ""},
        {"preamble --b\r\nmore\r\n" PART "--b--", "{n|-|text/plain}v{end}"},
        {"\r\n" PART "--b--", "{n|-|text/plain}v{end}"},
        /* A part without a body may share its CRLF with the delimiter. */
        {HEAD "\r\n--b--", "{n|-|text/plain}{end}"},
        {HEAD "\r\n\r\n--b--", "{n|-|text/plain}{end}"},
        {HEAD "\r\n--x\r\n--b--", "{n|-|text/plain}--x{end}"},
        {HEAD "\r\n-\r\n--b--", "{n|-|text/plain}-{end}"},
        {HEAD "X-Other: 1\r\nContent-Type:\r\n\r\nv\r\n--b--", "{n|-|text/plain}v{end}"},
        {HEAD "Content-Transfer-Encoding: Binary\r\n\r\nv\r\n--b--", "{n|-|text/plain}v{end}"},
        {"--b\r\nContent-Disposition: Form-Data; Name=n\r\n\r\n\r\n--b--", "{n|-|text/plain}{end}"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct record record;
        struct why why = {0};
        enum err err = parse(STR("b"), str_of(cases[i].body), &record, &why);
        if (err) fail_msg("%s: %s", cases[i].body, why.text);
        assert_true(str_eq(buf_str(&record.text), str_of(cases[i].record)));
        buf_release(&record.text);
    }
}

static void file_names_are_read_in_every_spelling(void **state)
{
    (void)state;
    static const struct {
        const char *params, *name, *filename; /* name NULL: refused */
    } cases[] = {
        {"name=a", "a", "-"},
        {"name=\"a\"; filename=b.png", "a", "b.png"},
        {"name=\"a\"; filename=\"\"", "a", ""},
        {"name=\"a;b=\\\"c\\\"\"; filename=\"x\"", "a;b=\"c\"", "x"},
        {"name=\"a\"; filename=\"C:\\dir\\x.png\"", "a", "C:\\dir\\x.png"},
        {"name=\"a\"; filename=\"\\\\\\\\host\\x\"", "a", "\\\\host\\x"},
        {"name=\"a\"; filename=\"%22q%22.png\"", "a", "%22q%22.png"},
        {"name=\"a\"; filename=\"猫.png\"", "a", "猫.png"},
        {"name=\"a\"; filename*=UTF-8''%e7%8c%ab.png", "a", "猫.png"},
        {"name=\"a\"; filename=\"x.png\"; filename*=utf-8'zh'%E7%8C%AB.png", "a", "猫.png"},
        {"name=\"a\"; filename*=utf-8''b.png; filename=\"x.png\"", "a", "b.png"},
        {"name=\"a\"; filename*=ISO-8859-1''%A3%20caf%E9%FF", "a", "£ caféÿ"},
        {"name=\"a\"; filename*=utf-8''", "a", ""},
        {"name=\"a\"; size=3", "a", "-"},
        {"filename=b", NULL, NULL},
        {"name=a; name=b", NULL, NULL},
        {"name=a; filename=b; filename=c", NULL, NULL},
        {"name=a; filename*=utf-8''b; filename*=utf-8''c", NULL, NULL},
        {"name=a; filename*=b", NULL, NULL},
        {"name=a; filename*=utf-8'b", NULL, NULL},
        {"name=a; filename*=utf-8''%zz", NULL, NULL},
        {"name=a; filename*=utf-8''%ff", NULL, NULL},
        {"name=a; filename*=utf-8''a%00b", NULL, NULL},
        {"name=a; filename*=gbk''b", NULL, NULL},
        {"name=a; filename*=\"iso-8859-1''\xE9\"", NULL, NULL},
        {"name=a; filename=\"\xFF\"", NULL, NULL},
        {"name=a; filename=\"a\tb\"", NULL, NULL},
        {"name=\"never ends", NULL, NULL},
        {"name", NULL, NULL},
        {"name=a b", NULL, NULL},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char body[512], wanted[512];
        snprintf(body, sizeof(body), "--b\r\nContent-Disposition: form-data; %s\r\n\r\nv\r\n--b--",
                 cases[i].params);
        struct record record;
        struct why why = {0};
        enum err err = parse(STR("b"), str_of(body), &record, &why);
        assert_int_equal(err, cases[i].name ? OK : ERR_INVALID);
        if (cases[i].name) {
            snprintf(wanted, sizeof(wanted), "{%s|%s|text/plain}v{end}", cases[i].name,
                     cases[i].filename);
            assert_string_equal(record.text.at, wanted);
        } else {
            assert_int_equal(record.text.len, 0);
        }
        buf_release(&record.text);
    }
}

static void malformed_bodies_are_refused(void **state)
{
    (void)state;
    static const char *const cases[] = {
        "",
        "no boundary at all",
        "-b--",
        "--b",
        "--b-",
        "--b-x",
        "--b\r",
        "--b\r\n",
        "--b\n",
        "--b x\r\n",
        "--b\rx",
        "--bx\r\n",
        PART "--b",
        PART "--bx\r\n",
        PART,
        HEAD,
        HEAD "\r\nv",
        HEAD "\r\nv\n--b--",
        HEAD "\nv\r\n--b--",
        "--b\r\n\r\nv\r\n--b--",
        "--b\r\nContent-Disposition: form-data; name=n\n\r\nv\r\n--b--",
        "--b\r\nContent-Disposition: attachment; name=n\r\n\r\nv\r\n--b--",
        "--b\r\nContent-Disposition: form-data;\r\n name=n\r\n\r\nv\r\n--b--",
        "--b\r\nContent-Type: text/plain\r\n\r\nv\r\n--b--",
        HEAD "Content-Disposition: form-data; name=m\r\n\r\nv\r\n--b--",
        HEAD "Content-Type: a/b\r\nContent-Type: a/c\r\n\r\nv\r\n--b--",
        HEAD "Content-Type: a/\x01\r\n\r\nv\r\n--b--",
        HEAD "Content-Transfer-Encoding: base64\r\n\r\nv\r\n--b--",
        HEAD "No colon\r\n\r\nv\r\n--b--",
        HEAD "Bad name: x\r\n\r\nv\r\n--b--",
        HEAD ": x\r\n\r\nv\r\n--b--",
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct record record;
        struct why why = {0};
        if (parse(STR("b"), str_of(cases[i]), &record, &why) != ERR_INVALID) {
            fail_msg("let through: %s", cases[i]);
        }
        assert_true(why.text[0] != '\0');
        buf_release(&record.text);
    }
}

static void every_cut_off_form_is_noticed(void **state)
{
    (void)state;
    struct str body = STR(FORM);
    size_t closed = str_find(body, STR("--XbX--")) + strlen("--XbX--");
    for (size_t len = 0; len <= body.len; len++) {
        struct record record;
        struct why why;
        enum err err = parse(STR("XbX"), str_head(body, len), &record, &why);
        assert_int_equal(err, len < closed ? ERR_INVALID : OK);
        buf_release(&record.text);
    }
}

static void heads_and_parts_are_bounded(void **state)
{
    (void)state;
    struct buf body;
    struct record record;
    struct why why;
    buf_init(&body, 1 << 16);
    /* A head of exactly the ceiling passes, one more byte does not. */
    for (size_t over = 0; over <= 1; over++) {
        buf_reset(&body, 1 << 16);
        buf_add_str(&body, STR(HEAD "X: "));
        size_t head_at = strlen("--b\r\n");
        while (body.len - head_at + 4 < MULTIPART_HEAD_MAX + over) buf_add_byte(&body, 'x');
        buf_add_str(&body, STR("\r\n\r\nv\r\n--b--"));
        enum err err = parse(STR("b"), buf_str(&body), &record, &why);
        assert_int_equal(err, over ? ERR_LIMIT : OK);
        buf_release(&record.text);
    }
    for (size_t over = 0; over <= 1; over++) {
        buf_reset(&body, 1 << 16);
        for (size_t i = 0; i < MULTIPART_PARTS_MAX + over; i++) buf_add_str(&body, STR(PART));
        buf_add_str(&body, STR("--b--"));
        enum err err = parse(STR("b"), buf_str(&body), &record, &why);
        assert_int_equal(err, over ? ERR_LIMIT : OK);
        buf_release(&record.text);
    }
    buf_release(&body);
}

static void a_failing_sink_stops_the_parse_for_good(void **state)
{
    (void)state;
    static const char *const points[] = {"begin", "data", "end"};
    for (size_t i = 0; i < COUNT_OF(points); i++) {
        struct record record;
        struct why why = {0};
        struct multipart multipart;
        record_init(&record);
        record.fail_at = points[i];
        multipart_init(&multipart, STR("b"), &recorder, &record);
        assert_int_equal(feed(&multipart, STR(PART PART "--b--"), &why), ERR_BUSY);
        assert_non_null(strstr(why.text, points[i]));
        size_t said = record.text.len;
        assert_int_equal(feed(&multipart, STR("more"), &why), ERR_BUSY);
        assert_int_equal(multipart_finish(&multipart, &why), ERR_BUSY);
        assert_int_equal(record.text.len, said);
        multipart_release(&multipart);
        multipart_release(&multipart);
        buf_release(&record.text);
    }
}

/* 70 bytes of boundary, and content made of delimiters that break off at their last byte. */
static void content_of_near_delimiters_costs_one_pass_and_no_memory(void **state)
{
    (void)state;
    char boundary[MULTIPART_BOUNDARY_MAX + 1];
    memset(boundary, '-', MULTIPART_BOUNDARY_MAX);
    boundary[MULTIPART_BOUNDARY_MAX] = '\0';
    struct record record;
    struct multipart multipart;
    struct why why;
    record_init(&record);
    multipart_init(&multipart, str_of(boundary), &recorder, &record);
    char near[MULTIPART_BOUNDARY_MAX + 4];
    memcpy(near, "\r\n-", 3);
    memcpy(near + 3, boundary, MULTIPART_BOUNDARY_MAX);
    near[sizeof(near) - 1] = 'x';
    struct str piece = {near, sizeof(near)};

    struct str head = STR("\r\nContent-Disposition: form-data; name=n\r\n\r\n");
    assert_int_equal(feed(&multipart, STR(""), &why), OK);
    assert_int_equal(feed(&multipart, STR("--"), &why), OK);
    assert_int_equal(feed(&multipart, str_of(boundary), &why), OK);
    assert_int_equal(feed(&multipart, head, &why), OK);
    size_t kept = multipart.head.cap, wanted = record.text.len;
    for (int i = 0; i < 5000; i++) {
        assert_int_equal(feed(&multipart, piece, &why), OK);
        wanted += piece.len;
    }
    assert_int_equal(record.data_calls, 5000); /* as many as pieces */
    assert_int_equal(record.text.len, wanted);
    assert_int_equal(multipart.head.cap, kept);
    assert_int_equal(feed(&multipart, STR("\r\n--"), &why), OK);
    assert_int_equal(feed(&multipart, str_of(boundary), &why), OK);
    assert_int_equal(feed(&multipart, STR("--"), &why), OK);
    assert_int_equal(multipart_finish(&multipart, &why), OK);
    multipart_release(&multipart);
    buf_release(&record.text);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_form_is_read_whole),
        cmocka_unit_test(a_cut_at_any_one_or_two_bytes_changes_nothing),
        cmocka_unit_test(single_bytes_give_the_same),
        cmocka_unit_test(random_bodies_and_cuts_agree_with_one_piece),
        cmocka_unit_test(odd_but_right_bodies_are_read),
        cmocka_unit_test(file_names_are_read_in_every_spelling),
        cmocka_unit_test(malformed_bodies_are_refused),
        cmocka_unit_test(every_cut_off_form_is_noticed),
        cmocka_unit_test(heads_and_parts_are_bounded),
        cmocka_unit_test(a_failing_sink_stops_the_parse_for_good),
        cmocka_unit_test(content_of_near_delimiters_costs_one_pass_and_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
