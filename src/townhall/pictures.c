/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * townhall/pictures.c: the residents' picture queue, worked off.
 *
 *   due ──stored: processing, our ID──> POST /prompt ──> GET /history/ID … ──> GET /view
 *       ──worker: picture door──> one transaction: post's picture, file, completed
 *
 * The ID is stored before ComfyUI is asked. After a kill -9 the row is still
 * `processing`: if ComfyUI has the ID in its history or its queue, that picture
 * is waited for, else it is asked for anew. Whatever goes wrong ends in
 * try_failed(): another try later, or `failed`, with a sentence.
 */
#include "townhall/pictures.h"

#include <sys/mman.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/rng.h"
#include "base/utf8.h"
#include "community/shelf.h"
#include "community/talk.h"
#include "http/client.h"
#include "io/file.h"
#include "io/workers.h"
#include "store/pictures.h"
#include "townhall/comfyui.h"
#include "townhall/internal.h"

enum {
    LOOK_EVERY_US = 1000 * 1000, /* at the table, when there is nothing to do */
    POLL_MS_FIRST = 250,         /* at ComfyUI; each time half as long again … */
    POLL_MS_MAX = 5000,          /* … up to this */
    CONNECT_MS = 5000,
    REQUEST_S_MAX = 60,
    TRIES_MAX = 6, /* of which ComfyUI answered, or should have */
    AGAIN_S_FIRST = 2,
    AGAIN_S_MAX = 600,
    AGE_S_MAX = 24 * 3600, /* a picture that comes later than this suits no post any more */
    PROMPT_CHARS_MAX = 400,
    URL_BYTES_MAX = 4096,
};

struct import {
    struct job job;
    struct task back;
    struct pictures *owner; /* NULL: nobody waits for it. The town's thread's */
    struct loop *loop;
    struct str upload_dir;
    struct picture_limits limits;
    struct buf bytes; /* of the answer */
    struct picture picture;
    enum err err;
    struct why why;
};

/* What the answer that is on its way is to. */
enum asked {
    ASKED_NOTHING,
    ASKED_WHETHER_DONE,   /* GET /history of an interrupted one */
    ASKED_WHETHER_QUEUED, /* GET /queue of the same */
    ASKED_TO_MAKE,        /* POST /prompt */
    ASKED_HOW_FAR,        /* GET /history */
    ASKED_TO_SHOW,        /* GET /view */
    ASKED_TO_FORGET,      /* POST /queue: the post is gone */
};

struct pictures {
    struct hall *hall;
    struct http_client *client;
    struct workers *workers;
    struct timer *poll;
    struct str base;     /* without a slash at its end */
    struct buf workflow; /* as in its file */
    int64_t looked_us;

    bool busy; /* with `row` */
    struct picture_row row;
    struct arena arena; /* its texts */
    int64_t until_us;   /* of this try */
    uint64_t poll_ms;
    enum asked asked;
    struct http_fetch *fetch;
    struct deadline late;
    int status;
    struct buf body;
    struct import *import;
};

/* --- a resident's post gets one --- */

static uint32_t dice(const struct hall *hall, uint64_t number, uint32_t *seed_out)
{
    struct rng rng;
    rng_init(&rng, hall->row.seed ^ UINT64_C(0x70696374757265), number);
    *seed_out = rng_u32(&rng);
    return rng_below(&rng, 100);
}

static enum err count_today(const struct hall *hall, struct db *db, struct user_id author,
                            bool *more_out, struct why *why)
{
    const int64_t day_us = INT64_C(86400) * 1000000;
    uint64_t count;
    int64_t today_us = clock_wall_us() / day_us * day_us;
    enum err err = pictures_count_since(db, author, today_us, &count, why);
    *more_out = !err && count < (uint64_t)hall->links.settings->town_pictures_day;
    return err;
}

bool pictures_wanted(const struct pictures *pictures, uint64_t number, const struct effect *effect)
{
    if (!pictures || effect->kind != EFFECT_POST) return false;
    const struct hall *hall = pictures->hall;
    uint32_t seed;
    bool more;
    struct why why;
    return dice(hall, number, &seed) < (uint32_t)hall->links.settings->town_pictures_share &&
           count_today(hall, hall->db, cast_user(&hall->cast, effect->who), &more, &why) == OK &&
           more;
}

