/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * http/url.c: targets, parameters, hosts and escapes.
 *
 * Most targets hold no escape at all and this runs for every request, so each
 * function first asks memchr whether there is anything to do, and borrows if not.
 */
#include "http/url.h"

#include <arpa/inet.h>

#include "base/utf8.h"

/* The byte behind the '%' at `at`. */
static bool escape_at(struct str s, size_t at, unsigned char *byte_out)
{
    return hex_read(str_head(str_from(s, at + 1), 2), byte_out, 1);
}

static bool has_byte(struct str s, char byte)
{
    return str_find_byte(s, byte) < s.len;
}

/* Targets are visible ASCII; `refused` are the visible bytes that do not belong here. */
static bool is_visible(struct str s, const char *refused)
{
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.at[i];
        if (c <= 0x20 || c >= 0x7F || strchr(refused, c) != NULL) return false;
    }
    return true;
}

static enum err check_segment(struct str raw, struct why *why)
{
    uint32_t state = 0;
    bool valid = true;
    size_t dots = 0, count = 0;
    for (size_t i = 0; i < raw.len; i++, count++) {
        unsigned char byte = (unsigned char)raw.at[i];
        if (byte == '%') {
            if (!escape_at(raw, i, &byte)) {
                return why_set(why, ERR_INVALID, "the path has a '%%' without two hex digits");
            }
            i += 2;
        }
        if (byte == 0) return why_set(why, ERR_INVALID, "the path has a NUL byte");
        valid = valid && utf8_feed(&state, (const char *)&byte, 1);
        dots += byte == '.';
    }
    if (!valid || state != 0) return why_set(why, ERR_INVALID, "the path is not valid UTF-8");
    if (dots == count && (count == 1 || count == 2)) {
        return why_set(why, ERR_INVALID, "the path has a '.' or '..' segment");
    }
    return OK;
}

static enum err check_path(struct str path, struct why *why)
{
    if (!is_visible(path, "#\\\"<>")) {
        return why_set(why, ERR_INVALID, "the path has a byte that must be escaped");
    }
    struct str rest = path, segment;
    while (url_path_next(&rest, &segment)) {
        enum err err = check_segment(segment, why);
        if (err) return err;
    }
    return OK;
}

/* Cut "http://authority" off the front of an absolute-form target. */
static enum err take_authority(struct str *target, struct str *authority_out, struct why *why)
{
    static const char *const schemes[] = {"http://", "https://"};
    for (size_t i = 0; i < COUNT_OF(schemes); i++) {
        struct str scheme = str_of(schemes[i]);
        if (!str_eq_nocase(str_head(*target, scheme.len), scheme)) continue;
        struct str rest = str_from(*target, scheme.len);
        size_t end = MIN(str_find_byte(rest, '/'), str_find_byte(rest, '?'));
        struct url_host host;
        if (!url_host_parse(str_head(rest, end), &host)) {
            return why_set(why, ERR_INVALID, "the request target names no valid host");
        }
        *authority_out = str_head(rest, end);
        *target = str_from(rest, end);
        return OK;
    }
    return why_set(why, ERR_INVALID, "the request target must begin with '/' or http://");
}

struct str url_target_authority(struct str target)
{
    struct str authority = {0};
    struct why why;
    bool origin = target.len == 0 || target.at[0] == '/';
    return origin || take_authority(&target, &authority, &why) ? (struct str){0} : authority;
}

enum err url_target_parse(struct str target, struct url_target *target_out, struct why *why)
{
    struct url_target found = {0};
    bool absolute = target.len == 0 || target.at[0] != '/';
    if (absolute) {
        enum err err = take_authority(&target, &found.authority, why);
        if (err) return err;
    }
    size_t end = str_find_byte(target, '?');
    found.path = str_head(target, end);
    if (end < target.len) found.query = str_from(target, end + 1);
    /* An absolute-form target may leave its path empty (RFC 9112, 3.2.2). */
    if (absolute && found.path.len == 0) found.path = STR("/");
    enum err err = check_path(found.path, why);
    if (err) return err;
    if (!is_visible(found.query, "#")) {
        return why_set(why, ERR_INVALID, "the query has a byte that must be escaped");
    }
    *target_out = found;
    return OK;
}

static bool is_unreserved(unsigned char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '.' || c == '_' || c == '~';
}

struct str url_path_plain(struct arena *arena, struct str path)
{
    if (!has_byte(path, '%')) return path;
    char *to = arena_alloc(arena, path.len);
    size_t len = 0;
    for (size_t i = 0; i < path.len; i++) {
        unsigned char byte = (unsigned char)path.at[i];
        if (byte == '%' && escape_at(path, i, &byte) && is_unreserved(byte)) {
            i += 2;
        } else {
            byte = (unsigned char)path.at[i];
        }
        to[len++] = (char)byte;
    }
    return (struct str){to, len};
}

bool url_path_next(struct str *rest, struct str *segment_out)
{
    if (rest->len == 0) return false;
    ASSERT(rest->at[0] == '/');
    struct str after = str_from(*rest, 1);
    size_t end = str_find_byte(after, '/');
    *segment_out = str_head(after, end);
    *rest = str_from(after, end);
    return true;
}

