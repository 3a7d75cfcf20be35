/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "store/search.h"

#include "base/buf.h"
#include "base/limits.h"

enum { MATCH_WORDS_MAX = 16 };

/* The code point at the start of valid text, and its length. */
static uint32_t decode(struct str s, size_t *len_out)
{
    const unsigned char *at = (const unsigned char *)s.at;
    if (at[0] < 0x80) return *len_out = 1, at[0];
    if (at[0] < 0xE0) return *len_out = 2, (at[0] & 0x1Fu) << 6 | (at[1] & 0x3Fu);
    if (at[0] < 0xF0) {
        return *len_out = 3, (at[0] & 0x0Fu) << 12 | (at[1] & 0x3Fu) << 6 | (at[2] & 0x3Fu);
    }
    return *len_out = 4, (at[0] & 0x07u) << 18 | (at[1] & 0x3Fu) << 12 | (at[2] & 0x3Fu) << 6 |
                         (at[3] & 0x3Fu);
}

/* Scripts written without blanks: kana, CJK ideographs with extensions, Hangul. */
static bool is_unspaced(uint32_t c)
{
    return (c >= 0x3040 && c <= 0x30FF) || (c >= 0x3400 && c <= 0x4DBF) ||
           (c >= 0x4E00 && c <= 0x9FFF) || (c >= 0xAC00 && c <= 0xD7AF) ||
           (c >= 0xF900 && c <= 0xFAFF) || (c >= 0x20000 && c <= 0x323AF);
}

static bool is_word(uint32_t c)
{
    if (c < 0x80) return (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z') || c == '_';
    /* Punctuation of Latin-1, general and CJK, full-width forms; the rest is taken as letters. */
    return !(c <= 0xBF || (c >= 0x2000 && c <= 0x2BFF) || (c >= 0x3000 && c <= 0x303F) ||
             (c >= 0xFE10 && c <= 0xFE6F) || (c >= 0xFF00 && c <= 0xFF0F) ||
             (c >= 0xFF1A && c <= 0xFF20) || (c >= 0xFF3B && c <= 0xFF65));
}

static void add_unspaced(struct buf *out, bool mariadb, struct str text, uint32_t c)
{
    if (mariadb) {
        buf_printf(out, "u%x", c);
    } else {
        buf_add_str(out, text);
    }
}

/* What the index is given for a text. */
static void write_words(struct buf *out, bool mariadb, struct str text)
{
    for (size_t i = 0, len; i < text.len; i += len) {
        uint32_t c = decode(str_from(text, i), &len);
        if (is_unspaced(c)) {
            buf_add_byte(out, ' ');
            add_unspaced(out, mariadb, str_head(str_from(text, i), len), c);
            buf_add_byte(out, ' ');
        } else {
            buf_add(out, text.at + i, len);
        }
    }
}

static enum err change(struct db *db, enum sql which, uint64_t post, struct str content,
                       struct why *why)
{
    struct buf words;
    buf_init(&words, LIMIT_POST_MAX * 16);
    write_words(&words, db_kind(db) == DB_MARIADB, content);
    ASSERT(!words.failed);
    struct query *q = db_query(db, which);
    query_u64(q, post);
    query_str(q, buf_str(&words));
    enum err err = query_run(q, why);
    buf_release(&words);
    return err;
}

enum err search_add_post(struct db *db, uint64_t post, struct str content, struct why *why)
{
    return change(db, SQL_POST_SEARCH_ADD, post, content, why);
}

enum err search_remove_post(struct db *db, uint64_t post, struct str content, struct why *why)
{
    return change(db, SQL_POST_SEARCH_REMOVE, post, content, why);
}

/*
 * Each run of letters, and each run of unspaced characters, becomes one quoted
 * phrase; nothing of the asker's text can be an operator. Both engines take
 * "…" as a phrase; MariaDB wants a + before what must be there.
 */
struct str search_match(struct db *db, struct arena *arena, struct str text)
{
    bool mariadb = db_kind(db) == DB_MARIADB;
    struct buf out;
    buf_init(&out, LIMIT_POST_MAX * 16);
    int words = 0;
    enum { NONE, LETTERS, UNSPACED } run = NONE;
    for (size_t i = 0, len; i < text.len; i += len) {
        uint32_t c = decode(str_from(text, i), &len);
        int kind = is_unspaced(c) ? UNSPACED : is_word(c) ? LETTERS : NONE;
        if (kind != (int)run) {
            if (run != NONE) buf_add_str(&out, STR("\" "));
            if (kind != NONE && ++words > MATCH_WORDS_MAX) {
                run = NONE;
                break;
            }
            if (kind != NONE) buf_add_str(&out, mariadb ? STR("+\"") : STR("\""));
            run = kind;
        }
        if (kind == UNSPACED) {
            add_unspaced(&out, mariadb, str_head(str_from(text, i), len), c);
            buf_add_byte(&out, ' ');
        } else if (kind == LETTERS) {
            buf_add(&out, text.at + i, len);
        }
    }
    if (run != NONE) buf_add_byte(&out, '"');
    struct str match = out.failed ? STR("") : arena_copy(arena, buf_str(&out));
    buf_release(&out);
    return match;
}
