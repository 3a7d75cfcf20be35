/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "wiki/old_cache.h"

#include <stdarg.h>

#include "base/limits.h"
#include "base/map.h"
#include "base/utf8.h"

enum { NAME_CHARS = 255, KIND_CHARS = 20, URL_CHARS = 1000, TITLE_CHARS = 500, SLUG_CHARS = 200 };
enum { LANGUAGE_CHARS = 10, SENTENCE_BYTES = 200, ITEM_CHARS = 4096, TEXT_CHARS = 1000 * 1000 };

/* --- faults --- */

struct reader {
    struct arena *arena;
    wiki_old_fault *fault;
    void *ctx;
    size_t faults;
};

/* Where something stands: "wiki_structure" and "title" give "wiki_structure.title". */
static const char *below(struct reader *reader, const char *where, const char *name)
{
    if (where[0] == '\0') return name;
    return arena_printf(reader->arena, "%s.%s", where, name).at;
}

static const char *below_number(struct reader *reader, const char *where, size_t number)
{
    return arena_printf(reader->arena, "%s.%zu", where, number).at;
}

static void tell(struct reader *reader, const char *where, const char *type, const char *format,
                 ...) PRINTF_LIKE(4, 5);

static void tell(struct reader *reader, const char *where, const char *type, const char *format,
                 ...)
{
    char sentence[SENTENCE_BYTES];
    va_list args;
    va_start(args, format);
    vsnprintf(sentence, sizeof(sentence), format, args);
    va_end(args);
    reader->faults++;
    reader->fault(reader->ctx, where, type, sentence);
}

static void tell_missing(struct reader *reader, const char *where, const char *name)
{
    tell(reader, where, "missing", "%s is missing", name);
}

/* --- parts --- */

enum need { OPTIONAL, REQUIRED };

static bool is_absent(const struct json *value)
{
    return value == NULL || json_kind(value) == JSON_NULL;
}

/* What stands in one line and names something. */
static bool is_plain(struct str text)
{
    for (size_t i = 0; i < text.len; i++) {
        if ((unsigned char)text.at[i] < 0x20 || text.at[i] == 0x7f) return false;
    }
    return true;
}

/* A text member of at most `max` code points. Absent, null or wrong: empty. */
static struct str read_text(struct reader *reader, const struct json *object, const char *where,
                            const char *name, size_t max, enum need need)
{
    const struct json *value = json_get(object, name);
    struct str text = STR("");
    if (is_absent(value) && need == OPTIONAL) return text;
    const char *at = below(reader, where, name);
    if (value == NULL) {
        tell_missing(reader, at, name);
    } else if (!json_as_str(value, &text)) {
        tell(reader, at, "string_type", "%s must be a text", name);
    } else if (utf8_count(text) > max) {
        tell(reader, at, "string_too_long", "%s has more than %zu characters", name, max);
        return STR("");
    }
    return text;
}

/* The same for what must say something, in one line. */
static struct str read_name(struct reader *reader, const struct json *object, const char *where,
                            const char *name, size_t max, enum need need)
{
    size_t faults = reader->faults;
    struct str text = read_text(reader, object, where, name, max, need);
    if (reader->faults > faults || (text.len == 0 && need == OPTIONAL)) return text;
    if (text.len == 0) {
        tell(reader, below(reader, where, name), "string_too_short", "%s is empty", name);
    } else if (!is_plain(text)) {
        tell(reader, below(reader, where, name), "value_error", "%s has control characters", name);
    }
    return text;
}

/* A list of texts, written anew as JSON. */
static struct str read_list(struct reader *reader, const struct json *object, const char *where,
                            const char *name, enum need need)
{
    const struct json *list = json_get(object, name);
    if (is_absent(list) && need == OPTIONAL) return STR("[]");
    const char *at = below(reader, where, name);
    if (list == NULL) tell_missing(reader, at, name);
    if (list == NULL) return STR("[]");
    if (json_kind(list) != JSON_ARRAY) {
        tell(reader, at, "list_type", "%s must be a list", name);
        return STR("[]");
    }
    struct buf buf;
    size_t count = 0;
    buf_init(&buf, LIMIT_BOOK_BYTES * 2);
    struct json_out out = json_begin(&buf);
    json_open(&out, NULL, '[');
    for (const struct json *item = json_first(list); item; item = json_after(item), count++) {
        struct str text;
        if (count == LIMIT_BOOK_LIST) {
            tell(reader, at, "too_long", "%s has more than %d items", name, LIMIT_BOOK_LIST);
            break;
        }
        if (json_as_str(item, &text) && utf8_count(text) <= ITEM_CHARS) {
            json_put_str(&out, NULL, text);
        } else {
            tell(reader, below_number(reader, at, count), "string_type",
                 "%s must be a list of texts", name);
            break;
        }
    }
    json_close(&out, ']');
    struct str text = arena_copy(reader->arena, buf_str(&buf));
    buf_release(&buf);
    return text;
}

