/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * api/call.h: one request on its way through its handler.
 *
 * A handler is a plain function: it reads what it needs (api/input.h), calls
 * the community or the store with `call->db`, writes its reply into
 * call->x->reply (call_json() and friends) and returns OK, or returns an error
 * with a sentence, from which api/respond.c makes the reply. Which thread it
 * is on is the dispatcher's business; the lane in the route table says what
 * it may do:
 *
 *   LANE_READ   reads call->db, short and indexed
 *   LANE_WRITE  changes call->db, inside a transaction that is durable before
 *               the reply leaves; may be run twice, from the start each time
 *   LANE_SLOW   may block (hash, decode, wait); reads call->db, changes
 *               through call_write()
 *   LANE_HASH   the same, in the queue for passwords
 *   LANE_LOOP   runs on the loop and takes the exchange over: sockets, streams
 */
#pragma once

#include "api/api.h"
#include "base/json.h"
#include "community/act.h"
#include "http/url.h"

enum lane { LANE_READ, LANE_WRITE, LANE_SLOW, LANE_HASH, LANE_LOOP };

enum access {
    ACCESS_ANYONE,   /* nobody is asked who they are */
    ACCESS_OPTIONAL, /* a good token counts, a bad one is as none */
    /* Members, who may also say who they are in the query (its `ticket` or `token`), where browsers
     * can't send headers. The handler asks; till then as ACCESS_OPTIONAL. */
    ACCESS_LIVE,
    ACCESS_KEY, /* programs, with a member's key: the handler asks (api/gateway.h) */
    ACCESS_MEMBER,
    ACCESS_MODERATOR,
    ACCESS_ADMIN
};

enum body_kind {
    BODY_NONE,
    BODY_JSON,
    BODY_FORM_OR_JSON,
    BODY_UPLOAD,
    BODY_WIKI /* JSON of a whole wiki, from who may read some */
};

struct call;
typedef enum err handler(struct call *call, struct why *why);

struct route {
    enum http_method method;
    const char *path;
    enum lane lane;
    enum access access;
    enum rate_class rate;
    enum body_kind body;
    handler *handle;
    /* For /openapi.json, in the words of api/openapi.h: what it does; the fields of body and query,
     * "content:text:1-5000, image_path:text?"; the reply: a schema's name, a media type or "",
     * and the statuses of failures of the handler's own. Without `help` it is a page or file of
     * the browser app, and no part of the API. */
    const char *help, *body_fields, *query_fields, *reply;
    int status; /* of success */
};

extern const struct route routes_table[];
extern const size_t routes_count;

/* Who asks. user.value 0: nobody knows. */
struct caller {
    struct user_id user;
    enum role role;
    uint64_t session;  /* 0: a token of an older system */
    int64_t issued_s;  /* when the token was made */
    int64_t expires_s; /* when it ends */
};

struct upload;
struct wiki_visit_want;

enum { CALL_FAULTS_MAX = 12 };

/* A field of the input that is wrong; see api/input.h. */
struct field_fault {
    const char *where; /* "body", "query", "path" */
    const char *field;
    const char *type;
    struct str sentence;
};

struct call {
    struct http_exchange *x;
    struct api *api;
    struct api_loop *home;
    const struct route *route;
    struct arena *arena; /* dies with the exchange */
    struct db *db;
    struct caller who;
    struct str address; /* of the client, behind trusted proxies */
    struct url_target target;
    struct url_params query, form;
    struct str params[ROUTER_PARAMS_MAX];
    struct json *body;          /* owned; NULL: none, or not read yet */
    struct field_fault *faults; /* in the arena; up to CALL_FAULTS_MAX, most calls have none */
    size_t fault_count;
    struct chat_run *run;    /* owned: an answer that was planned and has not begun (api/chats.c) */
    struct chat_run *joined; /* a reference, for `after` */
    struct wiki_visit_want *visit; /* in the arena: what is asked of a repository, for `after` */
    struct upload *upload;         /* BODY_UPLOAD: what came; see api/files.c */
    struct act act;                /* LANE_WRITE: ready to use */

    /* The dispatcher's own. */
    struct str token;      /* as shown */
    uint64_t notices_seen; /* of the token cache, when `who` was found there */
    bool confirmed;        /* `who` was looked up in the store */
    bool no_account;       /* … and is no member (any more) */
    bool allowed_origin;
    bool shown_code;          /* the access code for wikis stood in it (api/wiki_access.h) */
    struct rate_verdict rate; /* the caller's room; with ERR_LIMIT: of the limit that was met */
    /* For programs (ACCESS_KEY): words of OpenAI's errors, NULL: by the error; and whether their
     * clients had better not try again by themselves. */
    const char *error_code, *error_type;
    bool no_retry;
    void *gateway_own;          /* while a key is looked up */
    struct call_change *change; /* travelling to the writer; in the arena */
    struct job job;             /* … or to a worker */
    struct task back;           /* … and home */
    /* … where it goes on there, when the handler has succeeded. NULL: the reply is in `x`. */
    void (*after)(struct call *call);
    enum err err;
    struct why why;
};

/* Did the client come over TLS? A proxy of ours may say so; else nobody does. */
/* Whose limits a stranger uses up: header_network() of `address`, in the arena. */
struct str call_network(struct call *call);
bool call_is_encrypted(const struct call *call);
/* Begin the reply's JSON body with status 200 or the one of the route. */
struct json_out call_json(struct call *call);
/* Name the state that the reply shows, for its reader alone. True: they have it already, and this
 * was the reply (304). */
MUST_USE bool call_unchanged(struct call *call, struct str etag);
/* 204. */
void call_no_content(struct call *call);

/*
 * LANE_SLOW: change something and wait until it is durable; then its events are
 * published. `apply` gets `ctx` and an act of the caller. May run twice.
 */
typedef enum err call_apply(void *ctx, struct act *act, struct why *why);
MUST_USE enum err call_write(struct call *call, call_apply *apply, void *ctx, struct why *why);

/* LANE_SLOW: note in the audit log (store/audit.h) what was done outside of the database. `detail`:
 * what it was done to, in words. It is done already, so where the database takes nothing (a full
 * disk) it stands in the program's log instead. */
void call_audit(struct call *call, enum audit_action action, const char *kind, struct str detail);

/* LANE_LOOP: the reply in call->x is a stream; see http_stream_begin(). It may take hours: the
 * request's body is let go. */
void call_begin_stream(struct call *call, struct http_stream_events events);
/* … of server-sent events whose next may be long in coming: a model thinks. A comment goes out each
 * call_silence_us() without one. */
void call_begin_events(struct call *call, struct http_stream_events events);
int64_t call_silence_us(const struct call *call);
/* LANE_LOOP: the reply in call->x is whole, send it. */
void call_reply(struct call *call);
/* Reply at once, on the loop, with what an error says. */
void call_refuse(struct call *call, enum err err, const struct why *why);
