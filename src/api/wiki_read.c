/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * api/wiki_read.c: what is in a repository: its files, their lines, its symbols, what touches what,
 * and a search (docs/wiki.md). All from the index, so all of one commit.
 */
#include "api/handlers.h"
#include "api/input.h"
#include "api/wiki_access.h"
#include "api/wiki_shapes.h"
#include "wiki/find.h"
#include "wiki/library.h"

enum { SEARCH_MAX = 100, SYMBOLS_MAX = 1000, EDGES_MAX = 2000, QUERY_BYTES = 4000 };

/* The wiki of the path and its index, to be given back. */
static enum err open_index(struct call *call, struct wiki *wiki_out, struct wiki_index **index_out,
                           struct why *why)
{
    enum err err = input_check(call, why);
    if (!err) err = wiki_allow(call, WIKI_READ, why);
    if (!err) err = wiki_of_path(call, wiki_out, why);
    if (err) return err;
    if (wiki_out->indexed_us == 0) {
        return why_set(why, ERR_CONFLICT, "this wiki cannot be read yet: %s",
                       wiki_out->note.len ? wiki_out->note.at : "it is still being fetched");
    }
    return wiki_library_borrow(call->api->wikis, wiki_out->id, index_out, why);
}

static void give_back(struct call *call, const struct wiki *wiki, struct wiki_index *index)
{
    if (index) wiki_library_return(call->api->wikis, wiki->id, index);
}

static struct json_out begin(struct call *call, const struct wiki *wiki)
{
    struct json_out out = call_json(call);
    json_open(&out, NULL, '{');
    json_put_str(&out, "commit", wiki->commit);
    return out;
}

enum err wikis_files(struct call *call, struct why *why)
{
    struct wiki wiki;
    struct wiki_index *index = NULL;
    struct wiki_index_file *files;
    size_t count;
    enum err err = open_index(call, &wiki, &index, why);
    if (!err) err = wiki_index_files(index, call->arena, &files, &count, why);
    give_back(call, &wiki, index);
    if (err) return err;
    struct json_out out = begin(call, &wiki);
    json_open(&out, "items", '[');
    for (size_t i = 0; i < count; i++) {
        json_open(&out, NULL, '{');
        json_put_str(&out, "path", files[i].path);
        json_put_u64(&out, "bytes", files[i].bytes);
        json_put_i64(&out, "lines", files[i].lines);
        json_put_str(&out, "language", files[i].language);
        if (files[i].left_out)
            json_put_str(&out, "left_out", str_of(wiki_left_out_name(files[i].left_out)));
        else
            json_put_null(&out, "left_out");
        json_close(&out, '}');
    }
    json_close(&out, ']');
    json_close(&out, '}');
    return OK;
}

static enum err read_path(struct call *call, struct str *path_out, struct why *why)
{
    *path_out = input_query_str(call, "path");
    if (path_out->len) return OK;
    return why_field(why, "path", "missing", "say which file: ?path=src/main.c");
}

enum err wikis_file(struct call *call, struct why *why)
{
    struct wiki wiki;
    struct wiki_index *index = NULL;
    struct wiki_address address;
    struct str path, text;
    int lines;
    int first = (int)input_query_int(call, "first", 1, 1, INT32_MAX);
    int last = (int)input_query_int(call, "last", 0, 0, INT32_MAX);
    enum err err = read_path(call, &path, why);
    if (!err) err = open_index(call, &wiki, &index, why);
    if (!err) err = wiki_index_read(index, call->arena, path, first, last, &text, &lines, why);
    give_back(call, &wiki, index);
    if (!err) err = wiki_address_parse(call->arena, wiki.url, wiki.kind, &address, why);
    if (err) return err;
    struct json_out out = begin(call, &wiki);
    json_put_str(&out, "path", path);
    json_put_i64(&out, "first", first);
    json_put_i64(&out, "lines", lines);
    json_put_str(&out, "text", text);
    json_put_str(
        &out, "page",
        wiki_address_page(call->arena, &address, wiki.commit, path, last ? first : 0, last));
    json_close(&out, '}');
    return OK;
}

