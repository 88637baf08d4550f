/* SPDX-License-Identifier: BSD-2-Clause */
#include "follow/conninfo.h"

#include "base/network.h"

#include <errno.h>
#include <libpq-fe.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PARAMS_MAX 64 /* keywords; libpq 15 knows some 40 */
#define HOSTS_MAX  16 /* one after another is asked, for seconds where it hangs */

/* keywords and values end with NULL; values are on the heap. */
struct params {
    const char *keywords[PARAMS_MAX + 1];
    char *values[PARAMS_MAX + 1];
};

struct conninfo {
    PQconninfoOption *own, *rest; /* of the text; of everything else */
    size_t count;
    struct params *hosts; /* heap, count of them */
};

/* ---- what libpq says of it */

static int say(struct error *err, const char *key, const char *what)
{
    char line[256];
    snprintf(line, sizeof line, "%.*s", (int)strcspn(what, "\n"), what);
    return error_set(err, EX_CONFIG, "%s: %s: write it as libpq reads it, \"host=db.example ...\"",
                     key, line);
}

static const char *value_in(const PQconninfoOption *options, const char *keyword)
{
    for (; options->keyword != NULL; options++)
        if (strcmp(options->keyword, keyword) == 0)
            return options->val != NULL && *options->val != '\0' ? options->val : NULL;
    return NULL;
}

static const char *value_of(const struct conninfo *info, const char *keyword)
{
    const char *own = value_in(info->own, keyword);
    return own != NULL ? own : value_in(info->rest, keyword);
}

/* libpq has no other way to say that the service is not defined than to try; no host has this socket. */
static int check_service(const char *key, const char *service, struct error *err)
{
    const char *const keywords[] = {"service", "host", NULL};
    const char *const values[] = {service, "/nonexistent/service", NULL};
    PGconn *conn = PQconnectStartParams(keywords, values, 0);
    const char *what = conn == NULL ? "out of memory" : PQerrorMessage(conn);
    int rc = strstr(what, "service file") != NULL || strstr(what, "definition of service") != NULL
                 ? say(err, key, what)
                 : 0;
    PQfinish(conn);
    return rc;
}

/* PQconndefaults reads the service that the environment names. */
static PQconninfoOption *read_rest(const char *service)
{
    const char *before = getenv("PGSERVICE");
    char *saved = before == NULL ? NULL : strdup(before);
    if (service != NULL)
        setenv("PGSERVICE", service, 1);
    PQconninfoOption *rest = PQconndefaults();
    if (saved != NULL)
        setenv("PGSERVICE", saved, 1);
    else
        unsetenv("PGSERVICE");
    free(saved);
    return rest;
}

/* libpq quotes what it stumbles over, which may be a part of a password. */
static bool may_have_password(const char *text)
{
    return strstr(text, "password") != NULL || strstr(text, "://") != NULL;
}

static int read_text(struct conninfo *info, const char *key, const char *text, struct error *err)
{
    char *what = NULL;
    info->own = PQconninfoParse(text, &what);
    if (info->own == NULL) {
        say(err, key,
            what == NULL              ? "out of memory"
            : may_have_password(text) ? "cannot be read (why is not shown: it may have a password)"
                                      : what);
        PQfreemem(what);
        return -1;
    }
    const char *service = value_in(info->own, "service");
    if (service == NULL)
        service = getenv("PGSERVICE");
    if (service != NULL && check_service(key, service, err) != 0)
        return -1;
    info->rest = read_rest(service);
    return info->rest != NULL ? 0 : error_no_memory(err);
}

/* ---- hosts: several stand in one value, separated by commas */

static size_t parts_of(const char *list)
{
    size_t count = 1;
    for (; list != NULL && (list = strchr(list, ',')) != NULL; list++)
        count++;
    return count;
}

/* The part of this number, on the heap; where the list has one part alone that is everybody's. */
static char *part_of(const char *list, size_t number)
{
    if (parts_of(list) > 1)
        for (; number > 0; number--)
            list = strchr(list, ',') + 1;
    return strndup(list, strcspn(list, ","));
}

static int add_param(struct params *params, const char *keyword, char *value)
{
    size_t i = 0;
    while (params->keywords[i] != NULL)
        i++;
    if (value == NULL || i == PARAMS_MAX) {
        free(value);
        return -1;
    }
    params->keywords[i] = keyword;
    params->values[i] = value;
    return 0;
}

static bool is_list(const char *keyword)
{
    return strcmp(keyword, "host") == 0 || strcmp(keyword, "hostaddr") == 0 ||
           strcmp(keyword, "port") == 0;
}

