/* SPDX-License-Identifier: BSD-2-Clause */
#include "mta/sendmail/sendmail_cf.h"

#include "mta/process.h"
#include "mta/sendmail/sendmail_m4.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- making one */

int sendmail_find_mc(struct sendmail_source *out, const char *dir, struct error *err)
{
    char host[256] = "", *path = out->path;
    snprintf(path, sizeof out->path, "%s/sendmail.mc", dir);
    if (access(path, F_OK) == 0)
        return 0;
    (void)gethostname(host, sizeof host - 1);
    snprintf(path, sizeof out->path, "%s/%s.mc", dir, host);
    if (access(path, F_OK) == 0)
        return 0;
    return error_set(err, EX_NOINPUT, "%s: no sendmail.mc and no %s.mc: --mc names the file", dir,
                     host);
}

/* Sendmail's m4 files write where they are into each sendmail.cf, as a path from the folder where m4 ran. Returns whether
 * cf.m4 is there. */
static bool find_cf_dir(struct sendmail_source *source)
{
    char ran_in[PATH_MAX] = "", dir[PATH_MAX], path[2 * PATH_MAX + 16];
    const char *in = strstr(source->cf, "\n##### in ");
    const char *using = strstr(source->cf, "\n##### using ");
    if (using == NULL || sscanf(using, " ##### using %4095s", dir) != 1)
        return false;
    if (in != NULL)
        (void)sscanf(in, " ##### in %4095s", ran_in);
    snprintf(path, sizeof path, "%s%s%sm4/cf.m4", *dir == '/' ? "" : ran_in, *dir == '/' ? "" : "/",
             dir);
    if (access(path, R_OK) != 0 || strlen(path) >= sizeof source->cf_dir)
        return false;
    snprintf(source->cf_dir, sizeof source->cf_dir, "%.*s",
             (int)(strlen(path) - strlen("m4/cf.m4")), path);
    return true;
}

/* As the server's makefile does, in the folder of the .mc, which may include files by a relative path. */
static int run_m4(struct output *out, const struct sendmail_source *source, const char *mc,
                  struct error *err)
{
    char folder[PATH_MAX], define[PATH_MAX + 16], cf_m4[PATH_MAX + 16];
    static const char script[] = "cd \"$0\" && exec m4 \"$@\"";
    const char *const alone[] = {"sh", "-c", script, folder, NULL};
    const char *const with[] = {"sh", "-c", script, folder, define, cf_m4, "-", NULL};
    snprintf(folder, sizeof folder, "%.*s", (int)(strrchr(source->path, '/') - source->path),
             source->path);
    snprintf(define, sizeof define, "-D_CF_DIR_=%s", source->cf_dir);
    snprintf(cf_m4, sizeof cf_m4, "%sm4/cf.m4", source->cf_dir);
    return process_run(out, *source->cf_dir == '\0' ? alone : with, mc, err);
}

/* Why this is no sendmail.cf; NULL if it is one. m4 exits with 0 even where Sendmail's own m4 files report an error. */
static const char *find_fault(const struct output *output)
{
    if (output->status == 127)
        return "m4 is not installed";
    if (output->status != 0)
        return output->err;
    const char *why = strstr(output->err, "*** ERROR");
    return why != NULL || strstr(output->out, "\nMlocal") != NULL ? why
                                                                  : "it has no MAILER(`local')";
}

char *sendmail_build(struct sendmail_source *source, const char *mc, struct error *err)
{
    struct output output;
    char *made = NULL;
    int rc = run_m4(&output, source, mc, err);
    /* proto.m4, which cf.m4 includes, writes a line V10/Berkeley. */
    if (rc == 0 && output.status == 0 && *source->cf_dir == '\0' &&
        strstr(output.out, "\nV10/") == NULL && find_cf_dir(source)) {
        process_free(&output);
        rc = run_m4(&output, source, mc, err);
    }
    const char *why = rc == 0 ? find_fault(&output) : NULL;
    if (why != NULL) {
        error_set(err, EX_CONFIG, "m4 makes no sendmail.cf of %s: %.*s", source->path,
                  (int)strcspn(why, "\n"), why);
    } else if (rc == 0) {
        made = output.out;
        free(source->warnings);
        source->warnings = output.err;
        output.out = output.err = NULL;
    }
    process_free(&output);
    return made;
}

/* ---- reading one */

