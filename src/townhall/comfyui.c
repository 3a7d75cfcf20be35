/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "townhall/comfyui.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/json.h"
#include "base/utf8.h"
#include "http/url.h"

enum { SAID_BYTES_MAX = 200 };

enum err comfyui_check_address(struct str url, struct why *why)
{
    if (str_starts(url, STR("http://")) || str_starts(url, STR("https://"))) return OK;
    return why_set(why, ERR_INVALID, "the address of ComfyUI must begin with http:// or https://");
}

/* --- the workflow --- */

static enum err read_file(struct str path, struct buf *to, struct why *why)
{
    char name[4096];
    str_copy(name, sizeof(name), path);
    int fd = open(name, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return why_set(why, ERR_INVALID, "cannot read the workflow %s: %s", name, strerror(errno));
    }
    char bytes[16 * 1024];
    ssize_t got;
    while ((got = read(fd, bytes, sizeof(bytes))) > 0 && !to->failed)
        buf_add(to, bytes, (size_t)got);
    int failed = errno;
    close(fd);
    if (got < 0) {
        return why_set(why, ERR_INVALID, "cannot read the workflow %s: %s", name, strerror(failed));
    }
    if (!to->failed) return OK;
    return why_set(why, ERR_INVALID, "the workflow %s has more than %d bytes", name,
                   COMFYUI_WORKFLOW_BYTES_MAX);
}

/* Every member a node: {"class_type": …, "inputs": {…}}. What the editor saves is another form. */
static bool is_api_format(const struct json *tree)
{
    const struct json *node = json_first(tree);
    if (json_kind(tree) != JSON_OBJECT || !node) return false;
    for (; node; node = json_after(node)) {
        struct str type;
        const struct json *inputs = json_get(node, "inputs");
        if (!json_as_str(json_get(node, "class_type"), &type) || !inputs ||
            json_kind(inputs) != JSON_OBJECT)
            return false;
    }
    return true;
}

static enum err check_workflow(struct str path, struct str text, struct why *why)
{
    struct json *tree = NULL;
    size_t at = 0;
    struct why said;
    enum err err = json_parse(text, &tree, &at, &said);
    if (err) {
        return why_set(why, ERR_INVALID, "the workflow %.*s is no JSON (near byte %zu)",
                       STR_ARGS(path), at);
    }
    bool fine = is_api_format(tree);
    json_free(tree);
    if (!fine) {
        return why_set(why, ERR_INVALID,
                       "the workflow %.*s is not in API format; in ComfyUI: Workflow, Export (API)",
                       STR_ARGS(path));
    }
    if (str_find(text, STR("{{prompt}}")) < text.len) return OK;
    return why_set(why, ERR_INVALID,
                   "the workflow %.*s has no {{prompt}}: put it where the text of the picture goes",
                   STR_ARGS(path));
}

enum err comfyui_load_workflow(struct str path, struct buf *workflow_out, struct why *why)
{
    if (path.len == 0) {
        return why_set(why, ERR_INVALID,
                       "a ComfyUI is named but no workflow: set comfyui-workflow "
                       "(HUTONG_COMFYUI_WORKFLOW) to a file that ComfyUI's Export (API) wrote, "
                       "with {{prompt}} in it");
    }
    buf_init(workflow_out, COMFYUI_WORKFLOW_BYTES_MAX);
    enum err err = read_file(path, workflow_out, why);
    if (!err) err = check_workflow(path, buf_str(workflow_out), why);
    if (err) buf_release(workflow_out);
    return err;
}

/* --- asking --- */

/* As inside of a JSON string, without its quotes. */
static void add_escaped(struct buf *to, struct str text)
{
    struct buf quoted;
    buf_init(&quoted, text.len * 6 + 2);
    struct json_out out = json_begin(&quoted);
    json_put_str(&out, NULL, text);
    buf_add(to, quoted.at + 1, quoted.len - 2);
    buf_release(&quoted);
}

/*
 * In the text and not in a tree: numbers of a workflow go through unchanged, however long. In valid
 * JSON "{{" stands in strings alone.
 */
