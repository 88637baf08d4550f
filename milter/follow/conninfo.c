/* SPDX-License-Identifier: BSD-2-Clause */
#include "follow/conninfo.h"

#include "base/network.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PARAMS_MAX 100 /* libpq 15 knows some 40 */
#define HOSTS_MAX  16  /* they are tried one after another, for seconds each if they hang */
#define INVALID    "milter-moved asks"

/* The parameters that have a part for each host, separated by commas. */
enum { HOST, ADDRESS, PORT, LISTS };
static const char *const lists[LISTS] = {"host", "hostaddr", "port"};

struct conninfo {
    PQconninfoOption *options; /* of the text and of everything else */
    const char *passfile;
    size_t count;                        /* of hosts */
    char *values[LISTS];                 /* heap, split into the parts */
    const char *parts[LISTS][HOSTS_MAX]; /* NULL: not set */
};

/* ---- what libpq says of it */

static int say(struct error *err, const char *key, const char *what)
{
    return error_set(err, EX_CONFIG,
                     "%s: %.*s: write it as libpq reads it, \"host=db.example ...\"", key,
                     (int)strcspn(what, "\n"), what);
}

/* The message of libpq may quote a part of a password. */
static bool may_have_password(const char *text)
{
    return strstr(text, "password") != NULL || strstr(text, "://") != NULL;
}

static int check_text(const char *key, const char *text, struct error *err)
{
    char *what = NULL;
    PQconninfoOption *options = PQconninfoParse(text, &what);
    int rc = options != NULL ? 0
             : what == NULL  ? error_no_memory(err)
             : may_have_password(text)
                 ? say(err, key, "cannot be read (why is not shown: it may have a password)")
                 : say(err, key, what);
    PQfreemem(what);
    PQconninfoFree(options);
    return rc;
}

static PQconninfoOption *find(PQconninfoOption *options, const char *keyword)
{
    while (options->keyword != NULL && strcmp(options->keyword, keyword) != 0)
        options++;
    return options; /* the last one has no value */
}

static const char *value_of(PQconninfoOption *options, const char *keyword)
{
    const char *value = find(options, keyword)->val;
    return value == NULL ? "" : value;
}

/* Only a connection tells what libpq would use. This one is refused before it begins, because of the invalid parameter, or of
 * another one before it. */
static PQconninfoOption *ask_libpq(const char *key, const char *text, const char *invalid,
                                   struct error *err)
{
    const char *const keywords[] = {"dbname", invalid, NULL};
    const char *const values[] = {text, INVALID, NULL};
    PGconn *conn = PQconnectStartParams(keywords, values, 1);
    PQconninfoOption *options = PQconninfo(conn);
    const char *what = PQerrorMessage(conn);
    if (options == NULL) {
        error_no_memory(err);
    } else if (strstr(what, INVALID) == NULL) {
        say(err, key, what);
        PQconninfoFree(options);
        options = NULL;
    }
    PQfinish(conn);
    return options;
}

/* Returns all parameters, to be freed with PQconninfoFree; or NULL with err. */
static PQconninfoOption *read_options(const char *key, const char *text, struct error *err)
{
    PQconninfoOption *options = ask_libpq(key, text, "gssencmode", err);
    PQconninfoOption *other = options == NULL ? NULL : ask_libpq(key, text, "sslmode", err);
    if (other == NULL) {
        PQconninfoFree(options);
        return NULL;
    }
    char *invalid = find(options, "gssencmode")->val;
    find(options, "gssencmode")->val = find(other, "gssencmode")->val;
    find(other, "gssencmode")->val = invalid;
    PQconninfoFree(other);
    return options;
}

/* ---- the hosts */