/* --- the repository --- */

static size_t scheme_len(struct str url)
{
    static const struct str schemes[] = {{"https://", 8}, {"http://", 7}};
    for (size_t i = 0; i < COUNT_OF(schemes); i++) {
        if (str_eq_nocase(str_head(url, schemes[i].len), schemes[i])) return schemes[i].len;
    }
    return 0;
}

/* The user and password of an address, with their '@'. */
static size_t account_len(struct str rest)
{
    size_t at = str_find_byte(rest, '/');
    while (at > 0 && rest.at[at - 1] != '@') at--;
    return at;
}

struct str wiki_old_clean_url(struct arena *arena, struct str url)
{
    url = str_trim(url);
    url = str_head(url, str_find_byte(url, '#'));
    url = str_head(url, str_find_byte(url, '?'));
    size_t scheme = scheme_len(url);
    if (scheme == 0 || !is_plain(url) || str_find_byte(url, ' ') < url.len) return STR("");
    struct str rest = str_from(url, scheme);
    rest = str_from(rest, account_len(rest));
    if (rest.len == 0 || utf8_count(rest) + scheme > URL_CHARS) return STR("");
    return arena_printf(arena, "%.*s%.*s", STR_ARGS(str_head(url, scheme)), STR_ARGS(rest));
}

static bool has_account(struct str url)
{
    size_t scheme = scheme_len(str_trim(url));
    return scheme > 0 && account_len(str_from(str_trim(url), scheme)) > 0;
}

static void read_repo(struct reader *reader, const struct json *repo, struct wiki_old_cache *cache)
{
    struct wiki_book *book = &cache->book;
    if (json_kind(repo) != JSON_OBJECT) {
        tell(reader, "repo", "model_attributes_type", "repo must be an object");
        return;
    }
    book->key.owner = read_name(reader, repo, "repo", "owner", NAME_CHARS, REQUIRED);
    book->key.repo = read_name(reader, repo, "repo", "repo", NAME_CHARS, REQUIRED);
    book->key.kind = read_name(reader, repo, "repo", "type", KIND_CHARS, REQUIRED);
    struct str token = read_text(reader, repo, "repo", "token", TEXT_CHARS, OPTIONAL);
    struct str url = read_text(reader, repo, "repo", "repoUrl", ITEM_CHARS, OPTIONAL);
    struct str path = read_name(reader, repo, "repo", "localPath", URL_CHARS, OPTIONAL);
    cache->with_token = token.len > 0 || has_account(url);
    book->url = str_eq(book->key.kind, STR("local")) && path.len > 0
                    ? path
                    : wiki_old_clean_url(reader->arena, url);
}

/* --- pages --- */

static struct str known_importance(struct str said)
{
    static const char *const words[] = {"high", "medium", "low"};
    for (size_t i = 0; i < COUNT_OF(words); i++) {
        if (str_eq(said, str_of(words[i]))) return str_of(words[i]);
    }
    return STR("low"); /* as such pages take other words */
}

static void read_page(struct reader *reader, const struct json *value, const char *where,
                      struct wiki_page *page)
{
    *page = (struct wiki_page){.state = WIKI_PAGE_WAITING};
    if (json_kind(value) != JSON_OBJECT) {
        tell(reader, where, "model_attributes_type", "a page must be an object");
        return;
    }
    page->slug = read_name(reader, value, where, "id", SLUG_CHARS, REQUIRED);
    page->title = read_text(reader, value, where, "title", TITLE_CHARS, REQUIRED);
    page->content = read_text(reader, value, where, "content", LIMIT_BOOK_BYTES, REQUIRED);
    page->files = read_list(reader, value, where, "filePaths", REQUIRED);
    page->importance =
        known_importance(read_text(reader, value, where, "importance", TITLE_CHARS, REQUIRED));
    page->related = read_list(reader, value, where, "relatedPages", REQUIRED);
}

