/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * townhall/comfyui.h: what is said to a ComfyUI and what it answers. Pure but
 * for reading the workflow's file; townhall/pictures.c does the talking.
 *
 * ComfyUI's own protocol (its server.py and execution.py):
 *
 *     POST /prompt {"prompt": WORKFLOW, "prompt_id": ID, "client_id": …}
 *          200 {"prompt_id", "number", "node_errors"} · 400 {"error", "node_errors"}
 *     GET  /history/ID   {} until it is over, then
 *          {ID: {"outputs": {NODE: {"images": [{"filename", "subfolder", "type"}]}},
 *                "status": {"status_str": "success"|"error", "completed", "messages"}}}
 *     GET  /queue        {"queue_running": [[number, ID, …]], "queue_pending": [[number, ID, …]]}
 *     GET  /view?filename=…&subfolder=…&type=…   the picture
 *
 * Newer ones take the ID that we choose, older ones choose their own: the
 * answer's counts.
 *
 * Nothing in an answer is trusted: texts are cut and checked, and what of it an
 * administrator is shown is one short line.
 */
#pragma once

#include "base/buf.h"
#include "base/err.h"

enum {
    COMFYUI_ID_BYTES_MAX = 64,
    COMFYUI_ANSWER_BYTES_MAX = 4 * 1024 * 1024, /* histories hold the workflow again */
    COMFYUI_WORKFLOW_BYTES_MAX = 1024 * 1024,
};

/* ERR_INVALID: neither http:// nor https://. */
MUST_USE enum err comfyui_check_address(struct str url, struct why *why);
/*
 * Read a workflow. ERR_INVALID: there is none, it is no JSON, not in API format, or has no place
 * for a prompt; the sentence says what would be right.
 */
MUST_USE enum err comfyui_load_workflow(struct str path, struct buf *workflow_out, struct why *why);
/*
 * The body of POST /prompt: the workflow with {{prompt}} and {{seed}} filled in. The prompt is
 * escaped, so it stays inside the string it stands in. A string that is nothing but {{seed}}
 * becomes a number.
 */
void comfyui_write_prompt(struct buf *to, struct str workflow, struct str prompt, uint32_t seed,
                          struct str id);

/* The answer to POST /prompt. ERR_INVALID: refused for what was asked, again would be the same;
 * ERR_UPSTREAM: something else. */
MUST_USE enum err comfyui_read_accepted(int status, struct str body, char id[COMFYUI_ID_BYTES_MAX],
                                        struct why *why);

enum comfyui_progress { COMFYUI_UNKNOWN, COMFYUI_DONE };
struct comfyui_image {
    char filename[256], subfolder[256], type[32];
};
/* The answer to GET /history/ID. COMFYUI_UNKNOWN: not over, or never heard of.
 * ERR_UPSTREAM: it failed, or made no picture. */
MUST_USE enum err comfyui_read_history(int status, struct str body, struct str id,
                                       enum comfyui_progress *progress_out,
                                       struct comfyui_image *image_out, struct why *why);
/* Whether GET /queue knows it. False too when the answer is none. */
bool comfyui_is_queued(int status, struct str body, struct str id);
/* "/view?filename=…" */
void comfyui_write_view(struct buf *to, const struct comfyui_image *image);
