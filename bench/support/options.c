/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "options.h"

#include "measure.h"
#include "request.h"

static enum err set_number(const struct option_row *row, struct str value, struct why *why)
{
    char text[64], *end = NULL;
    str_copy(text, sizeof(text), value);
    double number = strtod(text, &end);
    if (end == text || *end != '\0' || !(number >= row->min && number <= row->max)) {
        return why_set(why, ERR_INVALID, "--%s takes a number from %g to %g, not \"%.*s\"",
                       row->name, row->min, row->max, STR_ARGS(value));
    }
    if (row->kind == OPTION_DECIMAL) {
        *(double *)row->to = number;
        return OK;
    }
    if (!str_to_u64(value, row->to)) {
        return why_set(why, ERR_INVALID, "--%s takes a whole number, not \"%.*s\"", row->name,
                       STR_ARGS(value));
    }
    return OK;
}

static enum err set_option(const struct option_row *row, struct str value, struct why *why)
{
    switch (row->kind) {
    case OPTION_FLAG: *(bool *)row->to = true; return OK;
    case OPTION_COUNT:
    case OPTION_DECIMAL: return set_number(row, value, why);
    case OPTION_TEXT: *(struct str *)row->to = value; return OK;
    case OPTION_TAKE: return row->take(row->to, value, why);
    }
    ASSERT(false); /* every kind is above */
    return ERR_INVALID;
}

static const struct option_row *find_row(const struct option_row *rows, size_t row_count,
                                         struct str name)
{
    for (size_t i = 0; i < row_count; i++) {
        if (str_eq(name, str_of(rows[i].name))) return &rows[i];
    }
    return NULL;
}

void options_read(const char *program, const char *help, const struct option_row *rows,
                  size_t row_count, int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        struct str word = str_of(argv[i]);
        if (str_eq(word, STR("--help"))) {
            fputs(help, stdout);
            exit(0);
        }
        size_t equals = str_find_byte(word, '=');
        struct str name = str_from(str_head(word, equals), 2);
        struct str value = str_from(word, equals + 1);
        const struct option_row *row =
            str_starts(word, STR("--")) ? find_row(rows, row_count, name) : NULL;
        if (!row) give_up(program, "there is no option \"%s\"; see --help", argv[i]);
        if (row->kind != OPTION_FLAG && equals == word.len) {
            if (i + 1 == argc) give_up(program, "%s takes a value", argv[i]);
            value = str_of(argv[++i]);
        }
        struct why why;
        if (set_option(row, value, &why)) give_up(program, "%s", why.text);
    }
}

enum err option_endpoint(void *to, struct str value, struct why *why)
{
    return endpoint_parse(value, to, why);
}

enum err option_header(void *to, struct str value, struct why *why)
{
    return request_add_header(to, value, why);
}

enum err option_pids(void *to, struct str value, struct why *why)
{
    return pids_parse(value, to, why);
}

enum err option_tokens(void *to, struct str value, struct why *why)
{
    struct tokens tokens;
    enum err err = tokens_load(&tokens, value.at, why);
    if (err) return err;
    tokens_release(to);
    *(struct tokens *)to = tokens;
    return OK;
}
