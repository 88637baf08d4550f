/* SPDX-License-Identifier: BSD-2-Clause */
#include "mta/attachment.h"

#include "mta/process.h"
#include "mta/unit.h"
#include "net/probe.h"

#include <errno.h>
#include <glob.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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
    char command[UNIT_COMMAND_SIZE];
    pid_t pid = unit_find_daemon(request->settings);
    if (!(pid > 1 && kill(pid, SIGHUP) == 0) && !unit_reload(request->settings))
        request->warn("milter-moved has to read its configuration again: %s",
                      unit_command(command, UNIT_RELOAD, request->settings));
}

static void say_copies(const struct mta_request *request, const struct file_change *change,
                       bool all)
{
    char pattern[PATH_MAX + 8];
    glob_t found;
    snprintf(pattern, sizeof pattern, "%s.2*Z", change->path);
    if (!all && change->copy != NULL)
        request->say("kept: %s\n", change->copy);
    if (!all || glob(pattern, 0, NULL, &found) != 0)
        return;
    for (size_t i = 0; i < found.gl_pathc; i++)
        request->say("kept: %s\n", found.gl_pathv[i]);
    globfree(&found);
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
    if (run_aftermath(request, changes, aftermath, err) != 0) {
        if (request->observe)
            reload_daemon(request); /* it observes, and its configuration no longer says so */
        return -1;
    }
    if (attachment_unsets(changes, "mode = ")) /* likewise: no sooner */
        reload_daemon(request);
    file_changes_settle(changes);
    for (size_t i = 0; i < changes->count; i++)
        say_copies(request, &changes->files[i], aftermath->names_all_copies);
    request->say("%s\n", done);
    return 0;
}

/* ---- our own configuration */

static int part_path(char out[PATH_MAX], const struct mta_request *request, struct error *err)
{
    const char *file =
        request->settings->file == NULL ? MILTER_MOVED_CONF : request->settings->file;
    int length = snprintf(out, PATH_MAX, "%s.d/" ATTACH_CONF, file);
    return length < PATH_MAX ? 0 : error_set(err, EX_CONFIG, "%s: the path is too long", file);
}

/* Returns 0 with *out, the lines of the part, "" if there is no file; or -1 with err. */
static int read_part(char **out, const char *path, struct error *err)
{
    *out = access(path, F_OK) != 0 && errno == ENOENT ? strdup("") : file_read(path, err);
    return *out == NULL ? -1 : 0;
}

/* Writes the servers of a list but this one, and this one where it is with them. */
static void write_servers(char *out, size_t size, const char *list, size_t length,
                          const char *server, bool with)
{
    char copy[64], *rest = copy;
    snprintf(copy, sizeof copy, "%.*s", (int)length, list);
    *out = '\0';
    for (const char *name; (name = strsep(&rest, " ")) != NULL;)
        if (*name != '\0' && strcmp(name, server) != 0)
            snprintf(out + strlen(out), size - strlen(out), " %s", name);
    if (with)
        snprintf(out + strlen(out), size - strlen(out), " %s", server);
}

/* Copies the lines, "socket = "..."; # postfix": each tells which servers need it, and goes with the last. That of key
 * gets the value. Returns whether there is one. */
static bool copy_lines(FILE *out, const char *text, const char *server, bool with, const char *key,
                       const char *value)
{
    static const char mark[] = "; #";
    bool found = false;
    for (const char *end; *text != '\0'; text = end + (*end == '\n')) {
        char servers[64];
        end = text + strcspn(text, "\n");
        const char *at = memmem(text, (size_t)(end - text), mark, strlen(mark));
        const char *list = at == NULL ? end : at + strlen(mark);
        write_servers(servers, sizeof servers, list, (size_t)(end - list), server, with);
        bool is_key =
            key != NULL && strncmp(text, key, strlen(key)) == 0 && text[strlen(key)] == ' ';
        found = found || is_key;
        if (*servers == '\0')
            continue;
        if (is_key)
            fprintf(out, "%s = \"%s\"", key, value);
        else
            fprintf(out, "%.*s", (int)((at == NULL ? end : at) - text), text);
        fprintf(out, "%s%s\n", at == NULL && !is_key ? " #" : mark, servers);
    }
    return found;
}

