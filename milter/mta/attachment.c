/* SPDX-License-Identifier: BSD-2-Clause */
#include "mta/attachment.h"

#include "base/endpoint.h"
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

/* To be called before the mail server asks us: otherwise our first answers would be refusals. */
static void reload_daemon(const struct mta_request *request)
{
    char command[UNIT_COMMAND_SIZE];
    pid_t pid = unit_find_daemon(request->settings);
    if (!(pid > 1 && kill(pid, SIGHUP) == 0) && !unit_reload(request->settings))
        request->warn("milter-moved has to read its configuration again: %s",
                      unit_command(command, UNIT_RELOAD, request->settings));
}

static void say_copies(const struct attachment *a, const struct file_change *change)
{
    char pattern[PATH_MAX + 8];
    glob_t found;
    snprintf(pattern, sizeof pattern, "%s.2*Z", change->path);
    if (!a->request->detaches && change->copy != NULL)
        a->request->say("kept: %s\n", change->copy);
    if (!a->request->detaches || glob(pattern, 0, NULL, &found) != 0)
        return;
    for (size_t i = 0; i < found.gl_pathc; i++) /* those of attach too */
        a->request->say("kept: %s\n", found.gl_pathv[i]);
    globfree(&found);
}

int attachment_carry_out(struct attachment *a,
                         int (*activate)(void *data, bool taken_back, struct error *err),
                         void *data, struct error *err)
{
    const struct mta_request *request = a->request;
    struct error second;
    if (a->changes.count == 0) {
        if (!a->is_step)
            request->say("%s: nothing to change.\n",
                         a->request->detaches ? "Not attached" : "Attached already");
        if (!a->is_unread)
            return 0;
        request->warn("the mail server has not read its files since they were changed%s",
                      request->dry_run ? "" : ", and is reloaded");
        return request->dry_run ? 0 : activate(data, false, err);
    }
    char *diff = file_changes_diff(&a->changes, err);
    if (diff == NULL)
        return -1;
    int answer = request->confirm(diff, request->data, err);
    free(diff);
    if (answer != 0)
        return answer < 0 ? -1 : 0;
    if (file_changes_apply(&a->changes, err) != 0)
        return -1;
    if (request->observe)
        reload_daemon(request);
    if (activate(data, false, err) != 0) {
        if (file_changes_take_back(&a->changes, &second) != 0)
            request->warn("%s", second.text);
        else
            request->warn("the change was taken back");
        (void)activate(data, true, &second);
        if (request->observe)
            reload_daemon(request); /* its configuration no longer says that it observes */
        return -1;
    }
    if (attachment_unsets(a, "mode = ")) /* only now: the mail server no longer asks it */
        reload_daemon(request);
    file_changes_settle(&a->changes);
    for (size_t i = 0; i < a->changes.count; i++)
        say_copies(a, &a->changes.files[i]);
    request->say("%s\n", a->is_step ? ""
                         : a->request->detaches
                             ? "Detached. Unless another mail server asks it, milter-moved can be "
                               "stopped now."
                             : "Attached. movedctl doctor shows what a sender now gets.");
    return 0;
}

/* ---- our own configuration */

/* What attach can set there. */
static const char *const keys[] = {"socket", "lookup_socket", "mode"};
#define KEYS (sizeof keys / sizeof *keys)

/* The key that the line sets; KEYS for another one. */
static size_t find_key(const char *line)
{
    size_t key = 0, length = strcspn(line, " ");
    while (key < KEYS && (strlen(keys[key]) != length || strncmp(line, keys[key], length) != 0))
        key++;
    return key;
}

/* Copies a line, "socket = "..."; # postfix sendmail": it tells which servers need it, and goes with the last of them. Another
 * value is for a server that has the line to itself: the others would lose us. */
