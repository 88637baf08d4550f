#include "mta/sendmail/sendmail_run.h"

#include "mta/files.h"
#include "mta/process.h"
#include "mta/sendmail/sendmail_cf.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <utime.h>

/* ---- the makefile */

static bool is_target(const char *line, const char *name)
{
    size_t length = strlen(name);
    return strncmp(line, name, length) == 0 && line[length + strspn(line + length, " ")] == ':';
}

/* The makefile's target for the file; NULL if it has none. Debian's also has a target sendmail.cf, which
 * removes the file first. */
static const char *find_target(const char *makefile, const char *cf_path)
{
    const char *target = NULL;
    for (const char *line = makefile; *line != '\0'; line += *line == '\n') {
        if (is_target(line, cf_path))
            return cf_path;
        if (is_target(line, "sendmail.cf") || is_target(line, "%.cf"))
            target = "sendmail.cf";
        line += strcspn(line, "\n");
    }
    return target;
}

int sendmail_make(bool *made, const char *folder, const char *cf_path, struct error *err)
{
    char path[PATH_MAX];
    struct error none;
    snprintf(path, sizeof path, "%s/Makefile", folder);
    char *makefile = file_read(path, &none);
    const char *target = makefile == NULL ? NULL : find_target(makefile, cf_path);
    free(makefile);
    *made = target != NULL;
    if (!*made)
        return 0;
    const char *const argv[] = {"make", "-s", "-C", folder, target, NULL};
    if (utime(cf_path, &(struct utimbuf){.modtime = 0}) != 0)
        return error_set(err, EX_UNAVAILABLE, "%s: %s", cf_path, strerror(errno));
    char *printed = process_read(argv, err);
    free(printed);
    return printed == NULL ? -1 : 0;
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

char *sendmail_try_rules(const char *cf_path, const char *commands, struct error *err)
{
    const char *const argv[] = {"sendmail", "-C", cf_path, "-bt", NULL};
    struct output output;
    char *printed = NULL;
    if (process_run(&output, argv, commands, err) == 0) {
        printed = output.out;
        output.out = NULL;
    }
    process_free(&output);
    return printed;
}

/* One "Basic_check_rcpt returns: $# error ..." for each domain. */
static int count_denied(const char *said, const char *const *domains, size_t count,
                        const char **first)
{
    static const char returns[] = "\nBasic_check_rcpt returns: ";
    int denied = 0;
    for (size_t i = 0; i < count && (said = strstr(said, returns)) != NULL; i++) {
        said += strlen(returns);
        if (strncmp(said, "$# error", 8) == 0 && denied++ == 0)
            *first = domains[i];
    }
    return denied;
}

int sendmail_denied(const char *cf_path, const char *const *domains, size_t count,
                    const char **first, struct error *err)
{
    char *commands = NULL, *printed = NULL;
    size_t size;
    FILE *out = open_memstream(&commands, &size);
    if (out == NULL)
        return error_set(err, EX_OSERR, "out of memory");
    fputs(".D{client_addr}192.0.2.1\n.D{client_name}client.invalid\n.D{client_resolve}OK\n", out);
    for (size_t i = 0; i < count; i++)
        fprintf(out, "Basic_check_rcpt <postmaster@%s>\n", domains[i]);
    if (fclose(out) == 0)
        printed = sendmail_try_rules(cf_path, commands, err);
    else
        error_set(err, EX_OSERR, "out of memory");
    int denied = printed == NULL ? -1 : count_denied(printed, domains, count, first);
    free(commands);
    free(printed);
    return denied;
}

/* ---- the daemon */

static bool is_sendmail(pid_t pid)
{
    char path[32], name[32] = "";
    snprintf(path, sizeof path, "/proc/%d/comm", (int)pid);
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return false;
    bool is = fgets(name, sizeof name, file) != NULL && strncmp(name, "sendmail", 8) == 0;
    fclose(file);
    return is;
}

bool sendmail_restart(const char *cf)
{
    static const char option[] = "O PidFile=";
    char path[PATH_MAX];
    struct error err;
    size_t length;
    const char *line = sendmail_find(cf, option, &length);
    if (line == NULL)
        return false;
    snprintf(path, sizeof path, "%.*s", (int)(length - strlen(option)), line + strlen(option));
    char *text = file_read(path, &err);
    pid_t pid = text == NULL ? 0 : (pid_t)strtol(text, NULL, 10);
    free(text);
    return pid > 1 && is_sendmail(pid) && kill(pid, SIGHUP) == 0;
}
