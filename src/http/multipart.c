/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * http/multipart.c: finding a delimiter in a stream, and reading part heads.
 *
 * The delimiter is CRLF "--" boundary, and a boundary holds no CR. So CR stands
 * at its front and nowhere else, no proper end of it is also its beginning, and
 * the search needs no table: inside a piece memmem does it; across pieces a
 * counter of matched bytes is enough. When such a match comes to nothing, the
 * bytes that were held back are the delimiter's own first bytes, so they are
 * given to the sink from there and nothing is ever buffered or looked at twice.
 *
 * The first delimiter has no CRLF before it, and a part without a body may share
 * the CRLF that ends its head (RFC 2046, 5.1.1: body-part). In both places the
 * search starts with those two bytes matched but `lent`: they are no data.
 */
#include "http/multipart.h"

#include "base/utf8.h"
#include "http/header.h"
#include "http/url.h"

void multipart_init(struct multipart *multipart, struct str boundary,
                    const struct multipart_sink *sink, void *ctx)
{
    ASSERT(boundary.len >= 1 && boundary.len <= MULTIPART_BOUNDARY_MAX);
    ASSERT(str_find_byte(boundary, '\r') == boundary.len);
    *multipart = (struct multipart){.sink = sink, .ctx = ctx, .matched = 2, .lent = 2};
    memcpy(multipart->delimiter, "\r\n--", 4);
    memcpy(multipart->delimiter + 4, boundary.at, boundary.len);
    multipart->delimiter_len = boundary.len + 4;
    buf_init(&multipart->head, MULTIPART_HEAD_MAX);
}

void multipart_release(struct multipart *multipart)
{
    buf_release(&multipart->head);
    *multipart = (struct multipart){0};
}

void multipart_check(const struct multipart *multipart)
{
    ASSERT(multipart->delimiter_len > 4 &&
           multipart->delimiter_len <= sizeof(multipart->delimiter));
    ASSERT(multipart->matched < multipart->delimiter_len);
    ASSERT(multipart->lent == 0 || multipart->lent == 2);
    ASSERT(multipart->lent <= multipart->matched);
    ASSERT(multipart->parts <= MULTIPART_PARTS_MAX);
    ASSERT(multipart->head.len <= MULTIPART_HEAD_MAX);
    ASSERT(multipart->head.len == 0 || multipart->state == MULTIPART_HEAD || multipart->failed);
}

/* ---- The head of a part ---- */

/* What the fields of one head said. */
struct part_head {
    struct multipart_part part;
    bool disposition_seen, type_seen, extended;
};

/*
 * A quoted string or token, unquoted in place. Browsers escape the quote as %22
 * and nothing by backslash (WHATWG HTML, 4.10.21.8), curl and others write \"
 * and \\. So only these two are undone, and C:\pictures\a.png stays what it is.
 */
static struct str unquote_in_place(struct str value)
{
    if (value.len < 2 || value.at[0] != '"') return value;
    char *to = (char *)(uintptr_t)value.at; /* our own head buffer */
    size_t len = 0;
    for (size_t i = 1; i + 1 < value.len; i++) {
        bool escape = value.at[i] == '\\' && i + 2 < value.len &&
                      (value.at[i + 1] == '"' || value.at[i + 1] == '\\');
        if (escape) i++;
        to[len++] = value.at[i];
    }
    return (struct str){to, len};
}

/* ISO-8859-1 to UTF-8. `from` may be the end of the room at `to`: a byte past ASCII came as three
 * (%XX) and becomes two, so writing never overtakes reading. */
static size_t from_latin1(char *to, const char *from, size_t len)
{
    size_t out = 0;
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)from[i];
        if (c >= 0x80) to[out++] = (char)(0xC0 | c >> 6);
        to[out++] = (char)(c >= 0x80 ? 0x80 | (c & 0x3F) : c);
    }
    return out;
}

