/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * app/llm_command.c: `hutong llm`: which models there are, and a question to one.
 *
 * The answer goes to standard output as it comes and nothing else does, so that
 * it can be piped; all that is about it goes to standard error.
 */
#include <errno.h>
#include <unistd.h>

#include "app/command.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "llm/ask.h"
#include "llm/models.h"
#include "llm/schema.h"
#include "llm/site.h"

enum { QUESTION_BYTES_MAX = 1024 * 1024, SCHEMA_BYTES_MAX = 256 * 1024 };

struct session {
    struct args *args;
    struct llm *llm;
    struct loop *loop;
    struct llm_loop *home;
    struct llm_call *call; /* the question under way, but for one with a schema */
    struct why instead;    /* why not who was asked answers; or empty */
    int64_t began_us;      /* of a question with a schema */
    int status;            /* of the process */
};

/* --- check and models --- */

struct listing {
    struct session *session;
    size_t sites, left, answering;
    bool names; /* every model, or a line for each site */
};

static void print_model(void *ctx, struct str id, int64_t context_tokens)
{
    const struct str *site = ctx;
    printf("%.*s/%.*s", STR_ARGS(*site), STR_ARGS(id));
    if (context_tokens > 0) printf("  %lld tokens", (long long)context_tokens);
    putchar('\n');
}

static void print_address(struct str address)
{
    printf("%s%.*s\n", address.len ? "  " : "", STR_ARGS(address));
}

static void on_models(void *ctx, const struct llm_models *models)
{
    struct listing *listing = ctx;
    if (listing->names) {
        struct str site = models->site;
        llm_models_each(models, print_model, &site);
        if (models->fault != LLM_FAULT_NONE) fprintf(stderr, "hutong: %s\n", models->why.text);
    } else if (models->fault == LLM_FAULT_NONE) {
        printf("%-12.*s answers, %zu model%s", STR_ARGS(models->site), models->count,
               models->count == 1 ? "" : "s");
        print_address(models->address);
    } else {
        printf("%-12.*s FAILS: %s", STR_ARGS(models->site), models->why.text);
        print_address(models->address);
    }
    if (models->fault == LLM_FAULT_NONE && !models->offline) listing->answering++;
    if (--listing->left == 0) loop_stop(listing->session->loop);
}

/* Does it write when no model answers? */
static bool offline_writes(const struct llm *llm)
{
    bool writes = llm_is_offline(llm->standard.place);
    for (size_t i = 0; i < llm->fallback_count; i++)
        writes = writes || llm_is_offline(llm->fallback[i].place);
    return writes;
}

static void finish_check(const struct listing *listing)
{
    struct str model = llm_default_model(listing->session->llm);
    printf("\nDefault model: %.*s\n", STR_ARGS(model));
    if (listing->answering > 0) return;
    if (offline_writes(listing->session->llm)) {
        puts(
            "\nNo language model answers: what is written comes from the offline engine, which is\n"
            "none.");
    } else {
        puts("\nNo language model answers: every question ends in an error. With `offline` in\n"
             "llm-fallback the offline engine, which is no language model, would write instead.");
    }
    if (listing->sites > 1) { /* besides the offline engine */
        puts("Mend what FAILS above; docs/providers.md says what address and key a site needs.");
    } else {
        puts(
            "Start LM Studio (its server on port 1234) or Ollama (port 11434) on this machine, or\n"
            "set OPENAI_API_KEY, or HUTONG_OPENAI_BASE for a server of your own, in the\n"
            "environment or in .env; `hutong settings` lists all that can be set.");
    }
}

static int run_listing(struct session *session, bool names)
{
    struct listing listing = {.session = session, .names = names};
    listing.sites = listing.left = llm_site_count(session->llm);
    for (size_t i = 0; i < listing.sites; i++) {
        llm_models_ask(session->home, i, on_models, &listing);
    }
    loop_run(session->loop);
    if (!names) finish_check(&listing);
    return listing.answering == 0 ? 1 : 0;
}

/* --- chat --- */

static bool put(struct str piece)
{
    return fwrite(piece.at, 1, piece.len, stdout) == piece.len && fflush(stdout) == 0;
}