static size_t count_items(const struct json *list)
{
    size_t count = 0;
    for (const struct json *at = json_first(list); at && count <= LIMIT_BOOK_PAGES;
         at = json_after(at)) {
        count++;
    }
    return count;
}

/* A member that must be a list or object of at most LIMIT_BOOK_PAGES; NULL: it is not. */
static const struct json *read_many(struct reader *reader, const struct json *object,
                                    const char *where, const char *name, enum json_kind kind)
{
    const struct json *many = json_get(object, name);
    const char *at = below(reader, where, name);
    if (many == NULL) {
        tell_missing(reader, at, name);
    } else if (json_kind(many) != kind) {
        tell(reader, at, kind == JSON_ARRAY ? "list_type" : "dict_type", "%s must be %s", name,
             kind == JSON_ARRAY ? "a list" : "an object");
    } else if (count_items(many) > LIMIT_BOOK_PAGES) {
        tell(reader, at, "too_long", "%s has more than %d items", name, LIMIT_BOOK_PAGES);
    } else {
        return many;
    }
    return NULL;
}

/* Pages as the structure has them, with an index by their ids. */
static void read_structure_pages(struct reader *reader, const struct json *list,
                                 struct wiki_old_cache *cache, struct map *by_slug)
{
    size_t number = 0;
    for (const struct json *at = json_first(list); at; at = json_after(at), number++) {
        const char *where = below_number(reader, "wiki_structure.pages", number);
        struct wiki_page *page = &cache->pages[cache->count];
        size_t faults = reader->faults;
        read_page(reader, at, where, page);
        if (reader->faults > faults) continue;
        page->content = STR("");
        if (map_find(by_slug, page->slug)) {
            tell(reader, below(reader, where, "id"), "value_error", "two pages have one id");
            continue;
        }
        map_add(by_slug, page->slug, page);
        cache->count++;
    }
}

/* What was written for them; pages that the structure does not know come behind the others. */
static void read_written_pages(struct reader *reader, const struct json *object,
                               struct wiki_old_cache *cache, struct map *by_slug)
{
    for (const struct json *at = json_first(object); at; at = json_after(at)) {
        struct str name = str_of(json_name(at));
        struct wiki_page written;
        size_t faults = reader->faults;
        read_page(reader, at, below(reader, "generated_pages", json_name(at)), &written);
        if (reader->faults > faults) continue;
        written.slug = name;
        if (name.len == 0 || utf8_count(name) > SLUG_CHARS || !is_plain(name)) {
            tell(reader, "generated_pages", "value_error",
                 "a page's id must have 1 to %d characters", SLUG_CHARS);
            continue;
        }
        struct wiki_page *page = map_find(by_slug, name);
        if (page == NULL) {
            page = &cache->pages[cache->count++];
            *page = written;
            map_add(by_slug, page->slug, page);
        } else if (page->state == WIKI_PAGE_DONE) {
            continue; /* named twice: the first counts */
        }
        page->content = written.content;
        page->state = WIKI_PAGE_DONE;
    }
}

/* --- sections --- */

static void put_section(struct reader *reader, struct json_out *out, const struct json *section,
                        const char *where)
{
    json_open(out, NULL, '{');
    json_put_str(out, "id", read_name(reader, section, where, "id", SLUG_CHARS, REQUIRED));
    json_put_str(out, "title", read_text(reader, section, where, "title", TITLE_CHARS, REQUIRED));
    json_put_raw(out, "pages", read_list(reader, section, where, "pages", REQUIRED));
    if (!is_absent(json_get(section, "subsections"))) {
        json_put_raw(out, "subsections",
                     read_list(reader, section, where, "subsections", REQUIRED));
    }
    json_close(out, '}');
}