/* Plans a new text of the part: its lines with or without this server, and with this value of key (NULL: none). */
static int change_part(const struct mta_request *request, struct file_changes *changes,
                       const char *server, bool with, const char *key, const char *value,
                       struct error *err)
{
    char path[PATH_MAX], *old = NULL, *text = NULL;
    struct file_change *planned = NULL;
    size_t size = 0;
    if (part_path(path, request, err) != 0 || read_part(&old, path, err) != 0)
        return -1;
    for (size_t i = 0; i < changes->count; i++)
        if (strcmp(changes->files[i].name, ATTACH_CONF) == 0)
            planned = &changes->files[i];
    FILE *out = open_memstream(&text, &size);
    if (out != NULL &&
        !copy_lines(out, planned == NULL ? old : planned->text, server, with, key, value) &&
        key != NULL)
        fprintf(out, "%s = \"%s\"; # %s\n", key, value, server);
    free(old);
    if (out == NULL || fclose(out) != 0)
        return error_no_memory(err);
    if (size == 0) {
        free(text);
        text = NULL;
    }
    if (planned == NULL)
        return file_changes_add(changes, path, text, err);
    free(planned->text);
    planned->text = text;
    return 0;
}

int attachment_set_key(const struct mta_request *request, struct file_changes *changes,
                       const char *server, const char *key, const char *value, struct error *err)
{
    return change_part(request, changes, server, true, key, value, err);
}

bool attachment_unsets(const struct file_changes *changes, const char *line)
{
    for (size_t i = 0; i < changes->count; i++) {
        const struct file_change *change = &changes->files[i];
        if (strcmp(change->name, ATTACH_CONF) == 0 && change->old != NULL)
            return strstr(change->old, line) != NULL &&
                   (change->text == NULL || strstr(change->text, line) == NULL);
    }
    return false;
}

int attachment_forget(const struct mta_request *request, struct file_changes *changes,
                      const char *server, struct error *err)
{
    if (change_part(request, changes, server, false, NULL, NULL, err) != 0)
        return -1;
    return attachment_unsets(changes, "socket = ")
               ? unit_forget_sockets(changes, request->settings, err)
               : 0;
}

int attachment_share(const struct mta_request *request, struct file_changes *changes,
                     const char *server, struct error *err)
{
    bool observe = request->observe && request->settings->mode != MODE_OBSERVE;
    return change_part(request, changes, server, true, observe ? "mode" : NULL, "observe", err);
}

static int find_table(const char *name, const char *value, void *data, struct error *err)
{
    (void)data;
    if (strcmp(name, "table") != 0 || strcmp(value, "good") == 0)
        return 0;
    return error_set(err, EX_UNAVAILABLE,
                     "milter-moved cannot read its table, and would defer all mail: %s", value);
}

static int check_socket(const char *socket, const struct settings *settings, struct error *err)
{
    char command[UNIT_COMMAND_SIZE];
    int fd = probe_connect(socket, err);
    if (fd >= 0)
        return close(fd);
    return error_set(err, EX_UNAVAILABLE, "milter-moved does not answer on %s: start it: %s",
                     socket, unit_command(command, UNIT_START, settings));
}

int attachment_check_daemon(const struct mta_request *request, const struct file_changes *changes,
                            const char *socket, const char *lookups, struct error *err)
{
    int rc = check_socket(socket, request->settings, err);
    if (rc == 0)
        rc = check_socket(lookups, request->settings, err);
    if (rc == 0)
        rc = probe_stats(lookups, find_table, NULL, err);
    if (rc == 0 || (changes->count > 0 && !request->dry_run))
        return rc;
    request->warn("%s", err->text);
    return 0;
}