/* Nobody reads any more, or the disk is full. */
static void give_up(struct session *session)
{
    fprintf(stderr, "hutong: cannot write the answer: %s\n", strerror(errno));
    session->status = 1;
    loop_stop(session->loop);
}

static void on_text(void *ctx, struct str piece)
{
    struct session *session = ctx;
    if (put(piece)) return;
    (void)llm_cancel(session->call);
    give_up(session);
}

/* `rest`: times. */
static void print_usage(const struct llm_result *result, const struct llm_usage *usage,
                        const char *rest)
{
    char tokens[64] = "unknown tokens";
    if (usage->input >= 0 || usage->output >= 0) {
        snprintf(tokens, sizeof(tokens), "%lld + %lld tokens%s", (long long)MAX(usage->input, 0),
                 (long long)MAX(usage->output, 0), usage->estimated ? " (estimated)" : "");
    }
    fprintf(stderr, "hutong: %.*s/%.*s, %s, %s\n", STR_ARGS(result->site), STR_ARGS(result->model),
            tokens, rest);
}

static void print_usage_of_stream(const struct llm_result *result)
{
    long long first_ms = result->first_us / 1000, total_ms = result->total_us / 1000;
    char times[80];
    if (result->first_us >= 0) {
        snprintf(times, sizeof(times), "first after %lld ms, %lld ms", first_ms, total_ms);
    } else {
        snprintf(times, sizeof(times), "nothing said, %lld ms", total_ms);
    }
    print_usage(result, &result->usage, times);
}

/* When it is not a language model, or not the one that was asked; `instead` says why, or is empty.
 */
static void tell_who(struct session *session, struct str site, struct str instead)
{
    bool offline = str_eq(site, STR("offline"));
    if (args_option(session->args, "quiet") || (!offline && instead.len == 0)) return;
    const char *asked = args_option(session->args, "model");
    bool chosen = asked && str_starts(str_of(asked), STR("offline"));
    if (instead.len == 0) {
        instead = chosen ? STR("no language model was asked") : STR("no language model is set up");
    }
    if (offline) {
        fprintf(stderr, "hutong: %.*s; this is the offline engine (`hutong llm check`)\n",
                STR_ARGS(instead));
    } else {
        fprintf(stderr, "hutong: %.*s; %.*s answers instead\n", STR_ARGS(instead), STR_ARGS(site));
    }
}

static void on_instead(void *ctx, struct str sentence)
{
    why_write(&((struct session *)ctx)->instead, "%.*s", STR_ARGS(sentence));
}

static void on_open(void *ctx, struct str site, struct str model)
{
    (void)model;
    struct session *session = ctx;
    tell_who(session, site, str_of(session->instead.text));
}

static void on_end(void *ctx, const struct llm_result *result)
{
    struct session *session = ctx;
    if (result->first_us >= 0 && !put(STR("\n"))) {
        give_up(session);
        return;
    }
    if (result->end != LLM_COMPLETE) {
        fprintf(stderr, "hutong: %s\n", result->why.text);
        session->status = 1;
    }
    if (args_option(session->args, "usage")) print_usage_of_stream(result);
    loop_stop(session->loop);
}

/* The question: the words, or standard input for a lone "-". */
static struct str read_question(struct args *args)
{
    struct buf text;
    buf_init(&text, QUESTION_BYTES_MAX);
    bool input = args->word_count == 2 && strcmp(args->words[1], "-") == 0;
    for (size_t i = 1; i < args->word_count && !input; i++) {
        if (i > 1) buf_add_byte(&text, ' ');
        buf_add_str(&text, str_of(args->words[i]));
    }
    char bytes[4096];
    ssize_t len;
    while (input && (len = read(STDIN_FILENO, bytes, sizeof(bytes))) > 0) {
        buf_add(&text, bytes, (size_t)len);
    }
    struct str question =
        text.failed ? (struct str){0} : arena_copy(&args->arena, str_trim(buf_str(&text)));
    buf_release(&text);
    return question;
}

/* --- an answer of a wanted shape --- */

