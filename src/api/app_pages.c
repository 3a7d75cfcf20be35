/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * api/app_pages.c: the browser app, from inside of the binary.
 *
 * All its pages are one file, which every visit asks for anew; it names the
 * assets, whose names change with their bytes, so they are kept for a year.
 * Each comes in three codings (web/tools/compress.mjs); nothing of these is
 * compressed here. The policy lets it load from this server alone and run no inline code.
 *
 * A community that has chosen a name carries it in the page's title and in the
 * manifest, by which it is called once installed: these two are then made anew
 * each time. Where the database does not answer they come as they were built.
 */
#include "api/handlers.h"
#include "base/embedded.h"
#include "base/map.h"
#include "http/header.h"
#include "store/community.h"

enum { NAMED_BYTES_MAX = 64 * 1024 }; /* of the page or the manifest */

static const char policy[] = "default-src 'none'; script-src 'self'; worker-src 'self'; "
                             "style-src 'self'; img-src 'self' data: blob:; font-src 'self'; "
                             "connect-src 'self'; manifest-src 'self'; frame-src 'self'; "
                             "base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/* The frame that draws diagrams of wikis: what strangers wrote is read there, in an origin of its
 * own that may do nothing but that. What draws them makes styles as it goes. */
static const char diagram_policy[] =
    "default-src 'none'; script-src 'self'; style-src 'unsafe-inline'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'self'; sandbox allow-scripts";

static const struct {
    const char *ending, *type;
} types[] = {
    {".html", "text/html; charset=utf-8"},         {".js", "text/javascript; charset=utf-8"},
    {".css", "text/css; charset=utf-8"},           {".svg", "image/svg+xml"},
    {".webmanifest", "application/manifest+json"},
};

static const char *type_of(struct str name)
{
    for (size_t i = 0; i < COUNT_OF(types); i++) {
        if (str_ends(name, str_of(types[i].ending))) return types[i].type;
    }
    return "application/octet-stream";
}

/* The coding that the browser takes and that is smallest; "" when it is none. */
static struct str choose(struct call *call, struct str path, const char **coding_out)
{
    static const struct {
        const char *coding, *ending;
    } codings[] = {{"br", ".br"}, {"gzip", ".gz"}};
    struct str accept = http_find_list(call->x, STR("accept-encoding"));
    for (size_t i = 0; i < COUNT_OF(codings); i++) {
        if (!header_accepts_coding(accept, codings[i].coding)) continue;
        struct str packed = arena_printf(call->arena, "%.*s%s", STR_ARGS(path), codings[i].ending);
        struct str bytes = embedded_find(packed);
        *coding_out = codings[i].coding;
        if (bytes.at) return bytes;
    }
    *coding_out = "";
    return embedded_find(path);
}

/* An asset's name says what is in it already; the other files are small. */
static struct str etag_of(struct call *call, struct str name, const char *coding, struct str bytes)
{
    if (str_starts(name, STR("assets/")))
        return arena_printf(call->arena, "\"%.*s-%s\"", STR_ARGS(name), coding);
    return arena_printf(call->arena, "\"a%016llx\"", (unsigned long long)map_hash(bytes));
}

static void add_headers(struct call *call, int status, struct str name, const char *keep)
{
    struct http_exchange *x = call->x;
    bool diagram = str_eq(name, STR("diagram.html"));
    x->status = status;
    x->content_type = type_of(name);
    http_add_header(x, "Cache-Control", str_of(keep));
    http_add_header(x, "Content-Security-Policy", str_of(diagram ? diagram_policy : policy));
    http_add_header(x, "X-Content-Type-Options", STR("nosniff"));
    http_add_header(x, "Referrer-Policy", STR("same-origin"));
    http_add_header(x, "Cross-Origin-Opener-Policy", STR("same-origin"));
}

/* As it was built. */
static enum err give(struct call *call, int status, struct str name, const char *keep,
                     struct why *why)
{
    struct http_exchange *x = call->x;
    const char *coding;
    struct str path = arena_printf(call->arena, "web/%.*s", STR_ARGS(name));
    struct str bytes = choose(call, path, &coding);
    if (bytes.at == NULL) {
        return why_set(why, ERR_NOT_FOUND, "the app has no file of that name; load its page anew");
    }
    add_headers(call, status, name, keep);
    x->no_compress = true;
    if (status == 200) x->etag = etag_of(call, name, coding, bytes);
    http_add_header(x, "Vary", STR("Accept-Encoding"));
    if (coding[0]) http_add_header(x, "Content-Encoding", str_of(coding));
    buf_add_str(&x->reply, bytes);
    return OK;
}

/* --- with the community's name --- */

static bool load_named(struct call *call, struct community *community_out)
{
    struct why why; /* whoever asks the API hears it */
    return call->db && community_load(call->db, call->arena, community_out, &why) == OK &&
           (community_out->name.len || community_out->about.len || community_out->language.at);
}