static struct str read_sections(struct reader *reader, const struct json *structure)
{
    if (is_absent(json_get(structure, "sections"))) return STR("[]");
    const struct json *list =
        read_many(reader, structure, "wiki_structure", "sections", JSON_ARRAY);
    struct buf buf;
    size_t number = 0;
    buf_init(&buf, LIMIT_BOOK_BYTES * 2);
    struct json_out out = json_begin(&buf);
    json_open(&out, NULL, '[');
    for (const struct json *at = json_first(list); at; at = json_after(at), number++) {
        const char *where = below_number(reader, "wiki_structure.sections", number);
        if (json_kind(at) == JSON_OBJECT) {
            put_section(reader, &out, at, where);
        } else {
            tell(reader, where, "model_attributes_type", "a section must be an object");
        }
    }
    json_close(&out, ']');
    struct str text = arena_copy(reader->arena, buf_str(&buf));
    buf_release(&buf);
    return text;
}

/* --- all of it --- */

static void read_structure(struct reader *reader, const struct json *structure,
                           struct wiki_old_cache *cache, struct map *by_slug)
{
    struct wiki_book *book = &cache->book;
    if (structure == NULL) {
        tell_missing(reader, "wiki_structure", "wiki_structure");
        return;
    }
    if (json_kind(structure) != JSON_OBJECT) {
        tell(reader, "wiki_structure", "model_attributes_type", "wiki_structure must be an object");
        return;
    }
    const char *where = "wiki_structure";
    read_text(reader, structure, where, "id", SLUG_CHARS, REQUIRED); /* always "wiki" */
    book->title = read_text(reader, structure, where, "title", TITLE_CHARS, REQUIRED);
    book->description = read_text(reader, structure, where, "description", TEXT_CHARS, REQUIRED);
    book->sections = read_sections(reader, structure);
    book->roots = read_list(reader, structure, where, "rootSections", OPTIONAL);
    const struct json *pages = read_many(reader, structure, where, "pages", JSON_ARRAY);
    read_structure_pages(reader, pages, cache, by_slug);
}

/* Whatever the two forms have in common. */
static void read_common(struct reader *reader, const struct json *tree, enum need need,
                        struct wiki_old_cache *cache)
{
    struct map by_slug = {0};
    struct wiki_book *book = &cache->book;
    cache->pages = ARENA_ARRAY(reader->arena, struct wiki_page, 2 * LIMIT_BOOK_PAGES + 1);
    read_structure(reader, json_get(tree, "wiki_structure"), cache, &by_slug);
    const struct json *written = read_many(reader, tree, "", "generated_pages", JSON_OBJECT);
    read_written_pages(reader, written, cache, &by_slug);
    map_release(&by_slug);
    book->provider = read_text(reader, tree, "", "provider", NAME_CHARS, need);
    book->model = read_text(reader, tree, "", "model", NAME_CHARS, need);
    book->state = WIKI_BOOK_DONE;
    if (!json_as_bool(json_get(tree, "comprehensive"), &book->comprehensive)) {
        book->comprehensive = !str_eq(book->sections, STR("[]"));
    }
    for (size_t i = 0; i < cache->count; i++) cache->pages[i].sources = STR("[]");
}

enum err wiki_old_cache_posted(struct arena *arena, const struct json *tree, wiki_old_fault *fault,
                               void *ctx, struct wiki_old_cache *cache_out, struct why *why)
{
    struct reader reader = {arena, fault, ctx, 0};
    *cache_out = (struct wiki_old_cache){0};
    const struct json *repo = json_get(tree, "repo");
    if (repo == NULL) {
        tell_missing(&reader, "repo", "repo");
    } else {
        read_repo(&reader, repo, cache_out);
    }
    cache_out->book.key.language = read_text(&reader, tree, "", "language", TITLE_CHARS, REQUIRED);
    read_common(&reader, tree, REQUIRED, cache_out);
    if (reader.faults == 0) return OK;
    return why_set(why, ERR_INVALID, "this is no wiki as such pages write it");
}

enum err wiki_old_pages_check(struct arena *arena, const struct json *tree, wiki_old_fault *fault,
                              void *ctx, struct why *why)
{
    struct reader reader = {arena, fault, ctx, 0};
    const struct json *list = read_many(&reader, tree, "", "pages", JSON_ARRAY);
    struct wiki_page page;
    size_t number = 0;
    for (const struct json *at = json_first(list); at; at = json_after(at), number++) {
        read_page(&reader, at, below_number(&reader, "pages", number), &page);
    }
    return reader.faults == 0 ? OK : why_set(why, ERR_INVALID, "these are no pages of a wiki");
}

