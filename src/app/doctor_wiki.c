/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * app/doctor_wiki.c: what wikis need of this machine: git to fetch, ctags to
 * split code along its functions; and does the embedder give vectors?
 *
 * The embedder is asked as the server asks, for the vector of one short text.
 */
#include "app/doctor.h"

#include <poll.h>
#include <unistd.h>

#include "llm/embed.h"
#include "wiki/child.h"
#include "wiki/embedder.h"

enum { PROGRAM_MS = 5000, LINE_BYTES = 200 };

/* ---- programs ---- */

/* The first line that a program says; false: there is none here, or it says nothing in time. */
static bool first_line(const char *const *argv, char line[LINE_BYTES])
{
    static const char *const env[] = {"LC_ALL=C", NULL};
    struct wiki_child child = {0};
    struct wiki_child_setup setup = {
        .argv = argv, .env = env, .file_bytes_max = 1 << 20, .memory_max = UINT64_C(1) << 30};
    struct why why;
    size_t len = 0;
    if (wiki_child_start(&setup, &child, &why) != OK) return false;
    for (ssize_t got = 1; got > 0 && len + 1 < LINE_BYTES;) {
        struct pollfd wait = {.fd = child.out, .events = POLLIN};
        if (poll(&wait, 1, PROGRAM_MS) <= 0) break;
        got = read(child.out, line + len, LINE_BYTES - 1 - len);
        if (got > 0) len += (size_t)got;
    }
    wiki_child_close(&child);
    struct str first = {line, len};
    len = str_find_byte(first, '\n');
    line[len] = '\0';
    return len > 0;
}

static void check_programs(struct visit *visit)
{
    static const char *const git[] = {"git", "version", NULL};
    static const char *const ctags[] = {"ctags-universal", "--version", NULL};
    static const char *const other[] = {"ctags", "--version", NULL};
    char line[LINE_BYTES];
    if (first_line(git, line)) {
        visit_tell(visit, FINDING_OK, "wikis", NULL, "%s", line);
    } else {
        visit_tell(visit, FINDING_WARN, "wikis", "install git",
                   "there is no git here: only folders of this machine can become wikis");
    }
    bool universal = first_line(ctags, line) || first_line(other, line);
    if (universal && str_starts(str_of(line), STR("Universal Ctags"))) {
        visit_tell(visit, FINDING_OK, "wikis", NULL, "%.*s", (int)strcspn(line, ","), line);
    } else {
        visit_tell(visit, FINDING_WARN, "wikis", "install universal-ctags",
                   "there is no Universal Ctags here: code is split by lines, not by functions");
    }
}

/* ---- the embedder ---- */

struct trying {
    struct loop *loop;
    size_t dimensions;
    char said[200]; /* why there is none; "" while there may be one */
};

static void on_vector(void *ctx, size_t index, const float *values, size_t count)
{
    (void)index;
    (void)values;
    ((struct trying *)ctx)->dimensions = count;
}

static void on_end(void *ctx, const struct llm_result *result)
{
    struct trying *trying = ctx;
    if (result->end != LLM_COMPLETE)
        str_copy(trying->said, sizeof(trying->said), str_of(result->why.text));
    loop_stop(trying->loop);
}

static enum err try_embedder(struct visit *visit, struct llm *llm, struct trying *trying,
                             struct why *why)
{
    static const struct llm_embed_events events = {on_vector, on_end};
    struct str text = STR("a short text");
    struct llm_embed_request request = {.model = visit->settings->wiki_embedder,
                                        .texts = &text,
                                        .count = 1,
                                        .dimensions = visit->settings->wiki_embedder_dimensions,
                                        .class = LLM_PERSON};
    enum err err = wiki_embedder_check(visit->settings, llm, why);
    if (!err) err = loop_open(&trying->loop, why);
    if (err) return err;
    struct llm_loop *home = llm_loop_open(llm, trying->loop);
    llm_embed_start(home, &request, &events, trying);
    loop_run(trying->loop);
    llm_loop_close(home);
    loop_close(trying->loop);
    return OK;
}

static void check_embedder(struct visit *visit)
{
    struct str name = visit->settings->wiki_embedder;
    struct trying trying = {0};
    struct llm *llm = NULL;
    struct why why;
    const char *mend = "set --wiki-embedder right, or leave it empty: words alone then find places";
    if (name.len == 0) return;
    enum err err = llm_open(visit->settings, &llm, &why);
    if (!err) err = try_embedder(visit, llm, &trying, &why);
    if (err) {
        visit_tell(visit, FINDING_WRONG, "wiki embedder", mend, "%s", why.text);
    } else if (trying.said[0]) {
        visit_tell(visit, FINDING_WRONG, "wiki embedder", mend, "%s", trying.said);
    } else {
        visit_tell(visit, FINDING_OK, "wiki embedder", NULL, "%.*s gives vectors of %zu numbers",
                   STR_ARGS(name), trying.dimensions);
    }
    llm_free(llm);
}

void doctor_wiki(struct visit *visit)
{
    check_programs(visit);
    check_embedder(visit);
}
