#include "mta/sendmail/sendmail_cf.h"

#include "mta/files.h"
#include "mta/process.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- making one */

static void warn_lines(const char *text, void (*warn)(const char *format, ...))
{
    while (*text != '\0') {
        int length = (int)strcspn(text, "\n");
        if (length > 0)
            warn("m4: %.*s", length, text);
        text += length + (text[length] == '\n');
    }
}

/* Runs m4 in the folder, as the server's makefile does: sendmail.mc may include files by a relative path. m4
 * exits with 0 even where Sendmail's own m4 files report an error. */
char *sendmail_build(const char *folder, const char *mc, void (*warn)(const char *format, ...),
                     struct error *err)
{
    const char *const argv[] = {"sh", "-c", "cd \"$0\" && exec m4", folder, NULL};
    struct output output;
    char *made = NULL;

    if (process_run(&output, argv, mc, err) == 0) {
        const char *why = output.status == 127 ? "m4 is not installed"
                          : output.status != 0 ? output.err
                                               : strstr(output.err, "*** ERROR");
        if (why == NULL && strstr(output.out, "\nMlocal") == NULL)
            why = "it has no MAILER(`local')";
        if (why != NULL) {
            error_set(err, EX_CONFIG, "m4 makes no sendmail.cf of %s/sendmail.mc: %.*s", folder,
                      (int)strcspn(why, "\n"), why);
        } else {
            if (warn != NULL)
                warn_lines(output.err, warn);
            made = output.out;
            output.out = NULL;
        }
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

bool sendmail_same(const char *a, const char *b, const char **differs, size_t *length)
{
    const char *line_a, *line_b;
    size_t length_a = 0, length_b = 0;
    do {
        line_a = sendmail_line(&a, &length_a);
        line_b = sendmail_line(&b, &length_b);
    } while (line_a != NULL && line_b != NULL && length_a == length_b &&
             memcmp(line_a, line_b, length_a) == 0);
    if (line_a == NULL && line_b == NULL)
        return true;
    if (differs != NULL) {
        *differs = line_a == NULL ? line_b : line_a;
        *length = line_a == NULL ? length_b : length_a;
    }
    return false;
}

const char *sendmail_find(const char *cf, const char *begins, size_t *length)
{
    const char *line;
    while ((line = sendmail_line(&cf, length)) != NULL)
        if (strncmp(line, begins, strlen(begins)) == 0)
            return line;
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

bool sendmail_blames_not(const char *cf, const char *word)
{
    size_t length, found;
    const char *line = sendmail_find(cf, "O DontBlameSendmail=", &length);
    for (const char *end = line + length; line != NULL && line < end; line += found + 1) {
        found = strcspn(line, "=, \n");
        if (found == strlen(word) && strncasecmp(line, word, found) == 0)
            return true;
    }
    return false;
}

/* One folder, by its mode. */
static bool is_open_to_others(const char *cf, mode_t mode)
{
    if ((mode & S_ISVTX) != 0 && sendmail_blames_not(cf, "TrustStickyBit"))
        return false;
    return (mode & S_IWOTH) != 0 ||
           ((mode & S_IWGRP) != 0 && !sendmail_blames_not(cf, "GroupWritableDirPathSafe"));
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