bool url_unescape(struct str raw, char *to, size_t *len_out)
{
    size_t len = 0;
    for (size_t i = 0; i < raw.len; i++) {
        unsigned char byte = (unsigned char)raw.at[i];
        if (byte == '%') {
            if (!escape_at(raw, i, &byte)) return false;
            i += 2;
        }
        to[len++] = (char)byte;
    }
    *len_out = len;
    return true;
}

enum err url_segment_decode(struct arena *arena, struct str raw, struct str *text_out,
                            struct why *why)
{
    enum err err = check_segment(raw, why);
    if (err) return err;
    if (!has_byte(raw, '%')) {
        *text_out = raw;
        return OK;
    }
    char *to = arena_alloc(arena, raw.len);
    size_t len = 0;
    bool good = url_unescape(raw, to, &len);
    ASSERT(good); /* check_segment saw every escape */
    *text_out = (struct str){to, len};
    return OK;
}

/* One name or value of a form. */
static struct str decode_form(struct arena *arena, struct str raw)
{
    if (!has_byte(raw, '%') && !has_byte(raw, '+')) return raw;
    char *to = arena_alloc(arena, raw.len);
    size_t len = 0;
    for (size_t i = 0; i < raw.len; i++) {
        unsigned char byte = (unsigned char)raw.at[i];
        if (byte == '+') {
            byte = ' ';
        } else if (byte == '%' && escape_at(raw, i, &byte)) {
            i += 2;
        }
        to[len++] = (char)byte;
    }
    return (struct str){to, len};
}

static bool is_text(struct str s)
{
    return !has_byte(s, '\0') && utf8_valid(s);
}

enum err url_params_parse(struct arena *arena, struct str text, struct url_params *params_out,
                          struct why *why)
{
    size_t count = 0;
    struct str rest = text, piece;
    while (str_split(&rest, '&', &piece)) {
        if (piece.len > 0 && ++count > URL_PARAMS_MAX) {
            return why_set(why, ERR_LIMIT, "more than %d parameters", URL_PARAMS_MAX);
        }
    }
    struct url_param *items = ARENA_ARRAY(arena, struct url_param, count);
    size_t at = 0;
    rest = text;
    while (str_split(&rest, '&', &piece)) {
        if (piece.len == 0) continue;
        size_t equals = str_find_byte(piece, '=');
        items[at].name = decode_form(arena, str_head(piece, equals));
        items[at].value = decode_form(arena, str_from(piece, equals + 1));
        if (!is_text(items[at].name) || !is_text(items[at].value)) {
            return why_set(why, ERR_INVALID, "parameter %zu is not valid UTF-8 or has a NUL byte",
                           at + 1);
        }
        at++;
    }
    ASSERT(at == count);
    *params_out = (struct url_params){items, count};
    return OK;
}

const struct url_param *url_params_find(const struct url_params *params, const char *name)
{
    struct str wanted = str_of(name);
    for (size_t i = params->count; i > 0; i--) {
        if (str_eq(params->items[i - 1].name, wanted)) return &params->items[i - 1];
    }
    return NULL;
}

static bool is_ipv6(struct str s)
{
    char text[INET6_ADDRSTRLEN];
    struct in6_addr address;
    if (s.len >= sizeof(text) || has_byte(s, '\0')) return false;
    str_copy(text, sizeof(text), s);
    return inet_pton(AF_INET6, text, &address) == 1;
}

/* Bytes of the host at the front of an authority; 0: there is none. */
static size_t host_len(struct str text)
{
    if (text.len > 0 && text.at[0] == '[') {
        size_t end = str_find_byte(text, ']');
        if (end == text.len || !is_ipv6(str_head(str_from(text, 1), end - 1))) return 0;
        return end + 1;
    }
    /* Narrower than RFC 3986's reg-name: names that DNS and /etc/hosts can hold. */
    size_t end = 0;
    while (end < text.len && is_unreserved((unsigned char)text.at[end]) && text.at[end] != '~') {
        end++;
    }
    return end;
}

bool url_host_parse(struct str text, struct url_host *host_out)
{
    size_t end = host_len(text);
    if (end == 0) return false;
    struct str rest = str_from(text, end);
    uint64_t port = 0;
    /* "host:" with an empty port is allowed and means the default (RFC 3986, 3.2.3). */
    if (rest.len > 0 && rest.at[0] != ':') return false;
    if (rest.len > 1 && (!str_to_u64(str_from(rest, 1), &port) || port == 0 || port > UINT16_MAX)) {
        return false;
    }
    *host_out = (struct url_host){str_head(text, end), (uint16_t)port};
    return true;
}

void url_add_escaped(struct buf *buf, struct str text)
{
    static const char digits[] = "0123456789ABCDEF";
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.at[i];
        if (is_unreserved(c)) {
            buf_add_byte(buf, (char)c);
        } else {
            buf_add(buf, (char[]){'%', digits[c >> 4], digits[c & 15]}, 3);
        }
    }
}

void url_add_param(struct buf *buf, const char *name, struct str value)
{
    if (buf->len > 0 && buf->at[buf->len - 1] != '?') buf_add_byte(buf, '&');
    buf_add_str(buf, str_of(name));
    buf_add_byte(buf, '=');
    url_add_escaped(buf, value);
}