const char *sendmail_line(const char **at, size_t *length)
{
    while (**at != '\0') {
        const char *line = *at;
        *length = strcspn(line, "\n");
        *at = line + *length + (line[*length] == '\n');
        if (*length > 0 && *line != '#')
            return line;
    }
    return NULL;
}

const char *sendmail_differs(const char *a, const char *b, size_t *length)
{
    const char *line_a, *line_b;
    size_t length_a, length_b;
    do {
        line_a = sendmail_line(&a, &length_a);
        line_b = sendmail_line(&b, &length_b);
    } while (line_a != NULL && line_b != NULL && length_a == length_b &&
             memcmp(line_a, line_b, length_a) == 0);
    *length = line_a != NULL ? length_a : line_b != NULL ? length_b : 0;
    return line_a != NULL ? line_a : line_b;
}

const char *sendmail_find(const char *cf, const char *begins, size_t *length)
{
    const char *line;
    size_t skip = strlen(begins);
    while ((line = sendmail_line(&cf, length)) != NULL)
        if (strncmp(line, begins, skip) == 0) {
            *length -= skip;
            return line + skip;
        }
    return NULL;
}

bool sendmail_list_has(const char *list, size_t length, const char *name)
{
    for (const char *at = list, *end = list + length; at < end;) {
        size_t item = strcspn(at, ",; \t\n");
        if (item == strlen(name) && memcmp(at, name, item) == 0)
            return true;
        at += item + 1;
    }
    return false;
}

/* The value of an equate in a list, "S=unix:/run/x, F=T", which ends at ','; "" if it is not there. */
static void read_equate(char *out, size_t size, const char *list, size_t length, const char *key)
{
    size_t skip = strlen(key);
    *out = '\0';
    for (const char *at = list, *end = list + length; at != NULL && at < end;
         at = memchr(at, ',', (size_t)(end - at)), at += at != NULL) {
        at += strspn(at, " \t");
        if (strncmp(at, key, skip) == 0 && at[skip] == '=')
            snprintf(out, size, "%.*s", (int)strcspn(at + skip + 1, ", \t\n"), at + skip + 1);
    }
}

bool sendmail_find_filter(const char *cf, const struct endpoint *socket,
                          struct sendmail_filter *out)
{
    bool found = false;
    size_t length;
    for (const char *line; (line = sendmail_line(&cf, &length)) != NULL;) {
        struct sendmail_filter filter;
        struct endpoint endpoint;
        if (*line != 'X')
            continue;
        snprintf(filter.name, sizeof filter.name, "%.*s", (int)strcspn(line + 1, ", \t\n"),
                 line + 1);
        read_equate(filter.socket, sizeof filter.socket, line, length, "S");
        read_equate(filter.flags, sizeof filter.flags, line, length, "F");
        filter.is_exact = endpoint_parse_sendmail(&endpoint, filter.socket) &&
                          endpoint_is_same(&endpoint, socket);
        if (filter.is_exact || strcmp(filter.name, SENDMAIL_FILTER) == 0)
            *out = filter, found = true;
        if (filter.is_exact)
            return true;
    }
    return found;
}

/* Whether DontBlameSendmail has this word. */
static bool blames_not(const char *cf, const char *word)
{
    size_t length, item;
    const char *at = sendmail_find(cf, "O DontBlameSendmail=", &length);
    for (const char *end = at + length; at != NULL && at < end; at += item + 1) {
        item = strcspn(at, ", \n");
        if (item == strlen(word) && strncasecmp(at, word, item) == 0)
            return true;
    }
    return false;
}

/* Whether Sendmail counts a folder with this mode as one that others may write to. */
static bool is_open_to_others(const char *cf, mode_t mode)
{
    if ((mode & S_ISVTX) != 0 && blames_not(cf, "TrustStickyBit"))
        return false;
    return (mode & S_IWOTH) != 0 ||
           ((mode & S_IWGRP) != 0 && !blames_not(cf, "GroupWritableDirPathSafe"));
}

unsigned sendmail_distrusts(const char *cf, const char *path, char *out, size_t size)
{
    struct stat status;
    for (const char *slash = path + strlen(path); slash > path;) {
        slash--;
        if (*slash != '/')
            continue;
        snprintf(out, size, "%.*s", slash == path ? 1 : (int)(slash - path), path);
        if (stat(out, &status) == 0 && is_open_to_others(cf, status.st_mode))
            return status.st_mode & 07777;
    }
    return 0;
}