struct str pictures_request(bool wanted)
{
    if (!wanted) return STR("");
    return STR("Then, on a line of its own that begins with PICTURE: and in English whatever "
               "language the post is in, describe in at most thirty plain words what a photo to "
               "go with the post shows. ");
}

/*
 * Words alone: ComfyUI's prompts give brackets, colons and backslashes a meaning (weights, files to
 * load), and no stranger's text gets to use it.
 */
static struct str plain_words(struct arena *arena, struct str text)
{
    if (!utf8_valid(text)) return STR("");
    struct buf plain;
    buf_init(&plain, text.len + 1);
    for (size_t i = 0; i < text.len; i++) {
        char c = text.at[i];
        bool special = (unsigned char)c < ' ' || c == 0x7f || strchr("()[]{}<>\\|:\"", c);
        bool blank = special || c == ' ';
        if (blank && (plain.len == 0 || plain.at[plain.len - 1] == ' ')) continue;
        buf_add_byte(&plain, blank ? ' ' : c);
    }
    struct str words = str_trim(buf_str(&plain)), all = words;
    for (size_t i = 0; i < PROMPT_CHARS_MAX && all.len > 0; i++) (void)utf8_next(&all);
    words = str_trim(str_head(words, words.len - all.len));
    words = words.len ? arena_copy(arena, words) : STR("");
    buf_release(&plain);
    return words;
}

struct str pictures_split(struct arena *arena, struct str text, struct str *prompt_out)
{
    static const struct str mark = {"PICTURE:", 8};
    struct str rest = text, line;
    *prompt_out = STR("");
    while (str_split(&rest, '\n', &line)) {
        struct str trimmed = str_trim(line);
        if (!str_eq_nocase(str_head(trimmed, mark.len), mark)) continue;
        *prompt_out = plain_words(arena, str_from(trimmed, mark.len));
        return str_trim(str_head(text, (size_t)(line.at - text.at)));
    }
    return text;
}

static const char *light_of(int hour)
{
    return hour < 5    ? "at night"
           : hour < 8  ? "in the early morning"
           : hour < 12 ? "in the morning"
           : hour < 17 ? "in the afternoon"
           : hour < 20 ? "in the evening light"
                       : "at night";
}

struct str pictures_phrase(struct arena *arena, const struct hall *hall,
                           const struct effect *effect)
{
    struct str subject = subject_words(false, effect->subject);
    struct str place = STR("a lane of a small town");
    if (effect->place < hall->cast.location_count) {
        const struct location *location = &hall->cast.locations[effect->place];
        place = location->type.len ? location->type : location->name;
    }
    struct str words = arena_printf(arena, "%.*s, %.*s in a small town, %s, %s weather, %s",
                                    STR_ARGS(subject.len ? subject : STR("everyday life")),
                                    STR_ARGS(place), season_name(season_of(effect->at)),
                                    weather_name((enum weather)town_sky(hall->town)->weather),
                                    light_of(hour_of(effect->at)));
    return plain_words(arena, words); /* places have names somebody gave them */
}

enum err pictures_queue(const struct pictures *pictures, struct db *db, uint64_t number,
                        struct user_id author, struct post_id post, struct str prompt,
                        struct why *why)
{
    const struct hall *hall = pictures->hall;
    struct picture_row row = {.character = author, .post = post, .prompt = prompt};
    uint64_t id;
    bool more;
    enum err err = count_today(hall, db, author, &more, why);
    if (err || !more) return err;
    (void)dice(hall, number, &row.seed);
    return pictures_add(db, &row, clock_wall_us(), &id, why);
}

/* --- what is stored of it --- */

static void count_states(struct pictures *pictures)
{
    struct hall *hall = pictures->hall;
    struct why why;
    for (int state = 0; state < PICTURE_STATE_COUNT; state++) {
        uint64_t count;
        if (pictures_count(hall->db, (enum picture_state)state, &count, &why) == OK)
            atomic_store(&hall->stats.pictures[state], count);
    }
}

