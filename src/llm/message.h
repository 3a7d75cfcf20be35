/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * llm/message.h: what is said to a model, the same for every provider.
 *
 * Plain data, borrowed from the caller for as long as the contract of the
 * function that takes it says. Text is valid UTF-8.
 */
#pragma once

#include "base/str.h"

enum llm_role { LLM_SYSTEM, LLM_USER, LLM_ASSISTANT, LLM_TOOL };

struct llm_message {
    enum llm_role role;
    struct str text;
    /*
     * For programs (the gateway), in the form of OpenAI's chat API, already JSON; empty: none.
     * `parts`: an array of content parts that stands in place of `text` (pictures);
     * `tool_calls`: the calls an assistant message made; `tool_call_id`: what a tool message
     * answers. `name` (plain text) tells speakers of one role apart, where the provider has that.
     * `reasoning` (plain text): what was thought before the calls, for providers that want it back.
     */
    struct str parts, tool_calls, tool_call_id, name, reasoning;
};

/* What the text is for. Models read it from the prompt; only the offline engine needs it said. */
enum llm_task {
    LLM_TASK_CHAT,    /* a person talks with a model */
    LLM_TASK_REPLY,   /* a resident answers somebody */
    LLM_TASK_GREET,   /* a resident speaks first */
    LLM_TASK_POST,    /* a resident writes a post */
    LLM_TASK_COMMENT, /* … a comment on the last message */
    LLM_TASK_REFLECT, /* … what a day or its memories mean to it */
    LLM_TASK_TITLE    /* a few words that name the conversation */
};

/* The scene in which the offline engine speaks; whatever is empty is not known. */
struct llm_scene {
    enum llm_task task;
    struct str language;   /* "zh", "en"; empty: that of the last message */
    struct str name;       /* of who speaks */
    struct str occupation; /* "咖啡师", "painter" */
    struct str traits;     /* words, comma-separated */
    struct str partner;    /* to whom */
    struct str mood;       /* one of happy, sad, angry, anxious, calm, excited, tired, lonely */
    struct str place;      /* "咖啡馆" */
    struct str topic;
    struct str weather; /* one of sunny, cloudy, rainy, stormy, snowy, windy, foggy */
    int hour;           /* 0–23 of the speaker's day; -1: not known */
};
