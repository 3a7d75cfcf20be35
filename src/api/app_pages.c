/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * api/app_pages.c: the browser app, from inside of the binary.
 *
 * All its pages are one file, which every visit asks for anew; it names the
 * assets, whose names change with their bytes, so they are kept for a year.
 * Each comes in three codings (web/tools/compress.mjs); nothing is compressed
 * here. The policy lets it load from this server alone and run no inline code.
 */
#include "api/handlers.h"
#include "base/embedded.h"
#include "base/map.h"
#include "http/header.h"

static const char policy[] = "default-src 'none'; script-src 'self'; worker-src 'self'; "
                             "style-src 'self'; img-src 'self' data: blob:; font-src 'self'; "
                             "connect-src 'self'; manifest-src 'self'; base-uri 'none'; "
                             "form-action 'none'; frame-ancestors 'none'";

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
    struct str accept = http_find_header(call->x, STR("accept-encoding"));
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
    x->status = status;
    x->content_type = type_of(name);
    x->no_compress = true;
    if (status == 200) x->etag = etag_of(call, name, coding, bytes);
    http_add_header(x, "Vary", STR("Accept-Encoding"));
    if (coding[0]) http_add_header(x, "Content-Encoding", str_of(coding));
    http_add_header(x, "Cache-Control", str_of(keep));
    http_add_header(x, "Content-Security-Policy", str_of(policy));
    http_add_header(x, "X-Content-Type-Options", STR("nosniff"));
    http_add_header(x, "Referrer-Policy", STR("same-origin"));
    http_add_header(x, "Cross-Origin-Opener-Policy", STR("same-origin"));
    buf_add_str(&x->reply, bytes);
    call_reply(call);
    return OK;
}

enum err app_page(struct call *call, struct why *why)
{
    return give(call, 200, STR("index.html"), "no-cache", why);
}

enum err app_missing(struct call *call, struct why *why)
{
    http_add_header(call->x, "Vary", STR("Accept"));
    return give(call, 404, STR("index.html"), "no-store", why);
}

enum err app_file(struct call *call, struct why *why)
{
    struct str name = str_from(str_of(call->route->path), 1);
    bool picture = str_ends(name, STR(".svg"));
    return give(call, 200, name, picture ? "public, max-age=86400" : "no-cache", why);
}

enum err app_asset(struct call *call, struct why *why)
{
    struct str name = arena_printf(call->arena, "assets/%.*s", STR_ARGS(call->params[0]));
    return give(call, 200, name, "public, max-age=31536000, immutable", why);
}
