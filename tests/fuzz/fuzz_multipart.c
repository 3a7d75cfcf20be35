/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * tests/fuzz/fuzz_multipart.c: any bytes as a form with the boundary "b".
 *
 * The first byte chooses the cuts, the rest is the body. Held: cut anyhow, a
 * body gives the same code and tells the sink the same as in one piece; begin,
 * data and end come in order; and the same bytes as the content of one part
 * arrive untouched, unless they hold the delimiter.
 */
#include "base/rng.h"
#include "base/utf8.h"
#include "http/multipart.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct record {
    struct buf text;
    bool open;
};

static void add_field(struct buf *buf, struct str s)
{
    buf_add_u64(buf, s.len);
    buf_add_byte(buf, s.at ? ':' : '-');
    buf_add_str(buf, s);
}

static enum err record_begin(void *ctx, const struct multipart_part *part, struct why *why)
{
    (void)why;
    struct record *record = ctx;
    ASSERT(!record->open && part->name.at != NULL && part->content_type.at != NULL);
    ASSERT(utf8_valid(part->name) && utf8_valid(part->filename) && utf8_valid(part->content_type));
    record->open = true;
    add_field(&record->text, part->name);
    add_field(&record->text, part->filename);
    add_field(&record->text, part->content_type);
    return OK;
}

static enum err record_data(void *ctx, struct str bytes, struct why *why)
{
    (void)why;
    struct record *record = ctx;
    ASSERT(record->open && bytes.len > 0);
    buf_add_str(&record->text, bytes);
    return OK;
}

static enum err record_end(void *ctx, struct why *why)
{
    (void)why;
    struct record *record = ctx;
    ASSERT(record->open);
    record->open = false;
    buf_add_str(&record->text, STR("{end}"));
    return OK;
}

static const struct multipart_sink recorder = {record_begin, record_data, record_end};

/* `cuts` NULL: in one piece. */
static enum err parse(struct str body, struct rng *cuts, struct record *record)
{
    struct multipart multipart;
    struct why why;
    *record = (struct record){0};
    buf_init(&record->text, SIZE_MAX / 2);
    multipart_init(&multipart, STR("b"), &recorder, record);
    enum err err = OK;
    while (body.len > 0 && !err) {
        size_t len = body.len;
        if (cuts) len = MIN(len, rng_below(cuts, rng_below(cuts, 8) ? 8 : 200));
        err = multipart_feed(&multipart, str_head(body, len), &why);
        multipart_check(&multipart);
        body = str_from(body, len);
    }
    if (!err) err = multipart_finish(&multipart, &why);
    multipart_release(&multipart);
    return err;
}

static void check_cuts(uint8_t seed, struct str body)
{
    struct record whole, pieces;
    struct rng rng;
    enum err wanted = parse(body, NULL, &whole);
    for (uint64_t stream = 0; stream < 4; stream++) {
        rng_init(&rng, seed, stream);
        enum err err = parse(body, &rng, &pieces);
        ASSERT(err == wanted && pieces.open == whole.open);
        ASSERT(str_eq(buf_str(&pieces.text), buf_str(&whole.text)));
        buf_release(&pieces.text);
    }
    buf_release(&whole.text);
}

static void check_content(uint8_t seed, struct str content)
{
    struct buf body, wanted;
    struct record record;
    struct rng rng;
    if (str_starts(content, STR("--b")) || str_find(content, STR("\r\n--b")) < content.len) return;
    buf_init(&body, content.len + 256);
    buf_add_str(&body, STR("--b\r\nContent-Disposition: form-data; name=n\r\n\r\n"));
    buf_add_str(&body, content);
    buf_add_str(&body, STR("\r\n--b--\r\n"));
    buf_init(&wanted, content.len + 256);
    buf_add_str(&wanted, STR("1:n0-10:text/plain"));
    buf_add_str(&wanted, content);
    buf_add_str(&wanted, STR("{end}"));
    rng_init(&rng, seed, 4);
    enum err err = parse(buf_str(&body), &rng, &record);
    ASSERT(err == OK && str_eq(buf_str(&record.text), buf_str(&wanted)));
    buf_release(&record.text);
    buf_release(&wanted);
    buf_release(&body);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) return 0;
    struct str body = {(const char *)data + 1, size - 1};
    check_cuts(data[0], body);
    check_content(data[0], body);
    return 0;
}