static void let_go(struct pictures *pictures)
{
    if (pictures->fetch) http_fetch_cancel(pictures->fetch);
    pictures->fetch = NULL;
    deadline_clear(&pictures->late);
    timer_stop(pictures->poll);
    buf_reset(&pictures->body, COMFYUI_ANSWER_BYTES_MAX);
    if (pictures->import) pictures->import->owner = NULL;
    pictures->import = NULL;
    pictures->asked = ASKED_NOTHING;
    pictures->busy = false;
    arena_reset(&pictures->arena);
}

struct saving {
    struct pictures *pictures;
    struct picture_row row;
    enum picture_state from;
};

static enum err apply_save(void *ctx, struct db *db, struct why *why)
{
    struct saving *saving = ctx;
    const struct hall *hall = saving->pictures->hall;
    enum err err = pictures_fence(db, hall->row.id, hall->row.fence, why);
    return err ? err : pictures_save(db, &saving->row, saving->from, clock_wall_us(), why);
}

/* False: it did not go in; the table is looked at again later. */
static bool save(struct pictures *pictures, enum picture_state from)
{
    struct hall *hall = pictures->hall;
    struct saving saving = {.pictures = pictures, .row = pictures->row, .from = from};
    struct why why;
    enum err err = store_write(hall->links.store, hall->db, apply_save, &saving, &why);
    if (err) {
        log_warn("pictures.store", "picture=%llu reason=\"%s\"",
                 (unsigned long long)pictures->row.id, why.text);
        let_go(pictures);
        return false;
    }
    count_states(pictures);
    return true;
}

/* Doubling, with jitter: a quarter more or less. */
static int64_t again_us(uint64_t tries)
{
    int64_t wait_s = AGAIN_S_FIRST;
    for (uint64_t i = 1; i < tries && wait_s < AGAIN_S_MAX; i++) wait_s *= 2;
    int64_t wait_us = MIN(wait_s, AGAIN_S_MAX) * INT64_C(1000000);
    int64_t jitter_us = (int64_t)(random_u64() % (uint64_t)(wait_us / 2));
    return clock_wall_us() + wait_us - wait_us / 4 + jitter_us;
}

enum outcome { TRY_AGAIN, TRY_WHEN_BACK, TRY_NEVER };

/* Whatever went wrong. TRY_WHEN_BACK: nobody answers there, which is no fault of the picture. */
static void try_failed(struct pictures *pictures, enum outcome outcome, const char *sentence)
{
    struct picture_row *row = &pictures->row;
    enum picture_state from = row->state;
    bool old = clock_wall_us() - row->created_us > AGE_S_MAX * INT64_C(1000000);
    row->tries++;
    bool last = outcome == TRY_NEVER || (outcome == TRY_AGAIN && row->tries >= TRIES_MAX) ||
                (outcome == TRY_WHEN_BACK && old);
    row->state = last ? PICTURE_FAILED : PICTURE_PENDING;
    row->next_try_us = last ? row->next_try_us : again_us(row->tries);
    row->prompt_id = (struct str){0};
    row->error = arena_copy(&pictures->arena, str_of(sentence));
    log_info("pictures.try", "picture=%llu tries=%llu again=%d reason=\"%s\"",
             (unsigned long long)row->id, (unsigned long long)row->tries, !last, sentence);
    if (save(pictures, from)) let_go(pictures);
}

/* --- talking to ComfyUI --- */

static void answered(struct pictures *pictures);

static void on_head(void *ctx, struct http_fetch *fetch, int status)
{
    (void)fetch;
    ((struct pictures *)ctx)->status = status;
}

/* An answer that does not end, ends here. */
static void on_piece(void *ctx, struct http_fetch *fetch, struct str bytes)
{
    struct pictures *pictures = ctx;
    (void)fetch;
    buf_add_str(&pictures->body, bytes);
    if (!pictures->body.failed) return;
    char sentence[120];
    snprintf(sentence, sizeof(sentence), "ComfyUI's answer is too large: more than %zu bytes",
             pictures->body.max);
    try_failed(pictures, TRY_AGAIN, sentence);
}