static void fill_in(struct buf *to, struct str workflow, struct str prompt, uint32_t seed)
{
    static const struct str quoted_seed = {"\"{{seed}}\"", 10};
    static const struct str plain_seed = {"{{seed}}", 8}, words = {"{{prompt}}", 10};
    while (workflow.len > 0) {
        size_t brace = str_find(workflow, STR("{{"));
        bool quoted = brace > 0 && brace < workflow.len &&
                      str_starts(str_from(workflow, brace - 1), quoted_seed);
        struct str rest = str_from(workflow, brace);
        buf_add_str(to, str_head(workflow, quoted ? brace - 1 : brace));
        if (rest.len == 0) return;
        if (quoted || str_starts(rest, plain_seed)) {
            buf_add_u64(to, seed);
            workflow = str_from(rest, plain_seed.len + quoted);
        } else if (str_starts(rest, words)) {
            add_escaped(to, prompt);
            workflow = str_from(rest, words.len);
        } else {
            buf_add_str(to, str_head(rest, 2));
            workflow = str_from(rest, 2);
        }
    }
}

void comfyui_write_prompt(struct buf *to, struct str workflow, struct str prompt, uint32_t seed,
                          struct str id)
{
    buf_add_str(to, STR("{\"prompt\":"));
    fill_in(to, workflow, prompt, seed);
    buf_printf(to, ",\"prompt_id\":\"%.*s\",\"client_id\":\"hutong\"}", STR_ARGS(id));
}

void comfyui_write_view(struct buf *to, const struct comfyui_image *image)
{
    buf_add_str(to, STR("/view?"));
    url_add_param(to, "filename", str_of(image->filename));
    url_add_param(to, "subfolder", str_of(image->subfolder));
    url_add_param(to, "type", str_of(image->type));
}

/* --- what it says --- */

/* One short line of a stranger's text. */
static void quote(char to[SAID_BYTES_MAX], struct str text)
{
    str_copy(to, SAID_BYTES_MAX, str_trim(text));
    for (char *at = to; *at; at++) {
        if ((unsigned char)*at < ' ' || *at == 0x7f) *at = ' ';
    }
}

/* The first thing it has against a node: "4 (CheckpointLoaderSimple): Value not in list: …". */
static bool find_node_error(const struct json *node_errors, char said[SAID_BYTES_MAX])
{
    const struct json *node = json_first(node_errors);
    if (!node || !json_name(node)) return false;
    const struct json *first = json_first(json_get(node, "errors"));
    struct str type = STR("?"), message = STR("refused"), details = STR("");
    (void)!json_as_str(json_get(node, "class_type"), &type);
    (void)!json_as_str(json_get(first, "message"), &message);
    (void)!json_as_str(json_get(first, "details"), &details);
    char text[3 * SAID_BYTES_MAX];
    snprintf(text, sizeof(text), "node %.20s (%.*s): %.*s %.*s", json_name(node),
             (int)MIN(type.len, 60), type.at, (int)MIN(message.len, 200), message.at,
             (int)MIN(details.len, 200), details.at);
    struct str whole = str_of(text);
    while (whole.len > 0 && !utf8_valid(whole)) whole.len--;
    quote(said, whole);
    return true;
}

static bool find_error(const struct json *tree, char said[SAID_BYTES_MAX])
{
    const struct json *error = json_get(tree, "error");
    struct str text;
    if (find_node_error(json_get(tree, "node_errors"), said)) return true;
    if (!json_as_str(error, &text) && !json_as_str(json_get(error, "message"), &text)) return false;
    quote(said, text);
    return true;
}

static enum err bad_status(int status, struct why *why)
{
    return why_set(why, ERR_UPSTREAM, "ComfyUI answered with status %d", status);
}

static bool is_plain_id(struct str id)
{
    for (size_t i = 0; i < id.len; i++) {
        char c = id.at[i];
        bool plain = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                     c == '-' || c == '_';
        if (!plain) return false;
    }
    return id.len > 0 && id.len < COMFYUI_ID_BYTES_MAX;
}

enum err comfyui_read_accepted(int status, struct str body, char id[COMFYUI_ID_BYTES_MAX],
                               struct why *why)
{
    struct json *tree = NULL;
    struct why said;
    char error[SAID_BYTES_MAX];
    struct str given;
    if (json_parse(body, &tree, NULL, &said) != OK) tree = NULL;
    enum err err = OK;
    bool complained = tree && find_error(tree, error);
    if (complained && (status == 200 || status == 400)) {
        err = why_set(why, ERR_INVALID, "ComfyUI refuses the workflow: %s", error);
    } else if (status != 200) {
        err = bad_status(status, why);
    } else if (!tree || !json_as_str(json_get(tree, "prompt_id"), &given) || !is_plain_id(given)) {
        err = why_set(why, ERR_UPSTREAM,
                      "what answers to POST /prompt is no ComfyUI: it gave no prompt_id");
    } else {
        str_copy(id, COMFYUI_ID_BYTES_MAX, given);
    }
    json_free(tree);
    return err;
}

