#include "mta/attachment.h"

#include "mta/conf_edit.h"
#include "mta/process.h"
#include "net/probe.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- carrying it out */

static int run_all(const char *const *const *argvs, struct error *err)
{
    for (; argvs != NULL && *argvs != NULL; argvs++) {
        char *printed = process_read(*argvs, err);
        if (printed == NULL)
            return -1;
        free(printed);
    }
    return 0;
}

/* Returns 0; or -1 with err and the files as they were. */
static int run_aftermath(const struct mta_request *request, struct file_changes *changes,
                         const struct aftermath *aftermath, struct error *err)
{
    struct error second;
    if ((aftermath->first == NULL || aftermath->first(aftermath->data, err) == 0) &&
        run_all(aftermath->checks, err) == 0 && run_all(aftermath->reloads, err) == 0)
        return 0;
    if (file_changes_take_back(changes, &second) != 0)
        request->warn("%s", second.text);
    else
        request->warn("the change was taken back");
    (void)run_all(aftermath->reloads, &second);
    return -1;
}

/* Before the mail server asks us: otherwise our first answers would be refusals. */
static void reload_daemon(const struct mta_request *request)
{
    char path[32], name[32] = "";
    pid_t pid = probe_listener(request->settings->lookup_socket);
    snprintf(path, sizeof path, "/proc/%d/comm", (int)pid);
    FILE *file = pid > 1 ? fopen(path, "re") : NULL;
    bool ours = file != NULL && fgets(name, sizeof name, file) != NULL &&
                strcmp(name, "milter-moved\n") == 0;
    if (file != NULL)
        fclose(file);
    if (!ours || kill(pid, SIGHUP) != 0)
        request->warn(
            "milter-moved has to read its configuration again: systemctl reload milter-moved");
}

int attachment_carry_out(const struct mta_request *request, struct file_changes *changes,
                         const struct aftermath *aftermath, const char *nothing, const char *done,
                         struct error *err)
{
    if (changes->count == 0) {
        request->say("%s\n", nothing);
        return 0;
    }
    char *diff = file_changes_diff(changes, err);
    if (diff == NULL)
        return -1;
    int answer = request->confirm(diff, request->data, err);
    free(diff);
    if (answer != 0)
        return answer < 0 ? -1 : 0;
    if (file_changes_apply(changes, err) != 0)
        return -1;
    if (request->observe)
        reload_daemon(request);
    if (run_aftermath(request, changes, aftermath, err) != 0)
        return -1;
    for (size_t i = 0; i < changes->count; i++)
        if (changes->files[i].copy != NULL)
            request->say("kept: %s\n", changes->files[i].copy);
    request->say("%s\n", done);
    return 0;
}

/* ---- our own configuration */

int attachment_set_key(const struct mta_request *request, struct file_changes *changes,
                       const char *key, const char *value, struct error *err)
{
    const char *path =
        request->settings->file == NULL ? MILTER_MOVED_CONF : request->settings->file;
    char *old = request->settings->file == NULL ? strdup("") : file_read(path, err);
    if (old == NULL)
        return -1;
    char *text = conf_edit_set(old, key, value);
    free(old);
    if (text == NULL)
        return error_set(err, EX_OSERR, "out of memory");
    return file_changes_add(changes, path, text, err);
}

int attachment_mode(const struct mta_request *request, struct file_changes *changes,
                    struct error *err)
{
    if (!request->observe || request->settings->mode == MODE_OBSERVE)
        return 0;
    return attachment_set_key(request, changes, "mode", "observe", err);
}

/* ---- blocks */

static bool is_marker(const char *line, const char *comment, const char *marker)
{
    size_t length = strlen(comment);
    line += strspn(line, " \t");
    return strncmp(line, comment, length) == 0 &&
           strncmp(line + length, marker, strlen(marker)) == 0;
}

char *attachment_strip(const char *text, const char *comment)
{
    char *out = malloc(strlen(text) + 1), *end = out;
    bool ours = false;
    if (out == NULL)
        return NULL;
    while (*text != '\0') {
        size_t length = strcspn(text, "\n");
        bool ends = is_marker(text, comment, ATTACH_END);
        ours = ours || is_marker(text, comment, ATTACH_BEGIN);
        if (ours && end > out && is_marker(text, comment, ATTACH_BEGIN ATTACH_NEWLINE))
            end--;
        length += text[length] == '\n';
        if (!ours && !ends) {
            memcpy(end, text, length);
            end += length;
        }
        ours = ours && !ends;
        text += length;
    }
    *end = '\0';
    return out;
}
