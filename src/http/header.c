/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * http/header.c: readers of header values, in the order of the header.
 *
 * All of them walk the value once and keep nothing. Where the grammar of two
 * fields looks alike but differs (entity-tags hold commas and backslashes,
 * cookies hold quotes) each has its own little walk: sharing one is how
 * servers come to disagree with browsers.
 */
#include "http/header.h"

#include <arpa/inet.h>

#include "base/clock.h"
#include "http/url.h"

/* ---- Grammar ---- */

static bool is_ows(char c)
{
    return c == ' ' || c == '\t';
}

static struct str trim_ows(struct str s)
{
    while (s.len > 0 && is_ows(s.at[0])) s = str_from(s, 1);
    while (s.len > 0 && is_ows(s.at[s.len - 1])) s.len--;
    return s;
}

static bool is_alnum(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

static bool is_tchar(char c)
{
    return is_alnum(c) || (c != '\0' && strchr("!#$%&'*+-.^_`|~", c) != NULL);
}

static size_t token_len(struct str s)
{
    size_t len = 0;
    while (len < s.len && is_tchar(s.at[len])) len++;
    return len;
}

bool header_is_token(struct str s)
{
    return s.len > 0 && token_len(s) == s.len;
}

/* Length of the quoted string at the front, quotes included; 0: none, or it never ends. */
static size_t quoted_len(struct str s)
{
    if (s.len == 0 || s.at[0] != '"') return 0;
    for (size_t i = 1; i < s.len; i++) {
        if (s.at[i] == '\\') {
            i++;
        } else if (s.at[i] == '"') {
            return i + 1;
        }
    }
    return 0;
}

bool header_list_next(struct str *rest, struct str *item_out)
{
    while (rest->len > 0) {
        size_t end = 0;
        while (end < rest->len && rest->at[end] != ',') {
            size_t step = 1;
            if (rest->at[end] == '"') {
                /* One that never ends swallows the rest: looking for its end again from every
                 * later quote would be quadratic. */
                step = quoted_len(str_from(*rest, end));
                if (step == 0) step = rest->len - end;
            }
            end += step;
        }
        *item_out = trim_ows(str_head(*rest, end));
        *rest = str_from(*rest, end + 1);
        if (item_out->len > 0) return true;
    }
    return false;
}

bool header_list_has(struct str list, struct str item)
{
    struct str found;
    while (header_list_next(&list, &found)) {
        if (str_eq_nocase(found, item)) return true;
    }
    return false;
}

bool header_param_next(struct str *rest, struct str *name_out, struct str *value_out)
{
    struct str s = trim_ows(*rest);
    bool separated = false;
    while (s.len > 0 && s.at[0] == ';') { /* empty parameters are allowed */
        s = trim_ows(str_from(s, 1));
        separated = true;
    }
    *rest = s;
    size_t name = token_len(s);
    if (!separated || name == 0 || name == s.len || s.at[name] != '=') return false;
    struct str value = str_from(s, name + 1);
    size_t len = value.len > 0 && value.at[0] == '"' ? quoted_len(value) : token_len(value);
    if (len == 0) return false;
    *name_out = str_head(s, name);
    *value_out = str_head(value, len);
    *rest = str_from(value, len);
    return true;
}

size_t header_unquote(struct str s, char *to)
{
    bool quoted = s.len >= 2 && s.at[0] == '"' && s.at[s.len - 1] == '"';
    if (quoted) s = str_head(str_from(s, 1), s.len - 2);
    size_t len = 0;
    for (size_t i = 0; i < s.len; i++) {
        if (quoted && s.at[i] == '\\' && i + 1 < s.len) i++;
        to[len++] = s.at[i];
    }
    return len;
}

/* ---- What the client wants ---- */

/* A qvalue in thousandths (12.4.2), or -1: "0" ["." 0*3DIGIT] or "1" ["." 0*3"0"]. */
static int quality_of(struct str s)
{
    if (s.len == 0 || s.len > 5 || (s.at[0] != '0' && s.at[0] != '1')) return -1;
    if (s.len > 1 && s.at[1] != '.') return -1;
    int quality = (s.at[0] - '0') * 1000, unit = 100;
    for (size_t i = 2; i < s.len; i++, unit /= 10) {
        if (s.at[i] < '0' || s.at[i] > '9') return -1;
        quality += (s.at[i] - '0') * unit;
    }
    return quality <= 1000 ? quality : -1;
}

/* Part an element into what it names and its weight; false when it is malformed. */
static bool take_weight(struct str item, struct str *range_out, int *quality_out)
{
    size_t end = str_find_byte(item, ';');
    struct str rest = str_from(item, end), name, value;
    *range_out = trim_ows(str_head(item, end));
    *quality_out = 1000;
    while (header_param_next(&rest, &name, &value)) {
        if (str_eq_nocase(name, STR("q"))) *quality_out = quality_of(value);
    }
    return rest.len == 0 && *quality_out >= 0;
}

/* How exactly a media range names a type: 3 itself, 2 "text" and any, 1 anything, 0 not. */
static int range_fits(struct str range, struct str type)
{
    if (str_eq_nocase(range, type)) return 3;
    if (str_eq(range, STR("*/*"))) return 1;
    size_t slash = str_find_byte(type, '/');
    bool any_below = range.len == slash + 2 && str_ends(range, STR("/*")) &&
                     str_eq_nocase(str_head(range, slash), str_head(type, slash));
    return any_below ? 2 : 0;
}

unsigned header_accept_quality(struct str accept, const char *type)
{
    struct str wanted = str_of(type), item, range;
    int best_fit = 0, best = 0, quality;
    if (trim_ows(accept).len == 0) return 1000;
    while (header_list_next(&accept, &item)) {
        if (!take_weight(item, &range, &quality)) continue;
        int fit = range_fits(range, wanted);
        if (fit == 0 || fit < best_fit) continue;
        best = fit > best_fit ? quality : MAX(best, quality);
        best_fit = fit;
    }
    return (unsigned)best;
}

bool header_accepts(struct str accept, const char *type)
{
    return header_accept_quality(accept, type) > 0;
}

bool header_accepts_coding(struct str accept_encoding, const char *coding)
{
    struct str wanted = str_of(coding), item, named;
    int exact = -1, any = 0, identity = 0, quality;
    while (header_list_next(&accept_encoding, &item)) {
        if (!take_weight(item, &named, &quality)) continue;
        /* "x-gzip" is an old name of gzip (8.4.1.3). */
        if (str_eq_nocase(named, STR("x-gzip"))) named = STR("gzip");
        if (str_eq_nocase(named, wanted)) exact = MAX(exact, quality);
        if (str_eq_nocase(named, STR("identity"))) identity = quality;
        if (str_eq(named, STR("*"))) any = quality;
    }
    int best = exact >= 0 ? exact : any;
    return best > 0 && best >= identity;
}

/* ---- Content-Type ---- */

/* Unquote into a fixed array; false when it is there already or has no room. */
static bool set_text(char *to, size_t to_bytes, struct str value)
{
    char plain[2 * HEADER_BOUNDARY_MAX + 2]; /* every character escaped, and the quotes */
    if (to[0] != '\0' || value.len > sizeof(plain)) return false;
    size_t len = header_unquote(value, plain);
    if (len == 0 || len >= to_bytes || memchr(plain, '\0', len)) return false;
    memcpy(to, plain, len);
    to[len] = '\0';
    return true;
}

/* bchars, and no blank at the end (RFC 2046, 5.1.1). */
static bool is_boundary(const char *boundary)
{
    struct str s = str_of(boundary);
    for (size_t i = 0; i < s.len; i++) {
        if (!is_alnum(s.at[i]) && strchr("'()+_,-./:=? ", s.at[i]) == NULL) return false;
    }
    return s.len == 0 || s.at[s.len - 1] != ' ';
}

bool header_content_type(struct str value, struct header_content_type *out)
{
    struct header_content_type found = {0};
    size_t end = str_find_byte(value, ';');
    struct str rest = str_from(value, end), name, text;
    found.type = trim_ows(str_head(value, end));
    size_t slash = str_find_byte(found.type, '/');
    if (!header_is_token(str_head(found.type, slash))) return false;
    if (!header_is_token(str_from(found.type, slash + 1))) return false;
    while (header_param_next(&rest, &name, &text)) {
        bool ok = true;
        if (str_eq_nocase(name, STR("charset"))) {
            ok = set_text(found.charset, sizeof(found.charset), text);
        } else if (str_eq_nocase(name, STR("boundary"))) {
            ok = set_text(found.boundary, sizeof(found.boundary), text);
        }
        if (!ok) return false;
    }
    if (rest.len > 0 || !is_boundary(found.boundary)) return false;
    *out = found;
    return true;
}

bool header_type_is(const struct header_content_type *content, const char *type)
{
    return str_eq_nocase(content->type, str_of(type));
}

bool header_type_is_json(const struct header_content_type *content)
{
    struct str charset = str_of(content->charset), type = content->type;
    if (charset.len > 0 && !str_eq_nocase(charset, STR("utf-8"))) return false;
    if (header_type_is(content, "application/json")) return true;
    size_t main = strlen("application/"), suffix = strlen("+json");
    return type.len > main + suffix && str_eq_nocase(str_head(type, main), STR("application/")) &&
           str_eq_nocase(str_from(type, type.len - suffix), STR("+json"));
}

/* ---- Conditions ---- */

struct etag {
    struct str opaque; /* quotes included */
    bool weak;
};

/* etagc is any byte but controls, blank, DEL and the quote; no escapes (8.8.3). */
static size_t etag_len(struct str s)
{
    if (s.len == 0 || s.at[0] != '"') return 0;
    size_t i = 1;
    while (i < s.len && s.at[i] != '"') {
        unsigned char c = (unsigned char)s.at[i++];
        if (c <= 0x20 || c == 0x7F) return 0;
    }
    return i < s.len ? i + 1 : 0;
}

/* Take the next entity-tag out of a list. Nonsense ends the list: a comma found behind it
 * might be inside a tag. */
static bool etag_next(struct str *rest, struct etag *tag_out)
{
    struct str s = *rest;
    while (s.len > 0 && (is_ows(s.at[0]) || s.at[0] == ',')) s = str_from(s, 1);
    tag_out->weak = str_starts(s, STR("W/")); /* a capital W only */
    if (tag_out->weak) s = str_from(s, 2);
    size_t len = etag_len(s);
    if (len == 0) return false;
    tag_out->opaque = str_head(s, len);
    *rest = trim_ows(str_from(s, len));
    return rest->len == 0 || rest->at[0] == ',';
}

static bool etag_listed(struct str list, struct str etag, bool strong)
{
    struct etag ours, theirs;
    bool good = etag_next(&etag, &ours);
    ASSERT(good && etag.len == 0);
    struct str rest = trim_ows(list);
    if (str_eq(rest, STR("*"))) return true;
    while (etag_next(&rest, &theirs)) {
        bool counts = !strong || !(ours.weak || theirs.weak);
        if (counts && str_eq(theirs.opaque, ours.opaque)) return true;
    }
    return false;
}

bool header_etag_matches(struct str if_none_match, struct str etag)
{
    return etag_listed(if_none_match, etag, false);
}

bool header_modified_since(struct str if_modified_since, int64_t modified_s)
{
    int64_t since_s;
    if (!clock_http_parse(trim_ows(if_modified_since), &since_s)) return true;
    return modified_s > since_s;
}

bool header_precondition(struct str if_match, struct str if_unmodified_since, struct str etag,
                         int64_t modified_s)
{
    int64_t since_s;
    if (if_match.len > 0) return etag_listed(if_match, etag, true);
    if (!clock_http_parse(trim_ows(if_unmodified_since), &since_s)) return true;
    return modified_s <= since_s;
}

/* ---- Ranges ---- */

/* Digits as a number that stops at the largest instead of running over; false for none or others.
 */
static bool position_of(struct str s, uint64_t *value_out)
{
    uint64_t value = 0;
    for (size_t i = 0; i < s.len; i++) {
        if (s.at[i] < '0' || s.at[i] > '9') return false;
        if (__builtin_mul_overflow(value, 10u, &value) ||
            __builtin_add_overflow(value, (uint64_t)(s.at[i] - '0'), &value)) {
            value = UINT64_MAX;
        }
    }
    *value_out = value;
    return s.len > 0;
}

static enum header_range_answer suffix_range(struct str digits, uint64_t size,
                                             struct header_range *range_out)
{
    uint64_t count;
    if (!position_of(digits, &count)) return HEADER_RANGE_WHOLE;
    if (count == 0) return HEADER_RANGE_OUTSIDE;
    /* A suffix of nothing is satisfiable, but no Content-Range can say so. */
    if (size == 0) return HEADER_RANGE_WHOLE;
    count = MIN(count, size);
    *range_out = (struct header_range){size - count, count};
    return HEADER_RANGE_PART;
}

enum header_range_answer header_range(struct str range, uint64_t size,
                                      struct header_range *range_out)
{
    struct str spec = trim_ows(range);
    struct str unit = STR("bytes=");
    if (!str_eq_nocase(str_head(spec, unit.len), unit)) return HEADER_RANGE_WHOLE;
    spec = trim_ows(str_from(spec, unit.len));
    size_t dash = str_find_byte(spec, '-');
    if (dash == spec.len) return HEADER_RANGE_WHOLE;
    struct str first_text = str_head(spec, dash), last_text = str_from(spec, dash + 1);
    if (first_text.len == 0) return suffix_range(last_text, size, range_out);

    uint64_t first, last = UINT64_MAX;
    if (!position_of(first_text, &first)) return HEADER_RANGE_WHOLE;
    if (last_text.len > 0 && !position_of(last_text, &last)) return HEADER_RANGE_WHOLE;
    if (first > last) return HEADER_RANGE_WHOLE;
    if (first >= size) return HEADER_RANGE_OUTSIDE;
    last = MIN(last, size - 1);
    *range_out = (struct header_range){first, last - first + 1};
    return HEADER_RANGE_PART;
}

bool header_if_range(struct str if_range, struct str etag, int64_t modified_s)
{
    struct str value = trim_ows(if_range);
    struct etag ours, theirs;
    int64_t date_s;
    if (value.len == 0) return true;
    if (etag_next(&value, &theirs)) {
        return value.len == 0 && !theirs.weak && etag_next(&etag, &ours) && !ours.weak &&
               str_eq(theirs.opaque, ours.opaque);
    }
    return modified_s >= 0 && clock_http_parse(value, &date_s) && date_s == modified_s;
}

/* ---- Who asks ---- */

bool header_cookie(struct str cookies, const char *name, struct str *value_out)
{
    struct str wanted = str_of(name), pair;
    while (str_split(&cookies, ';', &pair)) {
        size_t equals = str_find_byte(pair, '=');
        if (equals == pair.len) continue;
        if (!str_eq(trim_ows(str_head(pair, equals)), wanted)) continue;
        *value_out = trim_ows(str_from(pair, equals + 1));
        return true;
    }
    return false;
}

bool header_credentials(struct str authorization, const char *scheme, struct str *out)
{
    struct str value = trim_ows(authorization);
    size_t end = str_find_byte(value, ' ');
    if (!str_eq_nocase(str_head(value, end), str_of(scheme))) return false;
    *out = trim_ows(str_from(value, end));
    return out->len > 0;
}

bool header_origin_is_host(struct str origin, struct str host)
{
    static const struct {
        const char *scheme;
        uint16_t port;
    } schemes[] = {{"http://", 80}, {"https://", 443}};
    struct url_host theirs, ours;
    if (!url_host_parse(trim_ows(host), &ours)) return false;
    for (size_t i = 0; i < COUNT_OF(schemes); i++) {
        struct str scheme = str_of(schemes[i].scheme), value = trim_ows(origin);
        if (!str_eq_nocase(str_head(value, scheme.len), scheme)) continue;
        if (!url_host_parse(str_from(value, scheme.len), &theirs)) return false;
        unsigned their_port = theirs.port ? theirs.port : schemes[i].port;
        unsigned our_port = ours.port ? ours.port : schemes[i].port;
        return str_eq_nocase(theirs.host, ours.host) && their_port == our_port;
    }
    return false;
}

/* IPv4 becomes ::ffff:a.b.c.d, so that one comparison serves both families. */
static bool address_read(struct str s, uint8_t address[16])
{
    char text[INET6_ADDRSTRLEN];
    if (s.len == 0 || s.len >= sizeof(text) || memchr(s.at, '\0', s.len)) return false;
    str_copy(text, sizeof(text), s);
    if (str_find_byte(s, ':') < s.len) return inet_pton(AF_INET6, text, address) == 1;
    memset(address, 0, 10);
    memset(address + 10, 0xFF, 2);
    return inet_pton(AF_INET, text, address + 12) == 1;
}

static bool net_read(struct str s, struct header_net *net_out)
{
    size_t slash = str_find_byte(s, '/');
    uint64_t bits = 128;
    if (!address_read(str_head(s, slash), net_out->address)) return false;
    if (slash < s.len) {
        bool v4 = str_find_byte(str_head(s, slash), ':') == slash;
        if (!str_to_u64(str_from(s, slash + 1), &bits) || bits > (v4 ? 32 : 128)) return false;
        if (v4) bits += 96;
    }
    net_out->bits = (uint8_t)bits;
    return true;
}

enum err header_trusted_parse(struct str list, struct header_trusted *trusted_out, struct why *why)
{
    struct header_trusted found = {0};
    struct str item;
    while (header_list_next(&list, &item)) {
        if (found.count == HEADER_NETS_MAX) {
            return why_set(why, ERR_INVALID, "more than %d trusted proxies", HEADER_NETS_MAX);
        }
        if (!net_read(item, &found.nets[found.count])) {
            return why_set(why, ERR_INVALID,
                           "\"%.*s\" is neither an address nor a network; allowed: "
                           "addresses like 127.0.0.1 and networks like 10.0.0.0/8",
                           STR_ARGS(item));
        }
        found.count++;
    }
    *trusted_out = found;
    return OK;
}

static bool net_has(const struct header_net *net, const uint8_t address[16])
{
    size_t whole = net->bits / 8;
    unsigned left = net->bits % 8;
    if (memcmp(net->address, address, whole) != 0) return false;
    return left == 0 || (net->address[whole] ^ address[whole]) >> (8 - left) == 0;
}

bool header_is_trusted(const struct header_trusted *trusted, struct str peer)
{
    uint8_t address[16];
    if (trusted->count == 0 || !address_read(peer, address)) return false;
    for (size_t i = 0; i < trusted->count; i++) {
        if (net_has(&trusted->nets[i], address)) return true;
    }
    return false;
}

/* The address in "192.0.2.1", "192.0.2.1:80", "2001:db8::1", "[2001:db8::1]", "[2001:db8::1]:80";
 * false when there is none. */
static bool hop_address(struct str hop, struct str *address_out)
{
    uint8_t unused[16];
    struct str inner = hop;
    if (hop.len > 0 && hop.at[0] == '[') {
        inner = str_head(str_from(hop, 1), str_find_byte(hop, ']') - 1);
    } else if (str_find_byte(hop, '.') < hop.len && !address_read(hop, unused)) {
        inner = str_head(hop, str_find_byte(hop, ':'));
    }
    *address_out = inner;
    return address_read(inner, unused);
}

/* Take the right-most entry out of the list; false when it is used up. */
static bool take_last_hop(struct str *forwarded, struct str *hop_out)
{
    struct str s = *forwarded;
    while (s.len > 0 && (is_ows(s.at[s.len - 1]) || s.at[s.len - 1] == ',')) s.len--;
    if (s.len == 0) return false;
    const char *comma = memrchr(s.at, ',', s.len);
    size_t start = comma ? (size_t)(comma - s.at) + 1 : 0;
    *hop_out = trim_ows(str_from(s, start));
    *forwarded = str_head(s, start);
    return true;
}

struct str header_network(struct str address, char to[HEADER_NETWORK_BYTES])
{
    static const uint8_t v4[12] = {[10] = 0xFF, [11] = 0xFF};
    uint8_t bytes[16];
    if (!address_read(address, bytes)) return address;
    /* There is one way to write it, and every request of a stranger comes by here. */
    if (str_find_byte(address, ':') == address.len) return address;
    bool mapped = memcmp(bytes, v4, sizeof(v4)) == 0;
    if (!mapped) memset(bytes + 8, 0, 8);
    char text[INET6_ADDRSTRLEN];
    inet_ntop(mapped ? AF_INET : AF_INET6, mapped ? bytes + 12 : bytes, text, sizeof(text));
    snprintf(to, HEADER_NETWORK_BYTES, mapped ? "%s" : "%s/64", text);
    return str_of(to);
}

struct str header_client_address(struct str forwarded, struct str peer,
                                 const struct header_trusted *trusted)
{
    struct str client = peer, hop, address;
    while (take_last_hop(&forwarded, &hop) && header_is_trusted(trusted, client)) {
        if (!hop_address(hop, &address)) break;
        client = address;
    }
    return client;
}