static bool read_text(const struct json *value, char *to, size_t to_bytes)
{
    struct str text;
    if (!json_as_str(value, &text) || text.len >= to_bytes) return false;
    str_copy(to, to_bytes, text);
    return true;
}

/* The first that was saved; else the first preview. */
static bool find_image(const struct json *outputs, struct comfyui_image *image_out)
{
    bool found = false;
    for (const struct json *node = json_first(outputs); node; node = json_after(node)) {
        const struct json *images = json_get(node, "images");
        for (const struct json *one = json_first(images); one; one = json_after(one)) {
            struct comfyui_image image = {.type = "output"};
            if (!read_text(json_get(one, "filename"), image.filename, sizeof(image.filename)) ||
                image.filename[0] == '\0')
                continue;
            (void)!read_text(json_get(one, "subfolder"), image.subfolder, sizeof(image.subfolder));
            (void)!read_text(json_get(one, "type"), image.type, sizeof(image.type));
            bool saved = strcmp(image.type, "output") == 0;
            if (saved || !found) *image_out = image;
            if (saved) return true;
            found = true;
        }
    }
    return found;
}

/* "status": {"messages": [["execution_error", {"exception_message": …}]]} */
static bool find_exception(const struct json *status, char said[SAID_BYTES_MAX])
{
    const struct json *messages = json_get(status, "messages");
    for (const struct json *one = json_first(messages); one; one = json_after(one)) {
        const struct json *kind = json_first(one);
        struct str text;
        if (!json_as_str(kind, &text) || !str_eq(text, STR("execution_error"))) continue;
        if (!json_as_str(json_get(json_after(kind), "exception_message"), &text)) continue;
        quote(said, text);
        return true;
    }
    return false;
}

static enum err read_entry(const struct json *entry, enum comfyui_progress *progress_out,
                           struct comfyui_image *image_out, struct why *why)
{
    const struct json *status = json_get(entry, "status");
    struct str word = STR("");
    bool completed = true;
    char said[SAID_BYTES_MAX] = "it does not say why";
    (void)!json_as_str(json_get(status, "status_str"), &word);
    (void)!json_as_bool(json_get(status, "completed"), &completed);
    if (str_eq(word, STR("error"))) {
        (void)find_exception(status, said);
        return why_set(why, ERR_UPSTREAM, "ComfyUI failed: %s", said);
    }
    if (!completed) return OK;
    if (!find_image(json_get(entry, "outputs"), image_out)) {
        return why_set(why, ERR_UPSTREAM,
                       "ComfyUI is done and there is no picture: the workflow needs a SaveImage");
    }
    *progress_out = COMFYUI_DONE;
    return OK;
}

enum err comfyui_read_history(int status, struct str body, struct str id,
                              enum comfyui_progress *progress_out, struct comfyui_image *image_out,
                              struct why *why)
{
    *progress_out = COMFYUI_UNKNOWN;
    if (status != 200) return bad_status(status, why);
    struct json *tree = NULL;
    struct why said;
    if (json_parse(body, &tree, NULL, &said) != OK || json_kind(tree) != JSON_OBJECT) {
        json_free(tree);
        return why_set(why, ERR_UPSTREAM, "what ComfyUI says of the picture is no JSON object");
    }
    char name[COMFYUI_ID_BYTES_MAX + 40];
    str_copy(name, sizeof(name), id);
    const struct json *entry = json_get(tree, name);
    enum err err = entry ? read_entry(entry, progress_out, image_out, why) : OK;
    json_free(tree);
    return err;
}

bool comfyui_is_queued(int status, struct str body, struct str id)
{
    static const char *const queues[] = {"queue_running", "queue_pending"};
    struct json *tree = NULL;
    struct why why;
    bool found = false;
    if (status != 200 || json_parse(body, &tree, NULL, &why) != OK) return false;
    for (size_t i = 0; i < COUNT_OF(queues); i++) {
        const struct json *queue = json_get(tree, queues[i]);
        for (const struct json *one = json_first(queue); one; one = json_after(one)) {
            struct str given;
            const struct json *second = json_first(one) ? json_after(json_first(one)) : NULL;
            found = found || (json_as_str(second, &given) && str_eq(given, id));
        }
    }
    json_free(tree);
    return found;
}
