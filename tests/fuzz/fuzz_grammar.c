/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * tests/fuzz/fuzz_grammar.c: any bytes as a grammar of the offline engine, alone and added to a
 * small sound one.
 *
 * Held: a refusal has a sentence; whatever is accepted says something, in valid UTF-8 and within
 * the length of its task, in every language, for every task, with and without facts.
 */
#include "base/utf8.h"
#include "llm/grammar.h"
#include "llm/offline.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char small[] =
    "zh chat\n 一\nzh reply\n 二\nzh greet\n 三\nzh post\n 四\nzh comment\n 五\nzh reflect\n 六\n"
    "zh title\n 七\nen chat\n One\nen reply\n Two\nen greet\n Three\nen post\n Four\nen comment\n"
    " Five\nen reflect\n Six\nen title\n Seven\nhears thanks = thanks, 谢谢\n";

static void check_answers(const struct offline *offline)
{
    static const struct llm_message message = {.role = LLM_USER, .text = {"Thanks. 谢谢?", 14}};
    for (unsigned i = 0; i < TASK_COUNT * LANGUAGE_COUNT * 2; i++) {
        struct llm_scene scene = {.task = (enum llm_task)(i % TASK_COUNT),
                                  .language = str_of(language_names[i / TASK_COUNT % 2]),
                                  .hour = -1};
        if (i >= TASK_COUNT * LANGUAGE_COUNT) {
            scene.name = STR("Ann");
            scene.topic = STR("咖啡");
            scene.mood = STR("happy");
        }
        struct offline_request request = {&message, i % 2, &scene, i};
        struct buf text;
        buf_init(&text, 1 << 16);
        offline_write(offline, &request, &text);
        ASSERT(!text.failed && text.len > 0 && utf8_valid(buf_str(&text)));
        ASSERT(utf8_count(buf_str(&text)) <= task_points_max[scene.task]);
        buf_release(&text);
    }
}

static void check_grammar(struct str text)
{
    struct offline *offline = NULL;
    struct why why = {{0}, NULL, NULL};
    enum err err = offline_read(text, "fuzz", &offline, &why);
    if (err) {
        ASSERT(err == ERR_INVALID && offline == NULL && why.text[0] != '\0');
        ASSERT(utf8_valid(str_of(why.text)));
        return;
    }
    check_answers(offline);
    offline_free(offline);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buf whole;
    buf_init(&whole, sizeof(small) + size);
    buf_add(&whole, small, sizeof(small) - 1);
    buf_add(&whole, data, size);
    check_grammar((struct str){(const char *)data, size});
    check_grammar(buf_str(&whole));
    buf_release(&whole);
    return 0;
}