static int fill_host(struct conninfo *info, size_t number, const char *passfile)
{
    struct params *params = &info->hosts[number];
    int rc = 0;
    for (const PQconninfoOption *option = info->own; rc == 0 && option->keyword != NULL; option++) {
        const char *value = value_of(info, option->keyword);
        if (strcmp(option->keyword, "passfile") == 0 && *passfile != '\0')
            value = passfile;
        if (value != NULL && strcmp(option->keyword, "service") != 0)
            rc = add_param(params, option->keyword,
                           is_list(option->keyword) ? part_of(value, number) : strdup(value));
    }
    return rc;
}

static int check_counts(const struct conninfo *info, const char *key, struct error *err)
{
    static const char *const lists[] = {"host", "hostaddr", "port"};
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
        const char *list = value_of(info, lists[i]);
        size_t count = parts_of(list);
        if (list != NULL && count != info->count && !(i == 2 && count == 1))
            return error_set(err, EX_CONFIG, "%s: %zu in %s for %zu hosts: write one for each", key,
                             count, lists[i], info->count);
    }
    return 0;
}

static int split(struct conninfo *info, const char *key, const char *passfile, struct error *err)
{
    const char *addresses = value_of(info, "hostaddr"), *hosts = value_of(info, "host");
    int rc = 0;
    info->count = parts_of(addresses != NULL ? addresses : hosts);
    if (info->count > HOSTS_MAX)
        return error_set(err, EX_CONFIG, "%s: %zu hosts: write %d at most", key, info->count,
                         HOSTS_MAX);
    if (check_counts(info, key, err) != 0)
        return -1;
    info->hosts = calloc(info->count, sizeof *info->hosts);
    for (size_t i = 0; rc == 0 && i < info->count; i++)
        rc = info->hosts == NULL ? -1 : fill_host(info, i, passfile);
    return rc == 0 ? 0 : error_no_memory(err);
}

/* ---- what must not be */

static const char *param(const struct params *params, const char *keyword)
{
    for (size_t i = 0; params->keywords[i] != NULL; i++)
        if (strcmp(params->keywords[i], keyword) == 0)
            return params->values[i];
    return "";
}

/* The address decides, where both are given. */
static bool is_here(const struct params *params)
{
    const char *address = param(params, "hostaddr"), *host = param(params, "host");
    if (*address != '\0')
        return ip_is_loopback(address);
    return *host == '\0' || *host == '/' || *host == '@' || ip_is_loopback(host);
}

/* Whoever stands between the two could tell every sender another new address. */
static int check_hosts(const struct conninfo *info, const char *key, struct error *err)
{
    for (size_t i = 0; i < info->count; i++) {
        const char *mode = param(&info->hosts[i], "sslmode");
        const char *address = param(&info->hosts[i], "hostaddr");
        if (!is_here(&info->hosts[i]) && strcmp(mode, "verify-full") != 0)
            return error_set(err, EX_CONFIG,
                             "%s: host '%s' is another one, and sslmode is '%s': write "
                             "sslmode=verify-full",
                             key, *address != '\0' ? address : conninfo_host_name(info, i), mode);
    }
    return 0;
}

/* libpq takes a password file that others may read as missing, and then asks for no password. */
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
    if (info == NULL)
        error_no_memory(err);
    else if (read_text(info, key, text, err) == 0 && split(info, key, passfile, err) == 0 &&
             check_hosts(info, key, err) == 0 && check_passfile(passfile, err) == 0)
        return info;
    conninfo_free(info);
    return NULL;
}

void conninfo_free(struct conninfo *info)
{
    if (info == NULL)
        return;
    for (size_t i = 0; info->hosts != NULL && i < info->count; i++)
        for (size_t j = 0; info->hosts[i].keywords[j] != NULL; j++)
            free(info->hosts[i].values[j]);
    free(info->hosts);
    PQconninfoFree(info->own);
    PQconninfoFree(info->rest);
    free(info);
}

size_t conninfo_hosts(const struct conninfo *info)
{
    return info->count;
}

const char *conninfo_host_name(const struct conninfo *info, size_t host)
{
    const char *name = param(&info->hosts[host], "host");
    if (*name == '\0')
        name = param(&info->hosts[host], "hostaddr");
    return *name == '\0' ? "the local socket" : name;
}

void conninfo_params(const struct conninfo *info, size_t host, const char *const **keywords,
                     const char *const **values)
{
    *keywords = info->hosts[host].keywords;
    *values = (const char *const *)info->hosts[host].values;
}
