/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * http/url.h: what stands in a request line, and the escapes to write one.
 *
 * A target is split once, by url_target_parse(), which also refuses whatever
 * could mean two things to two programs: bad escapes, NUL, invalid UTF-8, and
 * dot-segments, plain or escaped. They are refused and not resolved, since no
 * client of ours sends them (browsers and curl resolve them first, RFC 3986,
 * 5.2.4) and whoever does is trying the doors. After that the path is walked
 * raw, segment by segment, and only segments that are values get decoded:
 *
 *     struct url_target target;
 *     err = url_target_parse(text, &target, why);
 *     struct str rest = target.path, segment;
 *     while (url_path_next(&rest, &segment)) …
 *     err = url_params_parse(arena, target.query, &params, why);
 *     const struct url_param *page = url_params_find(&params, "page");
 *
 * Everything is pure and may run on any thread. Text handed out is borrowed
 * from the input where nothing had to be decoded, else it lives in the arena:
 * it is good while both are.
 */
#pragma once

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"

enum {
    /* Our largest form has 8 fields; more than this is an attack on whoever loops over them. */
    URL_PARAMS_MAX = 200,
};

struct url_target {
    struct str path;      /* raw, begins with '/' */
    struct str query;     /* raw, without its '?'; `at` is NULL when there is none */
    struct str authority; /* of an absolute-form target, else empty */
};

/*
 * Origin-form ("/posts?page=2", RFC 9112, 3.2.1) and absolute-form
 * ("http://host/posts", 3.2.2, whose authority then counts instead of the Host
 * field). ERR_INVALID for authority-form, asterisk-form, user information
 * (RFC 9110, 4.2.4), a fragment, blanks, controls and raw non-ASCII bytes, and
 * for a path as above.
 */
MUST_USE enum err url_target_parse(struct str target, struct url_target *target_out,
                                   struct why *why);

/* "host:80" of "http://host:80/posts"; empty for origin-form, and where there is none that is
 * valid. */
struct str url_target_authority(struct str target);

/*
 * A path that url_target_parse let through, with the escapes of letters, digits, '-', '.', '_' and
 * '~' undone: they mean the same (RFC 3986, 6.2.2.2), and routes are found by their bytes. All
 * other escapes stay, "%2F" among them. `path` itself where there is nothing to undo.
 */
struct str url_path_plain(struct arena *arena, struct str path);

/*
 * Take the next raw segment out of `*rest`, which is a path that begins with
 * '/', or what the last call left. "/a//b/" gives "a", "", "b", "".
 */
bool url_path_next(struct str *rest, struct str *segment_out);
/*
 * One segment without its escapes (RFC 3986, 2.1); '+' is itself. Fails like
 * url_target_parse, so never for a segment of a path that it let through.
 * A decoded segment may hold '/' ("a%2Fb"): never paste it into a file name unseen.
 */
MUST_USE enum err url_segment_decode(struct arena *arena, struct str raw, struct str *text_out,
                                     struct why *why);

struct url_param {
    struct str name, value;
};

struct url_params {
    const struct url_param *items; /* in their order, duplicates included */
    size_t count;
};

/*
 * A query or an application/x-www-form-urlencoded body (WHATWG URL, 5.1):
 * '&' parts the pairs, '+' is a blank, %XX a byte; a name without '=' has the
 * empty value, empty pieces are skipped. A '%' that begins no escape stands
 * for itself, as in browsers and in Python: people do type "?q=100%".
 * ERR_INVALID: NUL or invalid UTF-8. ERR_LIMIT: more than URL_PARAMS_MAX pairs.
 */
MUST_USE enum err url_params_parse(struct arena *arena, struct str text,
                                   struct url_params *params_out, struct why *why);
/* The last one of that name (as the old systems do), or NULL. */
const struct url_param *url_params_find(const struct url_params *params, const char *name);

struct url_host {
    struct str host; /* "example.org", "192.0.2.1", "[2001:db8::1]" with its brackets */
    uint16_t port;   /* 0: none given */
};

/*
 * The value of a Host field or an authority: host [":" port] (RFC 9110, 7.2).
 * False for user information, an empty host, bytes that no host name has and
 * ports outside 1–65535.
 */
MUST_USE bool url_host_parse(struct str text, struct url_host *host_out);

/* `text` with everything but unreserved characters escaped: for a segment, a name or a value. */
void url_add_escaped(struct buf *buf, struct str text);
/* "&name=value", or "name=value" when `buf` is empty or ends in '?'. `name` needs no escapes. */
void url_add_param(struct buf *buf, const char *name, struct str value);

/*
 * The bytes behind %XX escapes, nothing judged but the escapes themselves.
 * `to` takes raw.len bytes and may be raw.at. False: an escape is bad.
 */
MUST_USE bool url_unescape(struct str raw, char *to, size_t *len_out);