static void on_done(void *ctx, struct http_fetch *fetch, const struct http_fetch_end *end)
{
    struct pictures *pictures = ctx;
    (void)fetch;
    pictures->fetch = NULL;
    deadline_clear(&pictures->late);
    if (end->fault == HTTP_FETCH_OK) {
        answered(pictures);
        return;
    }
    struct why why;
    (void)!why_set(&why, ERR_UPSTREAM, "ComfyUI cannot be reached: %s", end->message);
    bool away = end->fault != HTTP_FETCH_BROKEN && end->fault != HTTP_FETCH_URL &&
                end->fault != HTTP_FETCH_STRANGE;
    try_failed(pictures, away ? TRY_WHEN_BACK : TRY_AGAIN, why.text);
}

static void on_late(struct deadline *deadline)
{
    struct pictures *pictures = CONTAINER_OF(deadline, struct pictures, late);
    try_failed(pictures, TRY_AGAIN, "ComfyUI did not answer in time");
}

static void ask(struct pictures *pictures, enum asked asked, const char *method, struct str path,
                struct str body, size_t answer_bytes_max)
{
    static const struct http_fetch_events events = {on_head, on_piece, on_done};
    static const struct http_header json = {{"content-type", 12}, {"application/json", 16}};
    struct hall *hall = pictures->hall;
    ASSERT(pictures->fetch == NULL);
    pictures->asked = asked;
    pictures->status = 0;
    buf_release(&pictures->body);
    buf_init(&pictures->body, answer_bytes_max);
    struct str url =
        arena_printf(&pictures->arena, "%.*s%.*s", STR_ARGS(pictures->base), STR_ARGS(path));
    struct http_fetch_request request = {.method = method,
                                         .url = url,
                                         .headers = &json,
                                         .header_count = body.at ? 1 : 0,
                                         .body = body,
                                         .connect_ms = CONNECT_MS};
    int64_t wait_s = MIN((int64_t)REQUEST_S_MAX, hall->links.settings->comfyui_timeout_s);
    pictures->fetch = http_fetch_start(pictures->client, &request, &events, pictures);
    deadline_set(hall->loop, &pictures->late, loop_now_us(hall->loop) + wait_s * 1000000);
}

static void ask_history(struct pictures *pictures, enum asked asked)
{
    struct str path =
        arena_printf(&pictures->arena, "/history/%.*s", STR_ARGS(pictures->row.prompt_id));
    ask(pictures, asked, "GET", path, (struct str){0}, COMFYUI_ANSWER_BYTES_MAX);
}

/* A version 4 UUID (RFC 9562), which is what ComfyUI takes for an ID. */
static struct str new_id(struct arena *arena)
{
    unsigned char bytes[16];
    char hex[33];
    random_bytes(bytes, sizeof(bytes));
    bytes[6] = (unsigned char)((bytes[6] & 0x0f) | 0x40);
    bytes[8] = (unsigned char)((bytes[8] & 0x3f) | 0x80);
    hex_write(hex, bytes, sizeof(bytes));
    return arena_printf(arena, "%.8s-%.4s-%.4s-%.4s-%.12s", hex, hex + 8, hex + 12, hex + 16,
                        hex + 20);
}

static void ask_to_make(struct pictures *pictures)
{
    struct picture_row *row = &pictures->row;
    enum picture_state from = row->state;
    row->state = PICTURE_PROCESSING;
    row->prompt_id = new_id(&pictures->arena);
    if (!save(pictures, from)) return;
    struct buf body;
    buf_init(&body, 4 * COMFYUI_WORKFLOW_BYTES_MAX);
    comfyui_write_prompt(&body, buf_str(&pictures->workflow), row->prompt, row->seed,
                         row->prompt_id);
    if (body.failed) {
        try_failed(pictures, TRY_NEVER, "the workflow with its prompt is too large");
    } else {
        ask(pictures, ASKED_TO_MAKE, "POST", STR("/prompt"), buf_str(&body),
            COMFYUI_ANSWER_BYTES_MAX);
    }
    buf_release(&body);
}