static void on_answered(void *ctx, const struct llm_answer *answer)
{
    struct session *session = ctx;
    tell_who(session, answer->result->site, answer->result->instead);
    if (answer->err) {
        fail(&answer->why);
        session->status = 1;
    } else {
        if (!put(answer->text) || !put(STR("\n"))) {
            give_up(session);
            return;
        }
    }
    if (args_option(session->args, "usage")) {
        char times[80];
        snprintf(times, sizeof(times), "%s%lld ms", answer->repaired ? "asked twice, " : "",
                 (long long)((clock_mono_us() - session->began_us) / 1000));
        print_usage(answer->result, &answer->usage, times); /* of both rounds */
    }
    loop_stop(session->loop);
}

/* The schema out of its file, checked to be JSON. */
static enum err read_schema(struct args *args, const char *path, struct str *schema_out,
                            struct why *why)
{
    FILE *file = fopen(path, "re");
    if (file == NULL) return why_set(why, ERR_IO, "cannot open %s: %s", path, strerror(errno));
    char *text = arena_alloc(&args->arena, SCHEMA_BYTES_MAX);
    size_t len = fread(text, 1, SCHEMA_BYTES_MAX, file);
    fclose(file);
    struct json *tree = NULL;
    *schema_out = (struct str){text, len};
    enum err err = json_parse(*schema_out, &tree, NULL, why);
    if (err || json_kind(tree) != JSON_OBJECT) {
        err = why_set(why, ERR_INVALID, "%s is no JSON Schema", path);
    }
    if (!err) err = schema_vet(tree, why);
    json_free(tree);
    return err;
}

static int ask_for_shape(struct session *session, struct llm_request *request, const char *path)
{
    struct why why;
    if (read_schema(session->args, path, &request->schema, &why) != OK) return fail(&why);
    session->began_us = clock_mono_us();
    llm_ask(session->home, request, on_answered, session);
    loop_run(session->loop);
    return session->status;
}

static int run_chat(struct session *session)
{
    static const struct llm_events events = {
        .instead = on_instead, .open = on_open, .text = on_text, .end = on_end};
    struct args *args = session->args;
    struct str question = read_question(args);
    if (args->word_count < 2) return usage_error("llm chat needs a question, or - to read it");
    if (question.len == 0 || !utf8_valid(question)) {
        return usage_error("llm chat needs a question in UTF-8 of at most 1 MiB");
    }
    const char *model = args_option(args, "model"), *system = args_option(args, "system");
    struct llm_message messages[2];
    size_t count = 0;
    if (system) messages[count++] = (struct llm_message){LLM_SYSTEM, .text = str_of(system)};
    messages[count++] = (struct llm_message){LLM_USER, .text = question};
    struct llm_request request = llm_request_plain();
    request.model = str_of(model);
    request.messages = messages;
    request.message_count = count;
    const char *schema = args_option(args, "schema");
    if (schema) return ask_for_shape(session, &request, schema);
    session->call = llm_start(session->home, &request, &events, session);
    loop_run(session->loop);
    return session->status;
}

/* --- the command --- */

static int run_open(struct session *session)
{
    const char *what = session->args->words[0];
    if (strcmp(what, "chat") == 0) return run_chat(session);
    if (strcmp(what, "check") == 0) return run_listing(session, false);
    if (strcmp(what, "models") == 0) return run_listing(session, true);
    return usage_error("llm has no \"%s\"; there are check, models and chat", what);
}

int run_llm(struct args *args)
{
    struct session session = {.args = args};
    struct why why;
    if (args->word_count == 0) return usage_error("llm needs one of check, models and chat");
    bool lone = strcmp(args->words[0], "check") == 0 || strcmp(args->words[0], "models") == 0;
    if (lone && args->word_count > 1) {
        return usage_error("llm %s takes options only, and not \"%s\"", args->words[0],
                           args->words[1]);
    }
    if (log_open(NULL, LOG_ERROR, &why) != OK) return fail(&why); /* the answer says the rest */
    if (llm_open(&args->settings, &session.llm, &why) != OK) return fail(&why);
    if (loop_open(&session.loop, &why) != OK) {
        llm_free(session.llm);
        return fail(&why);
    }
    session.home = llm_loop_open(session.llm, session.loop);
    int status = run_open(&session);
    llm_loop_close(session.home);
    loop_close(session.loop);
    llm_free(session.llm);
    return status;
}
