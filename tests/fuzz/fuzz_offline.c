/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * tests/fuzz/fuzz_offline.c: any bytes as scene and conversation of the offline engine.
 *
 * The first line says the task, the hour and who speaks in which message; the others are the
 * scene's fields and then messages, valid UTF-8 or not. Held: the answer is not empty, valid
 * UTF-8, within the length of its task, the same a second time; its pieces make up the whole and
 * none begins inside a code point.
 */
#include "base/utf8.h"
#include "llm/grammar.h"
#include "llm/offline.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MESSAGES_MAX = 16 };

static void check_pieces(struct str text)
{
    size_t at = 0;
    while (at < text.len) {
        size_t end = offline_next_piece(text, at);
        ASSERT(end > at && end <= text.len);
        ASSERT(end == text.len || ((unsigned char)text.at[end] & 0xC0) != 0x80);
        at = end;
    }
}

static void check_answer(const struct offline *offline, const struct offline_request *request)
{
    struct buf first, second;
    buf_init(&first, 1 << 16);
    buf_init(&second, 1 << 16);
    offline_write(offline, request, &first);
    offline_write(offline, request, &second);
    enum llm_task task = request->scene ? request->scene->task : LLM_TASK_CHAT;
    ASSERT(!first.failed && first.len > 0 && utf8_valid(buf_str(&first)));
    ASSERT(utf8_count(buf_str(&first)) <= task_points_max[task]);
    ASSERT(str_eq(buf_str(&first), buf_str(&second)));
    check_pieces(buf_str(&first));
    buf_release(&first);
    buf_release(&second);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct offline *offline; /* parsed once; a test program */
    struct why why;
    if (offline == NULL && offline_open(&offline, &why) != OK) __builtin_trap();

    struct str rest = {(const char *)data, size}, head = STR(""), line;
    struct llm_scene scene = {.hour = -1};
    struct llm_message messages[MESSAGES_MAX];
    struct str *fields[] = {&scene.language, &scene.name,    &scene.occupation,
                            &scene.traits,   &scene.partner, &scene.mood,
                            &scene.place,    &scene.topic,   &scene.weather};
    size_t fields_read = 0, count = 0;
    (void)!str_split(&rest, '\n', &head);
    while (count < MESSAGES_MAX && str_split(&rest, '\n', &line)) {
        if (fields_read < COUNT_OF(fields)) {
            *fields[fields_read++] = line;
            continue;
        }
        size_t at = 2 + count;
        unsigned role = at < head.len ? (unsigned char)head.at[at] % 4u : LLM_USER;
        messages[count++] = (struct llm_message){.role = (enum llm_role)role, .text = line};
    }
    if (head.len > 0) scene.task = (enum llm_task)((unsigned char)head.at[0] % TASK_COUNT);
    if (head.len > 1) scene.hour = (unsigned char)head.at[1] % 26 - 1;
    bool bare = head.len > 0 && head.at[0] == '-';
    struct offline_request request = {messages, count, bare ? NULL : &scene, size};
    check_answer(offline, &request);
    return 0;
}