/* charset'language'text with %XX (RFC 8187, 3.2), decoded in place; false when it is not that. */
static bool extended_in_place(struct str value, struct str *text_out)
{
    if (!header_is_token(value)) return false; /* also: no bytes that would grow below */
    struct str charset = str_head(value, str_find_byte(value, '\''));
    struct str rest = str_from(value, charset.len + 1);
    size_t language = str_find_byte(rest, '\'');
    if (charset.len == value.len || language == rest.len) return false;
    rest = str_from(rest, language + 1);
    char *to = (char *)(uintptr_t)rest.at; /* our own head buffer */
    size_t len;
    if (!url_unescape(rest, to, &len)) return false;
    if (str_eq_nocase(charset, STR("iso-8859-1"))) {
        char *tail = to + rest.len - len;
        memmove(tail, to, len);
        len = from_latin1(to, tail, len);
    } else if (!str_eq_nocase(charset, STR("utf-8"))) {
        return false;
    }
    *text_out = (struct str){to, len};
    return true;
}

static bool is_label(struct str s)
{
    for (size_t i = 0; i < s.len; i++) {
        if ((unsigned char)s.at[i] < 0x20 || s.at[i] == 0x7F) return false;
    }
    return utf8_valid(s);
}

static enum err set_label(struct str *label, struct str text, const char *what, struct why *why)
{
    if (!is_label(text)) {
        return why_set(why, ERR_INVALID, "the %s of a part is not plain UTF-8 text", what);
    }
    *label = text;
    return OK;
}

static enum err read_param(struct part_head *head, struct str name, struct str value,
                           struct why *why)
{
    struct multipart_part *part = &head->part;
    if (str_eq_nocase(name, STR("name"))) {
        if (part->name.at) return why_set(why, ERR_INVALID, "a part has two names");
        return set_label(&part->name, unquote_in_place(value), "name", why);
    }
    if (str_eq_nocase(name, STR("filename"))) {
        if (head->extended) return OK;
        if (part->filename.at) return why_set(why, ERR_INVALID, "a part has two file names");
        return set_label(&part->filename, unquote_in_place(value), "file name", why);
    }
    if (str_eq_nocase(name, STR("filename*"))) {
        struct str text;
        if (head->extended) return why_set(why, ERR_INVALID, "a part has two file names");
        if (!extended_in_place(value, &text)) {
            return why_set(why, ERR_INVALID, "the filename* of a part is not charset''text");
        }
        head->extended = true;
        return set_label(&part->filename, text, "file name", why);
    }
    return OK;
}

static enum err read_disposition(struct part_head *head, struct str value, struct why *why)
{
    if (head->disposition_seen) {
        return why_set(why, ERR_INVALID, "a part has two Content-Disposition fields");
    }
    head->disposition_seen = true;
    size_t end = str_find_byte(value, ';');
    if (!str_eq_nocase(str_trim(str_head(value, end)), STR("form-data"))) {
        return why_set(why, ERR_INVALID, "a part is not form-data");
    }
    struct str rest = str_from(value, end), name, text;
    while (header_param_next(&rest, &name, &text)) {
        enum err err = read_param(head, name, text, why);
        if (err) return err;
    }
    if (rest.len > 0) {
        return why_set(why, ERR_INVALID, "the Content-Disposition of a part is malformed");
    }
    return OK;
}

static enum err read_type(struct part_head *head, struct str value, struct why *why)
{
    if (head->type_seen) {
        return why_set(why, ERR_INVALID, "a part has two Content-Type fields");
    }
    head->type_seen = true;
    if (value.len == 0) return OK;
    return set_label(&head->part.content_type, value, "content type", why);
}

static enum err read_encoding(struct part_head *head, struct str value, struct why *why)
{
    (void)head;
    static const char *const plain[] = {"binary", "8bit", "7bit"};
    for (size_t i = 0; i < COUNT_OF(plain); i++) {
        if (str_eq_nocase(value, str_of(plain[i]))) return OK;
    }
    return why_set(why, ERR_INVALID, "a part has a transfer encoding; send its bytes as they are");
}

static const struct field {
    const char *name;
    enum err (*read)(struct part_head *head, struct str value, struct why *why);
} fields[] = {
    {"Content-Disposition", read_disposition},
    {"Content-Type", read_type},
    {"Content-Transfer-Encoding", read_encoding},
};