static struct str escaped(struct arena *arena, struct str text)
{
    static const struct {
        char byte;
        const char *entity;
    } entities[] = {{'&', "&amp;"}, {'<', "&lt;"}, {'>', "&gt;"}, {'"', "&quot;"}};
    struct buf out;
    buf_init(&out, NAMED_BYTES_MAX);
    for (size_t i = 0; i < text.len; i++) {
        const char *entity = NULL;
        for (size_t e = 0; e < COUNT_OF(entities); e++)
            if (entities[e].byte == text.at[i]) entity = entities[e].entity;
        if (entity)
            buf_add_str(&out, str_of(entity));
        else
            buf_add_byte(&out, text.at[i]);
    }
    struct str copy = arena_copy(arena, buf_str(&out));
    buf_release(&out);
    return copy;
}

/* `html` with `text` between the first `open` and the `close` behind it. */
static struct str put_between(struct arena *arena, struct str html, const char *open,
                              const char *close, struct str text)
{
    size_t from = str_find(html, str_of(open)) + strlen(open);
    ASSERT(from < html.len); /* it is ours, and tests/api/community.test.mjs looks for it */
    struct str rest = str_from(html, from);
    return arena_printf(arena, "%.*s%.*s%.*s", STR_ARGS(str_head(html, from)), STR_ARGS(text),
                        STR_ARGS(str_from(rest, str_find(rest, str_of(close)))));
}

static struct str tag_of_language(const struct community *community)
{
    return str_eq(community->language, STR("zh")) ? STR("zh-CN") : STR("en");
}

static void write_page(struct call *call, const struct community *community)
{
    struct str html = embedded_find(STR("web/index.html"));
    struct arena *arena = call->arena;
    if (community->language.at)
        html = put_between(arena, html, "<html lang=\"", "\"", tag_of_language(community));
    if (community->about.len)
        html = put_between(arena, html, "name=\"description\" content=\"", "\"",
                           escaped(arena, community->about));
    if (community->name.len)
        html = put_between(arena, html, "<title>", "</title>", escaped(arena, community->name));
    buf_add_str(&call->x->reply, html);
}

static void write_manifest(struct call *call, const struct community *community)
{
    const struct {
        const char *key;
        struct str value;
    } ours[] = {{"name", community->name},
                {"short_name", community->name},
                {"description", community->about},
                {"lang", community->language.at ? tag_of_language(community) : STR("")}};
    struct json *built = NULL;
    struct why why;
    enum err err = json_parse(embedded_find(STR("web/manifest.webmanifest")), &built, NULL, &why);
    ASSERT(err == OK);
    struct json_out out = json_begin(&call->x->reply);
    json_open(&out, NULL, '{');
    for (size_t i = 0; i < COUNT_OF(ours); i++)
        if (ours[i].value.len) json_put_str(&out, ours[i].key, ours[i].value);
    for (const struct json *at = json_first(built); at; at = json_after(at)) {
        bool taken = false;
        for (size_t i = 0; i < COUNT_OF(ours); i++)
            taken |= ours[i].value.len > 0 && strcmp(ours[i].key, json_name(at)) == 0;
        if (!taken) json_put_tree(&out, json_name(at), at);
    }
    json_close(&out, '}');
    json_free(built);
}

/* --- the routes --- */

enum err app_page(struct call *call, struct why *why)
{
    struct community community;
    if (!load_named(call, &community)) return give(call, 200, STR("index.html"), "no-cache", why);
    write_page(call, &community);
    add_headers(call, 200, STR("index.html"), "no-cache");
    call->x->etag = etag_of(call, STR("index.html"), "", buf_str(&call->x->reply));
    return OK;
}

enum err app_manifest(struct call *call, struct why *why)
{
    struct community community;
    struct str name = STR("manifest.webmanifest");
    if (!load_named(call, &community)) return give(call, 200, name, "no-cache", why);
    write_manifest(call, &community);
    add_headers(call, 200, name, "no-cache");
    call->x->etag = etag_of(call, name, "", buf_str(&call->x->reply));
    return OK;
}

enum err app_missing(struct call *call, struct why *why)
{
    http_add_header(call->x, "Vary", STR("Accept"));
    enum err err = give(call, 404, STR("index.html"), "no-store", why);
    if (!err) call_reply(call);
    return err;
}

static enum err reply_file(struct call *call, struct str name, const char *keep, struct why *why)
{
    enum err err = give(call, 200, name, keep, why);
    if (!err) call_reply(call);
    return err;
}

enum err app_file(struct call *call, struct why *why)
{
    struct str name = str_from(str_of(call->route->path), 1);
    bool picture = str_ends(name, STR(".svg"));
    return reply_file(call, name, picture ? "public, max-age=86400" : "no-cache", why);
}

enum err app_diagram(struct call *call, struct why *why)
{
    return reply_file(call, STR("diagram.html"), "no-cache", why);
}

enum err app_asset(struct call *call, struct why *why)
{
    struct str name = arena_printf(call->arena, "assets/%.*s", STR_ARGS(call->params[0]));
    /* The frame of the diagrams is an origin of its own, and these are everybody's. */
    if (!call->allowed_origin) http_add_header(call->x, "Access-Control-Allow-Origin", STR("*"));
    return reply_file(call, name, "public, max-age=31536000, immutable", why);
}
