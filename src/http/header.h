/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * http/header.h: what the values of header fields mean (RFC 9110 and friends).
 *
 * Each function takes the value of a field as text and answers a question
 * about it. An empty value stands for an absent field. Where a field may come
 * several times, the caller has joined the values with ", " (RFC 9110, 5.3).
 * A value that breaks its grammar is answered as the RFC tells servers to:
 * as if the field, or that one element, were not there. So these are `bool`
 * functions: they answer and cannot fail, and none of them allocates. Text
 * handed out is borrowed from the value. Any thread.
 */
#pragma once

#include "base/err.h"
#include "base/str.h"

/* ---- Grammar (RFC 9110, 5.6) ---- */

/* One or more tchar. */
bool header_is_token(struct str s);
/*
 * Take the next element out of a comma-separated list: trimmed, commas inside
 * quoted strings respected, empty elements skipped (5.6.1.2). For
 * Sec-WebSocket-Protocol too (RFC 6455, 11.3.4): the client's order is kept.
 */
bool header_list_next(struct str *rest, struct str *item_out);
/* Is `item` an element, letter case aside? For Connection, Upgrade, lists of origins. */
bool header_list_has(struct str list, struct str item);
/*
 * Take the next `; name=value` out of `*rest` (5.6.6); the value may still be a
 * quoted string. False at the end with `rest->len` 0, or at something that is
 * no parameter, which `*rest` then begins with.
 */
bool header_param_next(struct str *rest, struct str *name_out, struct str *value_out);
/* A token or quoted string without its quoting. `to` takes s.len bytes; how many were written. */
size_t header_unquote(struct str s, char *to);

/* ---- What the client wants (RFC 9110, 12) ---- */

/*
 * How much an Accept field wants a media type, 0 (not at all) to 1000: the most
 * specific range decides (12.5.1). An absent field wants everything alike.
 * Parameters of ranges other than q are passed over: "text/html;level=1" is
 * text/html. To tell a browser from others compare two types.
 */
unsigned header_accept_quality(struct str accept, const char *type);
bool header_accepts(struct str accept, const char *type);
/* May the answer carry this content coding ("gzip", "br")? No, when the field is absent (12.5.3) or
 * names "identity" as what is liked better. */
bool header_accepts_coding(struct str accept_encoding, const char *coding);

/* ---- Content-Type (RFC 9110, 8.3) ---- */

enum { HEADER_CHARSET_MAX = 31, HEADER_BOUNDARY_MAX = 70 /* RFC 2046, 5.1.1 */ };

struct header_content_type {
    struct str type;                      /* "text/html", as it was written: compare without case */
    char charset[HEADER_CHARSET_MAX + 1]; /* "" when absent */
    char boundary[HEADER_BOUNDARY_MAX + 1]; /* "" when absent */
};

/* False: not a media type, a parameter twice, or a charset or boundary that cannot be one. */
MUST_USE bool header_content_type(struct str value, struct header_content_type *out);
bool header_type_is(const struct header_content_type *content, const char *type);
/* application/json or application/…+json (RFC 6839, 3.1) in UTF-8. */
bool header_type_is_json(const struct header_content_type *content);

/* ---- Conditions (RFC 9110, 8.8 and 13) ---- */

/*
 * Does `etag` (ours, "\"x\"" or "W/\"x\"") stand in an If-None-Match field, by
 * weak comparison (8.8.3.2), or is the field "*"? True for a GET means 304.
 */
bool header_etag_matches(struct str if_none_match, struct str etag);
/*
 * False: the client has the version of `modified_s` already, answer 304. True
 * also for what is no date in the preferred format (13.1.3; the two obsolete
 * formats count as no date: the answer is then merely whole). Look at
 * If-None-Match first; when it is there this field does not count (13.2.2).
 */