static enum err read_line(struct part_head *head, struct str line, struct why *why)
{
    size_t colon = str_find_byte(line, ':');
    struct str name = str_head(line, colon);
    if (colon == line.len || !header_is_token(name)) { /* a folded line begins with a blank */
        return why_set(why, ERR_INVALID, "a line in the head of a part is no field");
    }
    for (size_t i = 0; i < COUNT_OF(fields); i++) {
        if (!str_eq_nocase(name, str_of(fields[i].name))) continue;
        return fields[i].read(head, str_trim(str_from(line, colon + 1)), why);
    }
    return OK;
}

/* The head is whole: its lines, each ended by CRLF, then an empty one. */
static enum err begin_part(struct multipart *multipart, struct why *why)
{
    struct part_head head = {.part.content_type = STR("text/plain")};
    struct str rest = buf_str(&multipart->head);
    for (;;) {
        size_t end = str_find(rest, STR("\r\n"));
        if (end == 0) break;
        enum err err = read_line(&head, str_head(rest, end), why);
        if (err) return err;
        rest = str_from(rest, end + 2);
    }
    if (head.part.name.at == NULL) return why_set(why, ERR_INVALID, "a part has no name");
    enum err err = multipart->sink->begin(multipart->ctx, &head.part, why);
    if (err) return err;
    buf_reset(&multipart->head, MULTIPART_HEAD_MAX + 1);
    multipart->state = MULTIPART_DATA;
    multipart->matched = multipart->lent = 2;
    return OK;
}

/* Line by line into the buffer, until the empty one. */
static enum err feed_head(struct multipart *multipart, struct str *piece, struct why *why)
{
    struct buf *head = &multipart->head;
    size_t newline = str_find_byte(*piece, '\n');
    bool ended = newline < piece->len;
    size_t len = ended ? newline + 1 : piece->len;
    buf_add(head, piece->at, len);
    *piece = str_from(*piece, len);
    if (head->failed) {
        return why_set(why, ERR_LIMIT, "the head of a part has more than %d bytes",
                       MULTIPART_HEAD_MAX);
    }
    if (!ended) return OK;
    struct str text = buf_str(head);
    if (!str_ends(text, STR("\r\n"))) {
        return why_set(why, ERR_INVALID, "a line in the head of a part ends without CR");
    }
    bool empty_line = text.len == 2 || str_ends(text, STR("\r\n\r\n"));
    return empty_line ? begin_part(multipart, why) : OK;
}

/* ---- The search ---- */

static enum err give(struct multipart *multipart, struct str bytes, struct why *why)
{
    if (multipart->state == MULTIPART_PREAMBLE || bytes.len == 0) return OK;
    return multipart->sink->data(multipart->ctx, bytes, why);
}

static enum err delimiter_found(struct multipart *multipart, struct why *why)
{
    bool open = multipart->state == MULTIPART_DATA;
    multipart->matched = multipart->lent = 0;
    multipart->state = MULTIPART_DELIMITER;
    return open ? multipart->sink->end(multipart->ctx, why) : OK;
}

/* Go on with a match that an earlier piece began. */
static enum err feed_match(struct multipart *multipart, struct str *piece, struct why *why)
{
    size_t seen = 0;
    while (seen < piece->len && multipart->matched < multipart->delimiter_len &&
           piece->at[seen] == multipart->delimiter[multipart->matched]) {
        seen++;
        multipart->matched++;
    }
    *piece = str_from(*piece, seen);
    if (multipart->matched == multipart->delimiter_len) return delimiter_found(multipart, why);
    if (piece->len == 0) return OK;
    struct str held = {multipart->delimiter + multipart->lent,
                       multipart->matched - multipart->lent};
    multipart->matched = multipart->lent = 0;
    return give(multipart, held, why);
}

/* How many bytes at the end of `s` might be the beginning of the delimiter. */
static size_t half_match(const struct multipart *multipart, struct str s)
{
    struct str tail = str_from(s, s.len - MIN(s.len, multipart->delimiter_len - 1));
    const char *cr = memrchr(tail.at, '\r', tail.len); /* only the last can be it */
    if (cr == NULL) return 0;
    size_t len = (size_t)(s.at + s.len - cr);
    return memcmp(cr, multipart->delimiter, len) == 0 ? len : 0;
}