static void poll_later(struct pictures *pictures)
{
    pictures->asked = ASKED_NOTHING;
    timer_start(pictures->poll, pictures->poll_ms, 0);
    pictures->poll_ms = MIN(pictures->poll_ms * 3 / 2, (uint64_t)POLL_MS_MAX);
}

static void on_made(struct pictures *pictures)
{
    char id[COMFYUI_ID_BYTES_MAX];
    struct why why;
    enum err err = comfyui_read_accepted(pictures->status, buf_str(&pictures->body), id, &why);
    if (err) {
        try_failed(pictures, err == ERR_INVALID ? TRY_NEVER : TRY_AGAIN, why.text);
        return;
    }
    if (!str_eq(str_of(id), pictures->row.prompt_id)) { /* an older one, with IDs of its own */
        pictures->row.prompt_id = arena_copy(&pictures->arena, str_of(id));
        if (!save(pictures, PICTURE_PROCESSING)) return;
    }
    poll_later(pictures);
}

static void fetch_image(struct pictures *pictures, const struct comfyui_image *image)
{
    struct buf path;
    buf_init(&path, URL_BYTES_MAX);
    comfyui_write_view(&path, image);
    uint64_t bytes_max = (uint64_t)pictures->hall->links.settings->image_bytes_max;
    ask(pictures, ASKED_TO_SHOW, "GET", buf_str(&path), (struct str){0}, (size_t)bytes_max);
    buf_release(&path);
}

static void on_history(struct pictures *pictures)
{
    enum comfyui_progress progress;
    struct comfyui_image image;
    struct why why;
    enum err err = comfyui_read_history(pictures->status, buf_str(&pictures->body),
                                        pictures->row.prompt_id, &progress, &image, &why);
    if (err) {
        try_failed(pictures, TRY_AGAIN, why.text);
    } else if (progress == COMFYUI_DONE) {
        fetch_image(pictures, &image);
    } else if (pictures->asked == ASKED_WHETHER_DONE) {
        ask(pictures, ASKED_WHETHER_QUEUED, "GET", STR("/queue"), (struct str){0},
            COMFYUI_ANSWER_BYTES_MAX);
    } else {
        poll_later(pictures);
    }
}

static void on_queue(struct pictures *pictures)
{
    if (comfyui_is_queued(pictures->status, buf_str(&pictures->body), pictures->row.prompt_id)) {
        poll_later(pictures);
    } else {
        ask_to_make(pictures);
    }
}

/* --- the picture is here --- */

static void work_import(struct job *job, void *own)
{
    (void)own;
    struct import *import = CONTAINER_OF(job, struct import, job);
    char path[32];
    int fd = memfd_create("picture", MFD_CLOEXEC);
    if (fd >= 0 && file_write(fd, buf_str(&import->bytes))) {
        snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
        import->err = shelf_import(path, import->upload_dir, "images", SHELF_MADE_PREFIX,
                                   &import->limits, &import->picture, &import->why);
    } else {
        import->err = shelf_failed(&import->why, "cannot keep a picture");
    }
    if (fd >= 0) close(fd);
    loop_post(import->loop, &import->back);
}

struct adding {
    struct pictures *pictures;
    struct picture_row row;
    const struct picture *picture;
    struct arena arena;
    struct act act;
};

/* All of it or nothing: the post's picture, the file's record, the row. */
static enum err apply_picture(void *ctx, struct db *db, struct why *why)
{
    struct adding *adding = ctx;
    const struct hall *hall = adding->pictures->hall;
    const struct picture_row *row = &adding->row;
    const struct picture *picture = adding->picture;
    arena_reset(&adding->arena);
    act_init(&adding->act, db, &adding->arena, clock_wall_us(), row->character, ROLE_RESIDENT);
    struct file_record file = {.name = str_of(picture->name),
                               .kind = STR("image"),
                               .owner = row->character,
                               .bytes = picture->bytes,
                               .width = picture->width,
                               .height = picture->height,
                               .created_us = adding->act.now_us};
    enum err err = pictures_fence(db, hall->row.id, hall->row.fence, why);
    if (!err) err = files_add(db, &file, why);
    if (!err) {
        err = talk_add_picture(&adding->act, row->post, row->result_path,
                               hall->links.settings->upload_dir, why);
    }
    if (!err) err = pictures_save(db, row, PICTURE_PROCESSING, adding->act.now_us, why);
    return err ? err : act_store(&adding->act, why);
}