static void put_symbol(struct json_out *out, const struct wiki_symbol *symbol)
{
    json_open(out, NULL, '{');
    json_put_str(out, "name", symbol->name);
    json_put_str(out, "kind", symbol->kind);
    json_put_str(out, "scope", symbol->scope);
    json_put_str(out, "path", symbol->path);
    json_put_i64(out, "first", symbol->first);
    json_put_i64(out, "last", symbol->last);
    json_close(out, '}');
}

enum err wikis_symbols(struct call *call, struct why *why)
{
    struct wiki wiki;
    struct wiki_index *index = NULL;
    struct wiki_symbol *symbols;
    size_t count;
    struct str path = input_query_str(call, "path");
    size_t limit = (size_t)input_query_int(call, "limit", 200, 1, SYMBOLS_MAX);
    enum err err = open_index(call, &wiki, &index, why);
    if (!err)
        err = wiki_index_symbols(index, call->arena, path.at ? path : STR(""), limit, &symbols,
                                 &count, why);
    give_back(call, &wiki, index);
    if (err) return err;
    struct json_out out = begin(call, &wiki);
    json_open(&out, "items", '[');
    for (size_t i = 0; i < count; i++) put_symbol(&out, &symbols[i]);
    json_close(&out, ']');
    json_close(&out, '}');
    return OK;
}

enum err wikis_graph(struct call *call, struct why *why)
{
    struct wiki wiki;
    struct wiki_index *index = NULL;
    struct wiki_edge *edges;
    size_t count;
    size_t limit = (size_t)input_query_int(call, "limit", 200, 1, EDGES_MAX);
    enum err err = open_index(call, &wiki, &index, why);
    if (!err) err = wiki_index_edges(index, call->arena, limit, &edges, &count, why);
    give_back(call, &wiki, index);
    if (err) return err;
    struct json_out out = begin(call, &wiki);
    json_open(&out, "items", '[');
    for (size_t i = 0; i < count; i++) {
        json_open(&out, NULL, '{');
        json_put_str(&out, "from", edges[i].from);
        json_put_str(&out, "to", edges[i].to);
        json_put_u64(&out, "symbols", edges[i].weight);
        json_close(&out, '}');
    }
    json_close(&out, ']');
    json_close(&out, '}');
    return OK;
}

static void put_hit(struct json_out *out, const struct wiki_hit *hit)
{
    json_open(out, NULL, '{');
    json_put_str(out, "path", hit->chunk.path);
    json_put_i64(out, "first", hit->chunk.first);
    json_put_i64(out, "last", hit->chunk.last);
    json_put_str(out, "symbol", hit->chunk.symbol);
    json_put_str(out, "text", hit->chunk.text);
    json_put_double(out, "score", hit->score);
    json_open(out, "found_by", '[');
    if (hit->signals & WIKI_WORDS) json_put_str(out, NULL, STR("words"));
    if (hit->signals & WIKI_GRAPH) json_put_str(out, NULL, STR("graph"));
    json_close(out, ']');
    json_close(out, '}');
}

enum err wikis_search(struct call *call, struct why *why)
{
    struct wiki wiki;
    struct wiki_index *index = NULL;
    struct wiki_hit *hits;
    size_t count;
    struct str text = input_query_str(call, "q"), path = input_query_str(call, "path");
    size_t limit = (size_t)input_query_int(call, "limit", 20, 1, SEARCH_MAX);
    if (text.len == 0 || text.len > QUERY_BYTES) {
        return why_field(why, "q", "value_error", "say what to look for: ?q= with 1 to %d bytes",
                         QUERY_BYTES);
    }
    struct wiki_question question = {
        .text = text, .limit = limit, .signals = WIKI_ALL, .path = path.at ? path : STR("")};
    enum err err = open_index(call, &wiki, &index, why);
    if (!err) err = wiki_find(index, call->arena, &question, &hits, &count, why);
    give_back(call, &wiki, index);
    if (err) return err;
    struct json_out out = begin(call, &wiki);
    json_open(&out, "items", '[');
    for (size_t i = 0; i < count; i++) put_hit(&out, &hits[i]);
    json_close(&out, ']');
    json_close(&out, '}');
    return OK;
}