bool header_modified_since(struct str if_modified_since, int64_t modified_s);
/*
 * May the request go on? If-Match names our `etag` by strong comparison, or is "*" (13.1.1); when
 * it is absent, If-Unmodified-Since is no earlier than `modified_s`, or no date (13.1.4). False:
 * answer 412, before looking at the other conditions (13.2.2).
 */
bool header_precondition(struct str if_match, struct str if_unmodified_since, struct str etag,
                         int64_t modified_s);

/* ---- Ranges (RFC 9110, 14) ---- */

enum header_range_answer {
    HEADER_RANGE_WHOLE,  /* 200 with everything */
    HEADER_RANGE_PART,   /* 206 with the part */
    HEADER_RANGE_OUTSIDE /* 416 with "Content-Range: bytes * /SIZE" (without the blank) */
};

struct header_range {
    uint64_t first, count; /* bytes; count > 0 */
};

/*
 * "bytes=a-b", "bytes=a-", "bytes=-n" against a representation of `size` bytes.
 * Several ranges, other units and nonsense give WHOLE, which every server may
 * answer (14.2): one asks for several ranges mostly to make a server sweat.
 * `*range_out` is set for PART only.
 */
enum header_range_answer header_range(struct str range, uint64_t size,
                                      struct header_range *range_out);
/*
 * May the Range field be honoured? Yes when If-Range is absent, is our `etag`
 * by strong comparison, or is exactly our date (13.1.5). Pass `modified_s` < 0
 * unless the date is a strong validator (8.8.2.2): the file has been at rest
 * for more than a second.
 */
bool header_if_range(struct str if_range, struct str etag, int64_t modified_s);

/* ---- Who asks ---- */

/*
 * The value of the first cookie of that exact name (RFC 6265, 4.2 and 5.4: the
 * most specific path comes first). As it stands, quotes included. False: none.
 */
bool header_cookie(struct str cookies, const char *name, struct str *value_out);
/* What follows "Bearer " or another scheme, letter case aside (11.4). False: another or nothing. */
bool header_credentials(struct str authorization, const char *scheme, struct str *out);
/*
 * Is the Origin (RFC 6454, 7) of a browser's request this very host? Compares
 * with the Host field, ports defaulted by the origin's scheme; our own scheme
 * is not known behind a proxy and not compared. False for "null" and nonsense.
 */
bool header_origin_is_host(struct str origin, struct str host);

enum { HEADER_NETS_MAX = 32 /* proxies of one installation */ };

/* Addresses whose word on X-Forwarded-For and -Proto counts. Filled at start-up, then read on any
 * thread. */
struct header_trusted {
    struct header_net {
        uint8_t address[16]; /* IPv4 as ::ffff:a.b.c.d */
        uint8_t bits;        /* leading ones that count, 0–128 */
    } nets[HEADER_NETS_MAX];
    size_t count;
};

/* "127.0.0.1, ::1, 10.0.0.0/8". ERR_INVALID names the entry that is no address or network. */
MUST_USE enum err header_trusted_parse(struct str list, struct header_trusted *trusted_out,
                                       struct why *why);
/* Is the peer of a socket one of them? */
bool header_is_trusted(const struct header_trusted *trusted, struct str peer);
enum { HEADER_NETWORK_BYTES = 64 };
/* What one customer of a network has: an IPv4 address, a /64 of IPv6 (RFC 6177, 4291). Limits count
 * by it. "203.0.113.9", "2001:db8:0:1::/64"; what is no address stays as it is. In `to`, or
 * `address` itself. */
struct str header_network(struct str address, char to[HEADER_NETWORK_BYTES]);

/*
 * Whose request it really is. Walks X-Forwarded-For from the right, from the
 * peer of the socket outwards, for as long as a trusted proxy vouches for the
 * next hop, and gives the first address nobody we trust owns (the left-most when
 * all are trusted). What stands further left is hearsay, and an entry that is
 * no address ends the walk. Ports and brackets are cut off.
 */
struct str header_client_address(struct str forwarded, struct str peer,
                                 const struct header_trusted *trusted);
