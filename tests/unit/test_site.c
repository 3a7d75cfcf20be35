/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "llm/site.h"

#include "unit.h"

enum { SECOND_US = 1000000 };

struct opened {
    struct arena arena;
    struct settings settings;
    struct llm *llm;
};

/* With no probes, and with what stands in `dotenv`. */
static void open_sites(struct opened *o, const char *dotenv)
{
    struct why why;
    *o = (struct opened){0};
    struct str text = arena_printf(&o->arena, "HUTONG_LLM_PROBE=off\n%s\n", dotenv);
    assert_int_equal(settings_load(&o->arena, &o->settings, NULL, 0, text, NULL, &why), OK);
    assert_int_equal(llm_open(&o->settings, &o->llm, &why), OK);
}

static void close_sites(struct opened *o)
{
    llm_free(o->llm);
    arena_release(&o->arena);
}

static void who_is_on_our_own_network_shows_in_the_address(void **state)
{
    (void)state;
    static const struct {
        const char *setting, *site;
        bool local;
    } cases[] = {
        {"HUTONG_LLM_SITES=lab=http://127.0.0.1:8000/v1", "lab", true},
        {"HUTONG_LLM_SITES=lab=http://me:pw@192.168.1.4/v1", "lab", true},
        {"HUTONG_LLM_SITES=lab=http://172.20.0.3:8000/v1", "lab", true},
        {"HUTONG_LLM_SITES=lab=http://172.15.0.3:8000/v1", "lab", false},
        {"HUTONG_LLM_SITES=lab=http://[::1]:8000/v1", "lab", true},
        {"HUTONG_LLM_SITES=lab=http://[fd00::4]:8000/v1", "lab", true},
        {"HUTONG_LLM_SITES=lab=http://[2001:db8::4]:8000/v1", "lab", false},
        {"HUTONG_LLM_SITES=lab=http://vllm:8000/v1", "lab", true},
        {"HUTONG_LLM_SITES=lab=http://GPU.local/v1", "lab", true},
        {"HUTONG_LLM_SITES=lab=http://gpu.lan:8000", "lab", true},
        {"HUTONG_LLM_SITES=lab=http://gpu.home.arpa", "lab", true},
        {"HUTONG_LLM_SITES=lab=http://host.docker.internal:8000/v1", "lab", true},
        {"HUTONG_LLM_SITES=lab=https://models.example.com/v1", "lab", false},
        {"HUTONG_LLM_SITES=lab=https://10.example.com/v1", "lab", false},
        {"HUTONG_LLM_SITES=lab=https://example.com/a.local", "lab", false},
        {"OLLAMA_HOST=http://ollama:11434", "ollama", true},
        {"OLLAMA_HOST=https://gpu.example.com", "ollama", true},
        {"OLLAMA_HOST=https://ollama.com", "ollama", false},
        {"HUTONG_LMSTUDIO_BASE=https://gpu.example.com/v1", "lmstudio", true},
        {"OPENAI_API_KEY=k", "openai", false},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct opened o;
        open_sites(&o, cases[i].setting);
        const struct llm_place *place = llm_find_place(o.llm, str_of(cases[i].site));
        if (place->site.local != cases[i].local) fail_msg("%s", cases[i].setting);
        assert_int_equal(place->clocks.first_us, (cases[i].local ? 300 : 60) * SECOND_US);
        close_sites(&o);
    }
}

static void models_that_think_have_longer(void **state)
{
    (void)state;
    static const struct {
        const char *model;
        bool thinks;
    } cases[] = {
        {"gpt-5-nano", true},
        {"o3", true},
        {"openai/o4-mini", true},
        {"deepseek-reasoner", true},
        {"deepseek/DeepSeek-R1", true},
        {"QwQ-32B", true},
        {"qwen3-30b-thinking", true},
        {"gemini-2.5-pro", true},
        {"gpt-4o", false},
        {"olmo-2", false},
        {"", false},
        {"gemini-2.5-flash", false},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        if (llm_model_thinks(str_of(cases[i].model)) != cases[i].thinks) {
            fail_msg("%s", cases[i].model);
        }
    }
    struct opened o;
    open_sites(&o, "OPENAI_API_KEY=k");
    const struct llm_clocks *clocks = &o.llm->places[0].clocks;
    assert_int_equal(clocks->thinking_first_us, 300 * SECOND_US);
    assert_int_equal(clocks->thinking_idle_us, 300 * SECOND_US);
    assert_int_equal(clocks->idle_us, 180 * SECOND_US);
    close_sites(&o);
    open_sites(&o, "OPENAI_API_KEY=k\nHUTONG_LLM_FIRST_TIMEOUT=7");
    assert_int_equal(o.llm->places[0].clocks.thinking_first_us, 7 * SECOND_US);
    close_sites(&o);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_is_on_our_own_network_shows_in_the_address),
        cmocka_unit_test(models_that_think_have_longer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