static enum err feed_data(struct multipart *multipart, struct str *piece, struct why *why)
{
    if (multipart->matched > 0) return feed_match(multipart, piece, why);
    struct str delimiter = {multipart->delimiter, multipart->delimiter_len};
    size_t end = str_find(*piece, delimiter);
    bool found = end < piece->len;
    if (!found) {
        multipart->matched = half_match(multipart, *piece);
        end = piece->len - multipart->matched;
    }
    struct str bytes = str_head(*piece, end);
    *piece = str_from(*piece, found ? end + delimiter.len : piece->len);
    enum err err = give(multipart, bytes, why);
    return err || !found ? err : delimiter_found(multipart, why);
}

/* ---- Between a delimiter and a head ---- */

static enum err begin_head(struct multipart *multipart, struct why *why)
{
    if (multipart->parts == MULTIPART_PARTS_MAX) {
        return why_set(why, ERR_LIMIT, "the form has more than %d parts", MULTIPART_PARTS_MAX);
    }
    multipart->parts++;
    multipart->state = MULTIPART_HEAD;
    return OK;
}

/*
 * One byte behind a delimiter. Anything else there means that the sender chose
 * a boundary which its own data contains (RFC 2046, 5.1.1 forbids it); guessing
 * that it was data would let a file smuggle parts past stricter readers.
 */
static enum err feed_delimiter(struct multipart *multipart, struct str *piece, struct why *why)
{
    static const struct {
        enum multipart_state from;
        char byte;
        enum multipart_state to;
    } steps[] = {
        {MULTIPART_DELIMITER, '-', MULTIPART_DASH},
        {MULTIPART_DELIMITER, '\r', MULTIPART_LINE_END},
        {MULTIPART_DELIMITER, ' ', MULTIPART_PADDING},
        {MULTIPART_DELIMITER, '\t', MULTIPART_PADDING},
        {MULTIPART_PADDING, ' ', MULTIPART_PADDING},
        {MULTIPART_PADDING, '\t', MULTIPART_PADDING},
        {MULTIPART_PADDING, '\r', MULTIPART_LINE_END},
        {MULTIPART_DASH, '-', MULTIPART_EPILOGUE},
        {MULTIPART_LINE_END, '\n', MULTIPART_HEAD},
    };
    char byte = piece->at[0];
    *piece = str_from(*piece, 1);
    for (size_t i = 0; i < COUNT_OF(steps); i++) {
        if (steps[i].from != multipart->state || steps[i].byte != byte) continue;
        if (steps[i].to == MULTIPART_HEAD) return begin_head(multipart, why);
        multipart->state = steps[i].to;
        return OK;
    }
    return why_set(why, ERR_INVALID, "a boundary is followed by something else than a line end");
}

static enum err feed_some(struct multipart *multipart, struct str *piece, struct why *why)
{
    switch (multipart->state) {
    case MULTIPART_PREAMBLE:
    case MULTIPART_DATA: return feed_data(multipart, piece, why);
    case MULTIPART_DELIMITER:
    case MULTIPART_DASH:
    case MULTIPART_PADDING:
    case MULTIPART_LINE_END: return feed_delimiter(multipart, piece, why);
    case MULTIPART_HEAD: return feed_head(multipart, piece, why);
    case MULTIPART_EPILOGUE: break;
    }
    *piece = str_from(*piece, piece->len);
    return OK;
}

static enum err refuse_again(const struct multipart *multipart, struct why *why)
{
    return why_set(why, multipart->failed, "the form was refused earlier");
}

enum err multipart_feed(struct multipart *multipart, struct str piece, struct why *why)
{
    if (multipart->failed) return refuse_again(multipart, why);
    while (piece.len > 0) {
        multipart->failed = feed_some(multipart, &piece, why);
        if (multipart->failed) return multipart->failed;
    }
    return OK;
}

enum err multipart_finish(struct multipart *multipart, struct why *why)
{
    if (multipart->failed) return refuse_again(multipart, why);
    if (multipart->state == MULTIPART_EPILOGUE) return OK;
    return why_set(why, ERR_INVALID, "the form is cut off: its closing boundary is missing");
}