static int split(struct conninfo *info, const char *key, struct error *err)
{
    size_t counts[LISTS] = {0};
    for (int i = 0; i < LISTS; i++) {
        char *part, *rest = info->values[i] = strdup(value_of(info->options, lists[i]));
        if (rest == NULL)
            return error_no_memory(err);
        if (*rest == '\0')
            continue;
        /* libpq would take an empty part from the environment, which nobody has checked. */
        for (; (part = strsep(&rest, ",")) != NULL; counts[i]++) {
            if (*part == '\0')
                return error_set(err, EX_CONFIG, "%s: an empty part in %s: write one for each host",
                                 key, lists[i]);
            if (counts[i] < HOSTS_MAX)
                info->parts[i][counts[i]] = part;
        }
    }
    info->count = counts[ADDRESS] > 0 ? counts[ADDRESS] : counts[HOST] > 0 ? counts[HOST] : 1;
    if (info->count > HOSTS_MAX)
        return error_set(err, EX_CONFIG, "%s: %zu hosts: write %d at most", key, info->count,
                         HOSTS_MAX);
    for (size_t i = 1; counts[PORT] == 1 && i < info->count; i++)
        info->parts[PORT][i] = info->parts[PORT][0];
    return 0;
}

/* An attacker between the two hosts could tell every sender another new address. */
static int check_hosts(const struct conninfo *info, const char *key, struct error *err)
{
    const char *mode = value_of(info->options, "sslmode");
    for (size_t i = 0; strcmp(mode, "verify-full") != 0 && i < info->count; i++) {
        const char *host = info->parts[ADDRESS][i]; /* decides, if both are given */
        if (host == NULL)
            host = info->parts[HOST][i];
        if (host != NULL && *host != '/' && *host != '@' && !ip_is_loopback(host))
            return error_set(err, EX_CONFIG,
                             "%s: host '%s' is another one, and sslmode is '%s': write "
                             "sslmode=verify-full",
                             key, host, mode);
    }
    return 0;
}

/* libpq ignores a password file that others may read. */
static int check_passfile(const char *path, struct error *err)
{
    struct stat status;
    if (*path == '\0')
        return 0;
    if (stat(path, &status) != 0 || access(path, R_OK) != 0)
        return error_set(err, EX_NOPERM, "source.passfile: %s: %s: make it a file of this user's",
                         path, strerror(errno));
    if (!S_ISREG(status.st_mode))
        return error_set(err, EX_CONFIG, "source.passfile: %s: not a file: write the path of one",
                         path);
    if ((status.st_mode & (S_IRWXG | S_IRWXO)) != 0)
        return error_set(err, EX_CONFIG, "source.passfile: %s: others may read it: chmod 600 it",
                         path);
    return 0;
}

/* ---- */

struct conninfo *conninfo_new(const char *key, const char *text, const char *passfile,
                              struct error *err)
{
    struct conninfo *info = calloc(1, sizeof *info);
    if (info == NULL) {
        error_no_memory(err);
        return NULL;
    }
    info->passfile = passfile;
    if (check_text(key, text, err) == 0 && (info->options = read_options(key, text, err)) != NULL &&
        split(info, key, err) == 0 && check_hosts(info, key, err) == 0 &&
        check_passfile(passfile, err) == 0)
        return info;
    conninfo_free(info);
    return NULL;
}

void conninfo_free(struct conninfo *info)
{
    if (info == NULL)
        return;
    for (int i = 0; i < LISTS; i++)
        free(info->values[i]);
    PQconninfoFree(info->options);
    free(info);
}

size_t conninfo_hosts(const struct conninfo *info)
{
    return info->count;
}

/* Of two values of a parameter libpq takes the last, and it ignores one that is NULL or "". The service, which
 * a newer libpq may name among the parameters, is not handed on: its file was read already. */
PGconn *conninfo_start(const struct conninfo *info, size_t host, bool writes)
{
    const char *keywords[PARAMS_MAX + LISTS + 5] = {"fallback_application_name"};
    const char *values[PARAMS_MAX + LISTS + 5] = {"movedctl"};
    size_t count = 1;
    for (const PQconninfoOption *at = info->options; at->keyword != NULL; at++)
        if (at->val != NULL && strcmp(at->keyword, "service") != 0 && count <= PARAMS_MAX) {
            keywords[count] = at->keyword;
            values[count++] = at->val;
        }
    for (int i = 0; i < LISTS; i++, count++) {
        keywords[count] = lists[i];
        values[count] = info->parts[i][host];
    }
    keywords[count] = "passfile";
    values[count++] = info->passfile;
    keywords[count] = "client_encoding";
    values[count++] = "UTF8";
    keywords[count] = writes ? "target_session_attrs" : NULL;
    values[count] = "read-write";
    return PQconnectStartParams(keywords, values, 0);
}