static void add_to_post(struct pictures *pictures, const struct picture *picture)
{
    struct hall *hall = pictures->hall;
    struct adding adding = {.pictures = pictures, .row = pictures->row, .picture = picture};
    adding.row.state = PICTURE_COMPLETED;
    adding.row.error = (struct str){0};
    adding.row.result_path = arena_printf(&pictures->arena, "/files/images/%s", picture->name);
    struct why why;
    enum err err = store_write(hall->links.store, hall->db, apply_picture, &adding, &why);
    if (!err) {
        act_publish(&adding.act, hall->links.hub);
        count_states(pictures);
        let_go(pictures);
    } else if (err_is_of_store(err)) {
        log_warn("pictures.store", "picture=%llu reason=\"%s\"",
                 (unsigned long long)pictures->row.id, why.text);
        let_go(pictures); /* still processing: it is fetched again */
    } else {
        /* The post has gone, or has a picture. When it is the town that has gone, or somebody was
         * faster, this does not go in either. */
        try_failed(pictures, TRY_NEVER, why.text);
    }
    arena_release(&adding.arena);
}

static void import_free(struct import *import)
{
    buf_release(&import->bytes);
    mem_free(import);
}

static void import_done(struct task *task)
{
    struct import *import = CONTAINER_OF(task, struct import, back);
    struct pictures *pictures = import->owner;
    if (pictures) {
        pictures->import = NULL;
        if (!import->err) {
            add_to_post(pictures, &import->picture);
        } else {
            char sentence[sizeof(import->why.text) + 40];
            snprintf(sentence, sizeof(sentence), "what ComfyUI made cannot be used: %s",
                     import->why.text);
            try_failed(pictures, TRY_AGAIN, sentence);
        }
    }
    import_free(import);
}

static void on_shown(struct pictures *pictures)
{
    const struct settings *settings = pictures->hall->links.settings;
    if (pictures->status != 200) {
        char sentence[80];
        snprintf(sentence, sizeof(sentence), "ComfyUI does not give its picture: status %d",
                 pictures->status);
        try_failed(pictures, TRY_AGAIN, sentence);
        return;
    }
    struct import *import = NEW(struct import);
    *import = (struct import){.job.work = work_import,
                              .back.run = import_done,
                              .owner = pictures,
                              .loop = pictures->hall->loop,
                              .upload_dir = settings->upload_dir,
                              .limits = {.bytes_max = (uint64_t)settings->image_bytes_max,
                                         .pixels_max = (uint64_t)settings->image_pixels_max},
                              .bytes = pictures->body};
    buf_init(&pictures->body, COMFYUI_ANSWER_BYTES_MAX);
    pictures->asked = ASKED_NOTHING;
    pictures->import = import;
    if (workers_submit(pictures->workers, &import->job)) return;
    pictures->import = NULL;
    import_free(import);
    try_failed(pictures, TRY_AGAIN, "earlier pictures are still being decoded");
}

static void answered(struct pictures *pictures)
{
    switch (pictures->asked) {
    case ASKED_NOTHING: ASSERT(false); break;
    case ASKED_WHETHER_DONE:
    case ASKED_HOW_FAR: on_history(pictures); break;
    case ASKED_WHETHER_QUEUED: on_queue(pictures); break;
    case ASKED_TO_MAKE: on_made(pictures); break;
    case ASKED_TO_SHOW: on_shown(pictures); break;
    case ASKED_TO_FORGET:
        try_failed(pictures, TRY_NEVER, "the post it was for has been deleted");
        break;
    }
}

/* --- one after the other --- */

