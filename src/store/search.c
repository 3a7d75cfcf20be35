/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "store/search.h"

#include "base/buf.h"
#include "base/limits.h"

enum {
    MATCH_WORDS_MAX = 16,
    /* MariaDB's index leaves out words past 84 characters; further on ours are all the same. */
    WORD_CHARS_MAX = 80,
    /* InnoDB takes a phrase of 128 words and calls a longer one an error. */
    PHRASE_WORDS_MAX = 128,
};

/* The code point at the start of valid text, and its length. */
static uint32_t decode(struct str s, size_t *len_out)
{
    const unsigned char *at = (const unsigned char *)s.at;
    if (at[0] < 0x80) return *len_out = 1, at[0];
    if (at[0] < 0xE0) return *len_out = 2, (at[0] & 0x1Fu) << 6 | (at[1] & 0x3Fu);
    if (at[0] < 0xF0) {
        return *len_out = 3, (at[0] & 0x0Fu) << 12 | (at[1] & 0x3Fu) << 6 | (at[2] & 0x3Fu);
    }
    return *len_out = 4,
           (at[0] & 0x07u) << 18 | (at[1] & 0x3Fu) << 12 | (at[2] & 0x3Fu) << 6 | (at[3] & 0x3Fu);
}

/* Scripts written without blanks: kana, CJK ideographs with extensions, Hangul. */
static bool is_unspaced(uint32_t c)
{
    return (c >= 0x3040 && c <= 0x30FF) || (c >= 0x3400 && c <= 0x4DBF) ||
           (c >= 0x4E00 && c <= 0x9FFF) || (c >= 0xAC00 && c <= 0xD7AF) ||
           (c >= 0xF900 && c <= 0xFAFF) || (c >= 0x20000 && c <= 0x323AF);
}

/*
 * What both engines take for letters. Not the underscore: it is a letter for
 * MariaDB and none for SQLite. Not emoji: they are letters for neither, and a
 * phrase of nothing must not be asked for.
 */
static bool is_word(uint32_t c)
{
    if (c < 0x80) return (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z');
    /* Punctuation of Latin-1, general and CJK, full-width forms; the rest is taken as letters. */
    return !(c <= 0xBF || c == 0xD7 || c == 0xF7 || (c >= 0x2000 && c <= 0x2BFF) ||
             (c >= 0x3000 && c <= 0x303F) || (c >= 0xE000 && c <= 0xF8FF) ||
             (c >= 0xFE00 && c <= 0xFE6F) || (c >= 0xFF00 && c <= 0xFF0F) ||
             (c >= 0xFF1A && c <= 0xFF20) || (c >= 0xFF3B && c <= 0xFF40) ||
             (c >= 0xFF5B && c <= 0xFF65) || (c >= 0xFFF0 && c <= 0xFFFF) ||
             (c >= 0x1F000 && c <= 0x1FAFF) || c >= 0xE0000);
}

/* A text, taken apart into words. */
struct piece {
    enum { OTHER, LETTERS, UNSPACED } kind;
    struct str text; /* a run of one kind */
};

static bool next_piece(struct str *rest, struct piece *piece_out)
{
    size_t used = 0;
    while (used < rest->len) {
        size_t len;
        uint32_t c = decode(str_from(*rest, used), &len);
        int kind = is_unspaced(c) ? UNSPACED : is_word(c) ? LETTERS : OTHER;
        if (used > 0 && kind != (int)piece_out->kind) break;
        piece_out->kind = kind;
        used += len;
    }
    piece_out->text = str_head(*rest, used);
    *rest = str_from(*rest, used);
    return used > 0;
}

/* Each character a word, by itself for SQLite, by its number for MariaDB. */
static void write_unspaced(struct buf *out, bool mariadb, struct str text)
{
    for (size_t i = 0, len; i < text.len; i += len) {
        uint32_t c = decode(str_from(text, i), &len);
        if (i > 0) buf_add_byte(out, ' ');
        if (mariadb) {
            buf_printf(out, "u%x", c);
        } else {
            buf_add(out, text.at + i, len);
        }
    }
}

/* The prefix makes "a", "AI" and "the" words that MariaDB's index does not leave out for being
 * short or frequent; no stop word begins with it. */
static void write_letters(struct buf *out, bool mariadb, struct str text)
{
    if (!mariadb) {
        buf_add_str(out, text);
        return;
    }
    size_t used = 0, len;
    for (int chars = 0; used < text.len && chars < WORD_CHARS_MAX; chars++, used += len) {
        decode(str_from(text, used), &len);
    }
    buf_add_str(out, STR("xx"));
    buf_add_str(out, str_head(text, used));
}

static void write_piece(struct buf *out, bool mariadb, const struct piece *piece)
{
    if (piece->kind == UNSPACED) {
        write_unspaced(out, mariadb, piece->text);
    } else {
        write_letters(out, mariadb, piece->text);
    }
}

/* What the index is given for a text. */
static void write_words(struct buf *out, bool mariadb, struct str text)
{
    struct piece piece;
    while (next_piece(&text, &piece)) {
        if (piece.kind == OTHER) continue;
        if (out->len > 0) buf_add_byte(out, ' ');
        write_piece(out, mariadb, &piece);
    }
    if (out->len == 0) buf_add_byte(out, ' '); /* a text without words has its row, too */
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

/* A sentence without blanks can be too long for one phrase: what is past that goes back. */
static void cut_phrase(struct piece *piece, struct str *rest)
{
    size_t used = 0, len;
    for (int words = 0; used < piece->text.len && words < PHRASE_WORDS_MAX; words++, used += len) {
        decode(str_from(piece->text, used), &len);
    }
    *rest = (struct str){piece->text.at + used, piece->text.len - used + rest->len};
    piece->text.len = used;
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
    struct piece piece;
    int words = 0;
    while (words < MATCH_WORDS_MAX && next_piece(&text, &piece)) {
        if (piece.kind == OTHER) continue;
        if (piece.kind == UNSPACED) cut_phrase(&piece, &text);
        buf_add_str(&out, words++ > 0 ? STR(" ") : STR(""));
        buf_add_str(&out, mariadb ? STR("+\"") : STR("\""));
        write_piece(&out, mariadb, &piece);
        buf_add_byte(&out, '"');
    }
    struct str match = out.failed ? STR("") : arena_copy(arena, buf_str(&out));
    buf_release(&out);
    return match;
}