static int copy_line(FILE *out, const char *line, const char *value, const struct attachment *a,
                     struct error *err)
{
    char set[ENDPOINT_TEXT_SIZE + 32], *others = NULL;
    const char *list = strstr(line, "; #"), *text = value == NULL ? line : set;
    size_t size, word, length = list == NULL ? strlen(line) : (size_t)(list - line);
    int rc = 0;
    FILE *names = open_memstream(&others, &size);
    if (names == NULL)
        return error_no_memory(err);
    for (const char *at = list == NULL ? "" : list + strlen("; #"); *at != '\0'; at += word) {
        at += strspn(at, " ");
        word = strcspn(at, " ");
        if (word > 0 && (strlen(a->server) != word || strncmp(at, a->server, word) != 0))
            fprintf(names, " %.*s", (int)word, at);
    }
    fclose(names);
    if (value != NULL)
        length = (size_t)snprintf(set, sizeof set, "%s = \"%s\"", keys[find_key(line)], value);
    if (*others != '\0' && strncmp(text, line, length) != 0)
        rc = error_set(err, EX_CONFIG,
                       "%.*s is set for%s: of the mail servers with one milter-moved only one may "
                       "be chrooted: set chroot to n for this one in master.cf",
                       (int)strcspn(line, ";"), line, others);
    else if (*others != '\0' || !a->request->detaches)
        fprintf(out, "%.*s%s #%s%s%s\n", (int)length, text,
                list == NULL && value == NULL ? "" : ";", others, a->request->detaches ? "" : " ",
                a->request->detaches ? "" : a->server);
    free(others);
    return rc;
}

/* Plans a new text of the part: its lines with or without this server, and with these values (NULL: none). */
static int change_part(struct attachment *a, const char *values[KEYS + 1], struct error *err)
{
    char path[PATH_MAX], *text = NULL;
    size_t size;
    const char *file = a->request->settings->file;
    file = file == NULL ? MILTER_MOVED_CONF : file;
    if (snprintf(path, sizeof path, "%s.d/" ATTACH_CONF, file) >= PATH_MAX)
        return error_set(err, EX_CONFIG, "%s: the path is too long", file);
    bool none = access(path, F_OK) != 0 && errno == ENOENT;
    char *old = none ? NULL : file_read(path, err);
    if (old == NULL && !none)
        return -1;
    FILE *out = open_memstream(&text, &size);
    if (out == NULL) {
        free(old);
        return error_no_memory(err);
    }
    int rc = 0;
    for (char *rest = old, *line; rc == 0 && (line = strsep(&rest, "\n")) != NULL;)
        if (*line != '\0') {
            size_t key = find_key(line);
            rc = copy_line(out, line, values[key], a, err);
            values[key] = NULL;
        }
    for (size_t key = 0; key < KEYS; key++)
        if (values[key] != NULL)
            fprintf(out, "%s = \"%s\"; # %s\n", keys[key], values[key], a->server);
    if (fclose(out) != 0)
        rc = error_no_memory(err);
    else if (rc == 0)
        rc = file_changes_add(&a->changes, path, size == 0 ? NULL : text, err);
    else
        error_at(err, path, 0);
    free(old);
    free(text);
    return rc;
}

bool attachment_unsets(const struct attachment *a, const char *line)
{
    for (size_t i = 0; i < a->changes.count; i++) {
        const struct file_change *change = &a->changes.files[i];
        if (strcmp(change->name, ATTACH_CONF) == 0 && change->old != NULL)
            return strstr(change->old, line) != NULL &&
                   (change->text == NULL || strstr(change->text, line) == NULL);
    }
    return false;
}

int attachment_forget(struct attachment *a, struct error *err)
{
    const char *values[KEYS + 1] = {NULL};
    if (change_part(a, values, err) != 0)
        return -1;
    return attachment_unsets(a, "socket = ")
               ? unit_forget_sockets(&a->changes, a->request->settings, err)
               : 0;
}

int attachment_share(struct attachment *a, const char *socket, const char *lookups,
                     struct error *err)
{
    const struct mta_request *request = a->request;
    bool observe = request->observe && request->settings->mode != MODE_OBSERVE && !a->is_step;
    const char *values[KEYS + 1] = {socket, lookups, observe ? "observe" : NULL};
    return change_part(a, values, err);
}

/* ---- the daemon */

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

int attachment_check_lookups(const struct attachment *a, const char *title, struct error *err)
{
    return *a->request->settings->lookup_socket != '\0'
               ? 0
               : error_set(err, EX_CONFIG,
                           "lookup_socket: is \"\": set it, or %s itself refuses mailboxes that "
                           "were removed",
                           title);
}

int attachment_check_daemon(const struct attachment *a, const char *socket, const char *lookups,
                            struct error *err)
{
    const struct settings *settings = a->request->settings;
    if (check_socket(socket, settings, err) == 0 && check_socket(lookups, settings, err) == 0 &&
        probe_stats(lookups, find_table, NULL, err) == 0)
        return 0;
    if (a->changes.count > 0 && !a->request->dry_run)
        return -1;
    a->request->warn("%s", err->text);
    return 0;
}
