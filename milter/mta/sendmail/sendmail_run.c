/* SPDX-License-Identifier: BSD-2-Clause */
#include "mta/sendmail/sendmail_run.h"

#include "mta/files.h"
#include "mta/process.h"
#include "mta/sendmail/sendmail_cf.h"
#include "net/io.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <utime.h>

/* ---- the makefile */

static bool is_target(const char *line, const char *name)
{
    size_t length = strlen(name);
    return strncmp(line, name, length) == 0 && line[length + strspn(line + length, " ")] == ':';
}

/* The makefile's target for the file; NULL if it has none. Debian's also has a target sendmail.cf, which
 * removes the file first. A rule for any .mc makes it of sendmail.mc (usual). */
static const char *find_target(const char *makefile, const char *cf_path, bool usual)
{
    const char *target = NULL;
    for (const char *line = makefile; *line != '\0'; line += *line == '\n') {
        if (is_target(line, cf_path))
            return cf_path;
        if (is_target(line, "sendmail.cf") ||
            (usual && (is_target(line, "%.cf") || is_target(line, ".mc.cf"))))
            target = "sendmail.cf";
        line += strcspn(line, "\n");
    }
    return target;
}

const char *sendmail_target(const char *folder, const char *mc_path, const char *cf_path)
{
    char path[PATH_MAX], usual[PATH_MAX];
    struct error none;
    snprintf(path, sizeof path, "%s/Makefile", folder);
    char *makefile = file_read(path, &none);
    snprintf(usual, sizeof usual, "%s/sendmail.mc", folder);
    const char *target =
        makefile == NULL ? NULL : find_target(makefile, cf_path, strcmp(mc_path, usual) == 0);
    free(makefile);
    return target;
}

int sendmail_make(const char *folder, const char *target, const char *cf_path, struct error *err)
{
    const char *const argv[] = {"make", "-s", "-C", folder, target, NULL};
    if (utime(cf_path, &(struct utimbuf){.modtime = 0}) != 0)
        return error_set(err, EX_UNAVAILABLE, "%s: %s", cf_path, strerror(errno));
    return process_check(argv, err);
}

/* ---- sendmail -bt */

int sendmail_try(const char *cf_path, struct error *err)
{
    const char *const argv[] = {"sendmail", "-C", cf_path, "-bt", NULL};
    struct output output;
    int rc = process_run(&output, argv, NULL, err);
    if (rc == 0 && output.status != 0) {
        const char *said = *output.err == '\0' ? output.out : output.err;
        rc = error_set(err, EX_UNAVAILABLE, "sendmail refuses it: exit status %d: %.*s",
                       output.status, (int)strcspn(said, "\n"), said);
    }
    process_free(&output);
    return rc;
}

/* Reads a line "check_rcpt       returns: ..." for each. Returns how many there are. */
static size_t read_results(const char *said, const char *ruleset, const char *words,
                           bool *found_words, size_t count)
{
    char returns[32];
    size_t found = 0;
    snprintf(returns, sizeof returns, "\n%-16.16s returns: ", ruleset);
    for (; found < count && (said = strstr(said, returns)) != NULL; found++) {
        said += strlen(returns);
        found_words[found] = memmem(said, strcspn(said, "\n"), words, strlen(words)) != NULL;
    }
    return found;
}

/* A client that no configuration knows: the address is one for documentation (RFC 5737). */
#define STRANGER                                                                                   \
    ".D{client_addr}198.51.100.1\n.D{client_name}stranger.invalid\n"                               \
    ".D{client_resolve}FAIL\n.D{mail_from}<>\n"