/* The post was deleted meanwhile: ComfyUI need not make it. */
static void give_up(struct pictures *pictures)
{
    struct str body = arena_printf(&pictures->arena, "{\"delete\":[\"%.*s\"]}",
                                   STR_ARGS(pictures->row.prompt_id));
    ask(pictures, ASKED_TO_FORGET, "POST", STR("/queue"), body, COMFYUI_ANSWER_BYTES_MAX);
}

static void on_poll(void *ctx)
{
    struct pictures *pictures = ctx;
    struct picture_row now;
    struct arena arena = {0};
    struct why why;
    if (!pictures->busy) return;
    enum err err = pictures_load(pictures->hall->db, &arena, pictures->row.id, &now, &why);
    arena_release(&arena);
    if (err) { /* the resident has gone with all that is theirs; or the store is not well */
        let_go(pictures);
    } else if (now.post.value == 0) {
        give_up(pictures);
    } else if (loop_now_us(pictures->hall->loop) > pictures->until_us) {
        try_failed(pictures, TRY_AGAIN, "ComfyUI did not finish the picture in time");
    } else {
        ask_history(pictures, ASKED_HOW_FAR);
    }
}

static void begin(struct pictures *pictures)
{
    struct hall *hall = pictures->hall;
    const struct picture_row *row = &pictures->row;
    pictures->busy = true;
    pictures->until_us =
        loop_now_us(hall->loop) + hall->links.settings->comfyui_timeout_s * INT64_C(1000000);
    pictures->poll_ms = POLL_MS_FIRST;
    if (row->post.value == 0) {
        try_failed(pictures, TRY_NEVER, "the post it was for has been deleted");
    } else if (row->state == PICTURE_PROCESSING && row->prompt_id.len > 0) {
        ask_history(pictures, ASKED_WHETHER_DONE);
    } else {
        ask_to_make(pictures);
    }
}

void pictures_go_on(struct pictures *pictures)
{
    if (!pictures || pictures->busy) return;
    struct hall *hall = pictures->hall;
    int64_t now_us = clock_mono_us();
    if (pictures->looked_us && now_us - pictures->looked_us < LOOK_EVERY_US) return;
    if (pictures->looked_us == 0) count_states(pictures);
    pictures->looked_us = now_us;
    arena_reset(&pictures->arena);
    struct why why;
    enum err err = pictures_next(hall->db, &pictures->arena, clock_wall_us(), &pictures->row, &why);
    if (!err) {
        begin(pictures);
    } else if (err != ERR_NOT_FOUND) {
        log_warn("pictures.look", "reason=\"%s\"", why.text);
    }
}

/* --- beginning and end --- */

enum err pictures_open(struct hall *hall, struct pictures **pictures_out, struct why *why)
{
    const struct settings *settings = hall->links.settings;
    *pictures_out = NULL;
    struct str base = settings->comfyui_url;
    if (base.len == 0) return OK;
    while (base.len > 0 && base.at[base.len - 1] == '/') base.len--;
    enum err err = comfyui_check_address(base, why);
    if (err) return err;
    struct pictures *pictures = NEW(struct pictures);
    pictures->hall = hall;
    pictures->base = base;
    list_init(&pictures->late.link);
    pictures->late.fired = on_late;
    buf_init(&pictures->body, COMFYUI_ANSWER_BYTES_MAX);
    err = comfyui_load_workflow(settings->comfyui_workflow, &pictures->workflow, why);
    if (!err)
        err = workers_open(1, 4, (struct workers_hooks){.niceness = 5}, &pictures->workers, why);
    if (err) {
        buf_release(&pictures->workflow);
        mem_free(pictures);
        return err;
    }
    pictures->client = http_client_open(hall->loop);
    pictures->poll = timer_new(hall->loop, on_poll, pictures);
    *pictures_out = pictures;
    return OK;
}

void pictures_drop(struct pictures *pictures)
{
    if (pictures) let_go(pictures);
}

void pictures_close(struct pictures *pictures)
{
    if (!pictures) return;
    let_go(pictures);
    workers_close(pictures->workers);
    http_client_close(pictures->client);
    timer_free(pictures->poll);
    buf_release(&pictures->workflow);
    buf_release(&pictures->body);
    arena_release(&pictures->arena);
    mem_free(pictures);
}
