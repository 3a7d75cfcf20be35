/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "request.h"

#include <errno.h>

#include "base/mem.h"

enum { TOKENS_FILE_BYTES_MAX = 64 * 1024 * 1024, BODY_BYTES_MAX = 16 * 1024 * 1024 };

enum err request_add_header(struct request *request, struct str header, struct why *why)
{
    if (request->header_count == REQUEST_HEADERS_MAX) {
        return why_set(why, ERR_LIMIT, "at most %d headers", REQUEST_HEADERS_MAX);
    }
    if (str_find_byte(header, ':') == header.len) {
        return why_set(why, ERR_INVALID, "\"%.*s\" is no header", STR_ARGS(header));
    }
    request->headers[request->header_count++] = header;
    return OK;
}

enum err request_complete(struct request *request, bool has_tokens, struct why *why)
{
    const struct str token = STR("%t"), type = STR("content-type:");
    bool takes_token = str_find(request->to.path, token) < request->to.path.len;
    bool has_type = false;
    for (size_t i = 0; i < request->header_count; i++) {
        struct str header = request->headers[i];
        takes_token |= str_find(header, token) < header.len;
        has_type |= str_eq_nocase(str_head(header, type.len), type);
    }
    enum err err = OK;
    if (has_tokens && !takes_token) {
        err = request_add_header(request, STR("Authorization: Bearer %t"), why);
    }
    if (!err && request->body.at && !has_type) {
        err = request_add_header(request, STR("Content-Type: application/json"), why);
    }
    return err;
}

void template_write(struct buf *buf, struct str template, struct str token, uint64_t number)
{
    while (template.len) {
        size_t mark = str_find_byte(template, '%');
        buf_add_str(buf, str_head(template, mark));
        template = str_from(template, mark);
        if (template.len == 0) break;
        char kind = template.len > 1 ? template.at[1] : '\0';
        if (kind == 'd') buf_add_u64(buf, number);
        if (kind == 't') buf_add_str(buf, token);
        if (kind == '%') buf_add_byte(buf, '%');
        bool known = kind == 'd' || kind == 't' || kind == '%';
        if (!known) buf_add_byte(buf, '%');
        template = str_from(template, known ? 2 : 1);
    }
}

bool question_number(struct str text, uint64_t *number_out)
{
    const struct str mark = STR("question ");
    struct str rest = str_from(text, str_find(text, mark) + mark.len);
    size_t digits = 0;
    while (digits < rest.len && rest.at[digits] >= '0' && rest.at[digits] <= '9') digits++;
    return str_to_u64(str_head(rest, digits), number_out);
}

void request_write(struct buf *buf, const struct request *request, struct str token,
                   uint64_t number)
{
    buf_add_str(buf, request->method.len ? request->method : STR("GET"));
    buf_add_byte(buf, ' ');
    template_write(buf, request->to.path, token, number);
    buf_printf(buf, " HTTP/1.1\r\nHost: %s\r\n", request->to.host);
    for (size_t i = 0; i < request->header_count; i++) {
        template_write(buf, request->headers[i], token, number);
        buf_add_str(buf, STR("\r\n"));
    }
    if (request->body.at) {
        struct buf body;
        buf_init(&body, BODY_BYTES_MAX);
        template_write(&body, request->body, token, number);
        buf_printf(buf, "Content-Length: %zu\r\n\r\n", body.len);
        buf_add_str(buf, buf_str(&body));
        buf_release(&body);
    } else {
        buf_add_str(buf, STR("\r\n"));
    }
}

static void split_tokens(struct tokens *tokens, struct str text)
{
    struct str line;
    size_t cap = 0;
    while (str_split(&text, '\n', &line)) {
        line = str_trim(line);
        if (line.len == 0) continue;
        if (tokens->len == cap) {
            cap = cap ? cap * 2 : 64;
            tokens->at = mem_resize(tokens->at, cap * sizeof(*tokens->at));
        }
        tokens->at[tokens->len++] = line;
    }
}

enum err tokens_load(struct tokens *tokens_out, const char *path, struct why *why)
{
    FILE *file = fopen(path, "re");
    if (!file) return why_set(why, ERR_NOT_FOUND, "%s: %s", path, strerror(errno));
    struct buf text;
    buf_init(&text, TOKENS_FILE_BYTES_MAX);
    char piece[16 * 1024];
    for (size_t got; (got = fread(piece, 1, sizeof(piece), file)) > 0;) {
        buf_add(&text, piece, got);
    }
    bool failed = ferror(file) || text.failed;
    fclose(file);

    struct tokens tokens = {.text = text.at};
    if (!failed) split_tokens(&tokens, buf_str(&text));
    if (tokens.len == 0) {
        tokens_release(&tokens);
        return why_set(why, ERR_INVALID, "%s holds no tokens", path);
    }
    *tokens_out = tokens;
    return OK;
}

void tokens_release(struct tokens *tokens)
{
    mem_free(tokens->text);
    mem_free(tokens->at);
    *tokens = (struct tokens){0};
}

struct str tokens_get(const struct tokens *tokens, size_t n)
{
    return tokens->len ? tokens->at[n % tokens->len] : STR("");
}
