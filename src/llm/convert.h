/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * llm/convert.h: OpenAI's forms of messages and tools, taken apart for the
 * providers that have forms of their own.
 *
 * Callers of ours speak OpenAI's JSON (llm/message.h), whoever answers. These
 * functions read it and hand each part, call or tool to the provider's file,
 * which writes its own. Strings are good until the callback returns.
 *
 * ERR_INVALID everywhere: it is not of that form, or this provider has nothing
 * for it; the sentence names what.
 */
#pragma once

#include "llm/provider.h"

/* A text, or a picture: base64 `data` of a `type` ("image/png"), or at an address. */
struct llm_part {
    struct str text;
    struct str type, data, url;
};

typedef enum err llm_each_part(void *ctx, const struct llm_part *part, struct why *why);
/* The parts of a message, or its text as the only one; none that is empty. */
MUST_USE enum err llm_read_parts(const struct llm_message *message, llm_each_part *each, void *ctx,
                                 struct why *why);
/* Where only words can stand: the texts of the parts, one behind the other. */
MUST_USE enum err llm_join_text(const struct llm_message *message, struct buf *text,
                                struct why *why);
bool llm_has_pictures(const struct llm_asking *asking);

/* A call that the model made; `arguments` is a JSON object. */
struct llm_called {
    struct str id, name, arguments;
};
typedef enum err llm_each_called(void *ctx, const struct llm_called *called, struct why *why);
MUST_USE enum err llm_read_called(const struct llm_message *message, llm_each_called *each,
                                  void *ctx, struct why *why);
/* The name of the tool whose call `id` is answered by message number `at`, in `arena`. */
MUST_USE enum err llm_called_name(struct arena *arena, const struct llm_asking *asking, size_t at,
                                  struct str *name_out, struct why *why);

/* A tool on offer; `parameters` is a JSON Schema, or NULL. */
struct llm_offered {
    struct str name, description;
    const struct json *parameters;
};
typedef enum err llm_each_offered(void *ctx, const struct llm_offered *offered, struct why *why);
MUST_USE enum err llm_read_offered(struct str tools, llm_each_offered *each, void *ctx,
                                   struct why *why);

enum llm_must {
    LLM_MUST_UNSAID,
    LLM_MUST_NOT,   /* "none" */
    LLM_MUST_MAY,   /* "auto" */
    LLM_MUST_ANY,   /* "required" */
    LLM_MUST_NAMED, /* this one */
};
MUST_USE enum err llm_read_must(struct arena *arena, struct str tool_choice,
                                enum llm_must *must_out, struct str *name_out, struct why *why);

/* No message but the system's: providers that want one from the user get it as such. */
bool llm_only_system(const struct llm_asking *asking);
/* What can be asked of this model, at most what was asked for: schema, any JSON, text. */
enum llm_format llm_format_left(const struct llm_asking *asking);
/* ERR_INVALID: that is another, and it was to be this one or none. */
MUST_USE enum err llm_keep_format(const struct llm_asking *asking, struct why *why);