int sendmail_ask(bool *denied, const char *words, const char *cf_path, const char *ruleset,
                 const char *mailbox, const char *const *names, size_t count, struct error *err)
{
    const char *const argv[] = {"sendmail", "-C", cf_path, "-bt", NULL};
    struct output output = {.out = NULL};
    char *commands = NULL;
    size_t size;
    FILE *out = open_memstream(&commands, &size);
    if (out == NULL)
        return error_no_memory(err);
    fputs(STRANGER, out);
    for (size_t i = 0; i < count; i++)
        fprintf(out, "%s <%s%s>\n", ruleset, mailbox, names[i]);
    int rc = fclose(out) != 0 ? error_no_memory(err) : process_run(&output, argv, commands, err);
    if (rc == 0 && read_results(output.out, ruleset, words, denied, count) < count)
        rc = error_set(err, EX_UNAVAILABLE, "sendmail -C %s -bt: has no answer: %.*s", cf_path,
                       (int)strcspn(output.err, "\n"), output.err);
    free(commands);
    process_free(&output);
    return rc;
}

/* ---- the daemon */

#define RESTART_SECONDS 30 /* Sendmail itself tries for 50 to get a port that is taken */
#define ASK_AGAIN_MS    20

/* Whether the process catches SIGHUP: one that has just restarted would be ended by it. proc(5), SigCgt. */
static bool catches_hangup(pid_t pid)
{
    static const char key[] = "SigCgt:";
    char path[32];
    struct error err;
    snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
    char *status = file_read(path, &err);
    const char *at = status == NULL ? NULL : strstr(status, key);
    bool catches = at != NULL && (strtoull(at + strlen(key), NULL, 16) >> (SIGHUP - 1) & 1) != 0;
    free(status);
    return catches;
}

/* Sendmail makes the file once its ports are open. */
static bool is_written_again(const char *pid_path, const struct stat *before)
{
    struct stat now;
    return stat(pid_path, &now) == 0 && now.st_size > 0 &&
           (now.st_ino != before->st_ino || now.st_mtim.tv_sec != before->st_mtim.tv_sec ||
            now.st_mtim.tv_nsec != before->st_mtim.tv_nsec);
}

static int restart(pid_t pid, const char *pid_path, struct error *err)
{
    const struct timespec end = io_deadline(RESTART_SECONDS);
    struct stat before;
    while (!catches_hangup(pid) && process_is(pid, "sendmail") && io_milliseconds_left(&end) > 0)
        poll(NULL, 0, ASK_AGAIN_MS);
    if (!catches_hangup(pid) || stat(pid_path, &before) != 0 || kill(pid, SIGHUP) != 0)
        return error_set(err, EX_UNAVAILABLE, "Sendmail cannot be told of the change: restart it");
    while (!is_written_again(pid_path, &before) && io_milliseconds_left(&end) > 0)
        poll(NULL, 0, ASK_AGAIN_MS);
    return is_written_again(pid_path, &before)
               ? 0
               : error_set(err, EX_UNAVAILABLE,
                           "Sendmail was told to restart, and has not done so within %d s: see its "
                           "log, and restart it",
                           RESTART_SECONDS);
}

/* The running Sendmail, 0 if there is none, and the file that names it. */
static pid_t find_daemon(char path[PATH_MAX], const char *cf)
{
    struct error unheard;
    size_t length;
    const char *file = sendmail_find(cf, "O PidFile=", &length);
    snprintf(path, PATH_MAX, "%.*s", file == NULL ? 0 : (int)length, file == NULL ? "" : file);
    char *text = file_read(path, &unheard);
    pid_t pid = text == NULL ? 0 : (pid_t)strtol(text, NULL, 10);
    free(text);
    return process_is(pid, "sendmail") ? pid : 0;
}

bool sendmail_is_unread(const char *cf_path, const char *cf)
{
    char path[PATH_MAX];
    return find_daemon(path, cf) > 0 && file_is_newer(cf_path, path);
}

int sendmail_restart(const char *cf, struct error *err)
{
    char path[PATH_MAX];
    pid_t pid = find_daemon(path, cf);
    return pid > 0 ? restart(pid, path, err)
                   : error_set(err, EX_UNAVAILABLE,
                               "Sendmail is not running, or cannot be found: restart it");
}