/* --- files --- */

#define NAME_BEGIN "deepwiki_cache_"
#define NAME_END ".json"

bool wiki_old_name_parse(struct str name, struct wiki_key *key_out)
{
    struct wiki_key key;
    if (!str_starts(name, STR(NAME_BEGIN)) || !str_ends(name, STR(NAME_END))) return false;
    if (name.len < strlen(NAME_BEGIN NAME_END)) return false;
    struct str rest = str_from(name, strlen(NAME_BEGIN));
    rest.len -= strlen(NAME_END);
    if (!str_split(&rest, '_', &key.kind) || !str_split(&rest, '_', &key.owner)) return false;
    size_t last = rest.len;
    while (last > 0 && rest.at[last - 1] != '_') last--;
    if (last == 0) return false;
    key.repo = str_head(rest, last - 1);
    key.language = str_from(rest, last);
    *key_out = key;
    return true;
}

/* The first fault becomes the sentence. */
static void keep_fault(void *ctx, const char *where, const char *type, const char *sentence)
{
    struct why *why = ctx;
    (void)type;
    if (why->text[0] == '\0') why_write(why, "%s: %s", where, sentence);
}

static bool fits(struct str text, size_t max)
{
    return text.len > 0 && utf8_valid(text) && utf8_count(text) <= max && is_plain(text);
}

static void read_file(struct reader *reader, const struct json *tree, struct wiki_key named,
                      struct wiki_old_cache *cache)
{
    const struct json *repo = json_get(tree, "repo");
    struct str url = read_text(reader, tree, "", "repo_url", ITEM_CHARS, OPTIONAL);
    if (!is_absent(repo)) read_repo(reader, repo, cache);
    struct wiki_key *key = &cache->book.key;
    if (key->owner.len == 0) {
        key->kind = arena_copy(reader->arena, named.kind);
        key->owner = arena_copy(reader->arena, named.owner);
        key->repo = arena_copy(reader->arena, named.repo);
    }
    key->language = arena_copy(reader->arena, named.language);
    if (!fits(key->kind, KIND_CHARS) || !fits(key->owner, NAME_CHARS) ||
        !fits(key->repo, NAME_CHARS) || !fits(key->language, LANGUAGE_CHARS)) {
        tell(reader, "name", "value_error", "the file's name does not say whose wiki it is");
    }
    cache->with_token = cache->with_token || has_account(url);
    if (cache->book.url.len == 0) cache->book.url = wiki_old_clean_url(reader->arena, url);
    read_common(reader, tree, OPTIONAL, cache);
}

/* A copy that outlives the parsed tree. */
static void keep(struct arena *arena, struct wiki_old_cache *cache)
{
    struct wiki_book *book = &cache->book;
    struct str *const texts[] = {&book->key.kind, &book->key.owner, &book->key.repo,
                                 &book->url,      &book->title,     &book->description,
                                 &book->provider, &book->model};
    for (size_t i = 0; i < COUNT_OF(texts); i++) *texts[i] = arena_copy(arena, *texts[i]);
    for (size_t i = 0; i < cache->count; i++) {
        struct wiki_page *page = &cache->pages[i];
        page->slug = arena_copy(arena, page->slug);
        page->title = arena_copy(arena, page->title);
        page->content = arena_copy(arena, page->content);
    }
}

enum err wiki_old_cache_file(struct arena *arena, struct str name, struct str text,
                             struct wiki_old_cache *cache_out, struct why *why)
{
    struct json *tree = NULL;
    struct wiki_key named;
    if (!wiki_old_name_parse(name, &named)) {
        return why_set(why, ERR_INVALID,
                       "a wiki's file is called deepwiki_cache_TYPE_OWNER_REPO_LANGUAGE.json");
    }
    enum err err = json_parse(text, &tree, NULL, why);
    if (err) return err;
    *why = (struct why){0};
    *cache_out = (struct wiki_old_cache){0};
    struct reader reader = {arena, keep_fault, why, 0};
    read_file(&reader, tree, named, cache_out);
    if (reader.faults == 0) keep(arena, cache_out);
    json_free(tree);
    return reader.faults == 0 ? OK : ERR_INVALID;
}
