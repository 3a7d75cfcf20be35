/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * wiki/old_cache_write.c: a book in the form of the older pages. Each page stands
 * in it twice, so both lists grow side by side and the pages are read once.
 */
#include "base/limits.h"
#include "wiki/old_cache.h"

struct str wiki_old_name(struct arena *arena, const struct wiki_key *key)
{
    return arena_printf(arena, "deepwiki_cache_%.*s_%.*s_%.*s_%.*s.json", STR_ARGS(key->kind),
                        STR_ARGS(key->owner), STR_ARGS(key->repo), STR_ARGS(key->language));
}

static void put_page(struct json_out *out, const struct wiki_page *page, bool with_content)
{
    json_open(out, NULL, '{');
    json_put_str(out, "id", page->slug);
    json_put_str(out, "title", page->title);
    json_put_str(out, "content", with_content ? page->content : STR(""));
    json_put_raw(out, "filePaths", page->files);
    json_put_str(out, "importance", page->importance);
    json_put_raw(out, "relatedPages", page->related);
    json_close(out, '}');
}

void wiki_old_write_begin(struct wiki_old_writer *writer)
{
    buf_init(&writer->structure, LIMIT_BOOK_REPLY_BYTES);
    buf_init(&writer->generated, LIMIT_BOOK_REPLY_BYTES);
    writer->structure_out = json_begin(&writer->structure);
    writer->generated_out = json_begin(&writer->generated);
    json_open(&writer->structure_out, NULL, '[');
    json_open(&writer->generated_out, NULL, '{');
}

void wiki_old_write_page(void *ctx, const struct wiki_page *page)
{
    struct wiki_old_writer *writer = ctx;
    put_page(&writer->structure_out, page, false);
    if (page->state != WIKI_PAGE_DONE) return;
    /* The name is a stranger's and needs its escapes. */
    json_put_str(&writer->generated_out, NULL, page->slug);
    buf_add_byte(&writer->generated, ':');
    writer->generated_out.comma = false;
    put_page(&writer->generated_out, page, true);
}

static void put_opt(struct json_out *out, const char *key, struct str text)
{
    json_put_opt(out, key, text.len ? text : (struct str){0});
}

/* Whoever wrote the form down had a token in it: readers expect the member. */
static void put_repo(struct json_out *out, const struct wiki_book *book)
{
    bool local = str_eq(book->key.kind, STR("local"));
    json_open(out, "repo", '{');
    json_put_str(out, "owner", book->key.owner);
    json_put_str(out, "repo", book->key.repo);
    json_put_str(out, "type", book->key.kind);
    json_put_null(out, "token");
    put_opt(out, "localPath", local ? book->url : STR(""));
    put_opt(out, "repoUrl", local ? STR("") : book->url);
    json_close(out, '}');
}

static void put_structure(struct json_out *out, const struct wiki_book *book, struct str pages)
{
    json_open(out, "wiki_structure", '{');
    json_put_str(out, "id", STR("wiki"));
    json_put_str(out, "title", book->title);
    json_put_str(out, "description", book->description);
    json_put_raw(out, "pages", pages);
    json_put_raw(out, "sections", book->sections.len ? book->sections : STR("[]"));
    json_put_raw(out, "rootSections", book->roots.len ? book->roots : STR("[]"));
    json_close(out, '}');
}

void wiki_old_write_end(struct wiki_old_writer *writer, const struct wiki_book *book,
                        struct buf *to)
{
    struct json_out out = json_begin(to);
    json_close(&writer->structure_out, ']');
    json_close(&writer->generated_out, '}');
    if (writer->structure.failed || writer->generated.failed) to->failed = true;
    json_open(&out, NULL, '{');
    put_structure(&out, book, buf_str(&writer->structure));
    json_put_raw(&out, "generated_pages", buf_str(&writer->generated));
    bool local = str_eq(book->key.kind, STR("local"));
    put_opt(&out, "repo_url", local ? STR("") : book->url);
    put_repo(&out, book);
    put_opt(&out, "provider", book->provider);
    put_opt(&out, "model", book->model);
    json_close(&out, '}');
    buf_release(&writer->structure);
    buf_release(&writer->generated);
}
