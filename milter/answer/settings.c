/* SPDX-License-Identifier: BSD-2-Clause */
#include "answer/settings.h"

#include "base/endpoint.h"

#include <ctype.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

static const char *const modes[] = {"enforce", "observe", NULL};
static const char *const table_errors[] = {"tempfail", "accept", NULL};
static const char *const disclosures[] = {"anyone", "trusted", "nobody", NULL};
static const char *const over_limits[] = {"withhold", "defer", NULL};
static const char *const sources[] = {"pgsql", NULL};
static const char *const targets[] = {"syslog", "stderr", "journal", NULL};
static const char *const facilities[] = {"mail",   "daemon", "user",   "local0", "local1", "local2",
                                         "local3", "local4", "local5", "local6", "local7", NULL};
static const int facility_values[] = {LOG_MAIL,   LOG_DAEMON, LOG_USER,   LOG_LOCAL0,
                                      LOG_LOCAL1, LOG_LOCAL2, LOG_LOCAL3, LOG_LOCAL4,
                                      LOG_LOCAL5, LOG_LOCAL6, LOG_LOCAL7};
static const char *const levels[] = {"error", "warning", "notice", "info", "debug", NULL};
static const int level_values[] = {LOG_ERR, LOG_WARNING, LOG_NOTICE, LOG_INFO, LOG_DEBUG};

#define AT(member) offsetof(struct settings, member)
#define STRING(key, member, value)                                                                 \
    .path = key, .type = CONF_STRING, .offset = AT(member), .text = value
#define CHOICE(key, member, value, words)                                                          \
    .path = key, .type = CONF_CHOICE, .offset = AT(member), .text = value, .choices = words
#define BOOL(key, member, value)                                                                   \
    .path = key, .type = CONF_BOOL, .offset = AT(member), .number = value
#define INT(key, member, value, least, most, what)                                                 \
    .path = key, .type = CONF_INT, .offset = AT(member), .number = value, .min = least,            \
    .max = most, .unit = what
#define LIST(key, member, value) .path = key, .type = CONF_LIST, .offset = AT(member), .text = value
#define TEXT(key, kind)          .path = key, .type = CONF_LINES, .offset = AT(texts.of[kind])
#define NOT_SET                  -1

/* A new key is a row here and a paragraph in milter-moved.conf(5). */
static const struct conf_key keys[] = {
    {STRING("socket", socket, SETTINGS_SOCKET)},
    {STRING("lookup_socket", lookup_socket, SETTINGS_LOOKUP_SOCKET)},
    {BOOL("allow_remote", allow_remote, false)},
    {STRING("socket_group", socket_group, "")},
    {STRING("socket_mode", socket_mode_text, "0660")},
    {STRING("table", table, MILTER_MOVED_TABLE)},
    {STRING("user", user, "milter-moved")},
    {STRING("pid_file", pid_file, "")},
    {CHOICE("mode", mode, "enforce", modes)},
    {CHOICE("on_table_error", on_table_error, "tempfail", table_errors)},
    {BOOL("addresses.fold_case", fold_case, true)},
    {STRING("addresses.delimiters", delimiters, "+")},
    {STRING("addresses.local_domain", local_domain, "")},
    {TEXT("replies.moved", TEXT_MOVED)},
    {TEXT("replies.withheld", TEXT_WITHHELD)},
    {TEXT("replies.gone", TEXT_GONE)},
    {TEXT("replies.deferred", TEXT_DEFERRED)},
    {TEXT("replies.table_error", TEXT_TABLE_ERROR)},
    {TEXT("replies.unknown", TEXT_UNKNOWN)},
    {.path = "replies.by_domain",
     .type = CONF_GROUPS,
     .offset = AT(texts_by_domain),
     .group = &texts_group},
    {CHOICE("disclosure.default", disclose, "anyone", disclosures)},
    {BOOL("disclosure.conceal", conceal, false)},
    {LIST("disclosure.trusted_networks", trusted_text, "127.0.0.0/8 ::1")},
    {LIST("disclosure.trusted_domains", trusted_domains, "")},
    {INT("disclosure.limit", limit, 100, 0, 1000000, "addresses")},
    {INT("disclosure.network_limit", network_limit, NOT_SET, 0, 100000000, "addresses")},
    {INT("disclosure.total_limit", total_limit, 0, 0, 100000000, "addresses")},
    {INT("disclosure.ipv4_prefix", ipv4_prefix, 32, 1, 32, "bits")},
    {INT("disclosure.ipv6_prefix", ipv6_prefix, 64, 1, 128, "bits")},
    {INT("disclosure.ipv4_network_prefix", ipv4_network_prefix, NOT_SET, 1, 32, "bits")},
    {INT("disclosure.ipv6_network_prefix", ipv6_network_prefix, NOT_SET, 1, 128, "bits")},
    {INT("disclosure.memory", memory, 32, 1, 4096, "MiB")},
    {INT("disclosure.period", period, 3600, 1, 31536000, "seconds")},
    {CHOICE("disclosure.over_limit", over_limit, "withhold", over_limits)},
    {CHOICE("log.target", log_target, "syslog", targets)},
    {CHOICE("log.facility", log_facility, "mail", facilities), .values = facility_values},
    {CHOICE("log.level", log_level, "info", levels), .values = level_values},
    {INT("import.sort_buffer", sort_buffer, 128, 1, 16384, "MiB")},
    {BOOL("hits.enabled", hits, true)},
    {INT("hits.flush_interval", hits_interval, 5, 1, 3600, "seconds")},
    {INT("hits.senders", hits_senders, 8, 1, 32, "domains")},
    {INT("hits.keep", hits_keep, 400, 1, 36500, "days")},
    {INT("hits.memory", hits_memory, 12, 1, 3072, "MiB")},
    {CHOICE("source.type", source.type, "pgsql", sources)},
    {STRING("source.connect", source.connect, ""), .hide = settings_hide_passwords},
    {STRING("source.passfile", source.passfile, "")},
    {STRING("source.schema", source.schema, "public")},
    {STRING("source.write", source.write, ""), .hide = settings_hide_passwords},
    {INT("source.poll", source.poll, 500, 50, 60000, "milliseconds")},
    {INT("source.timeout", source.timeout, 5, 1, 300, "seconds")},
    {INT("source.max_remove", source.max_remove, 10, 0, 100, "per cent")},
    {INT("source.reconcile", source.reconcile, 86400, 0, 31536000, "seconds")},
    {INT("source.start_wait", source.start_wait, 10, 0, 600, "seconds")},
    {INT("source.max_lag", source.max_lag, 60, 1, 31536000, "seconds")},
};
#define KEYS (sizeof keys / sizeof *keys)

/* ---- passwords */

static void hide(char *from, size_t length)
{
    size_t stars = length < 3 ? length : 3;
    memset(from, '*', stars);
    memmove(from + stars, from + length, strlen(from + length) + 1);
}

/* In a URI: user:password@, up to the last '@'. libpq takes the first one, and the rest of a password that contains an '@' for
 * the host. Anywhere: all after the first "password=", because where a value ends depends on quotes that may be missing. */
void settings_hide_passwords(char *text)
{
    static const char word[] = "password"; /* sslpassword too */
    if (strncmp(text, "postgres://", 11) == 0 || strncmp(text, "postgresql://", 13) == 0) {
        char *begin = strstr(text, "://") + 3, *colon = strpbrk(begin, ":?");
        char *end = memrchr(begin, '@', strcspn(begin, "?"));
        if (colon != NULL && end != NULL && colon < end)
            hide(colon + 1, (size_t)(end - colon) - 1);
    }
    while ((text = strstr(text, word)) != NULL) {
        text += sizeof word - 1;
        char *value = text + strspn(text, " \t\n\r\f\v");
        if (*value == '=') {
            hide(value + 1, strlen(value + 1));
            return;
        }
    }
}

/* ---- what the rows cannot check */

static int check_trusted(struct settings *s, struct error *err)
{
    s->trusted = calloc(s->trusted_text.count + 1, sizeof *s->trusted);
    if (s->trusted == NULL)
        return error_no_memory(err);
    for (; s->trusted_count < s->trusted_text.count; s->trusted_count++)
        if (network_parse(&s->trusted[s->trusted_count], s->trusted_text.items[s->trusted_count],
                          err) != 0) {
            err->status = EX_CONFIG;
            return error_at(err, "disclosure.trusted_networks", 0);
        }
    for (size_t i = 0; i < s->trusted_domains.count; i++)
        if (texts_make_domain(&s->trusted_domains.items[i], false, err) != 0)
            return error_at(err, "disclosure.trusted_domains", 0);
    return 0;
}

/* A network is where several clients are: its prefix is not the longer one. */
static int check_prefix(int *network, int usual, int client, char version, struct error *err)
{
    if (*network == NOT_SET)
        *network = usual < client ? usual : client;
    if (*network <= client)
        return 0;
    return error_set(err, EX_CONFIG,
                     "disclosure.ipv%c_network_prefix: %d is longer than ipv%c_prefix: write %d or "
                     "less",
                     version, *network, version, client);
}

static int check_limits(struct settings *s, struct error *err)
{
    if (check_prefix(&s->ipv4_network_prefix, 24, s->ipv4_prefix, '4', err) != 0 ||
        check_prefix(&s->ipv6_network_prefix, 48, s->ipv6_prefix, '6', err) != 0)
        return -1;
    if (s->network_limit == NOT_SET)
        s->network_limit = 10 * s->limit;
    s->limits = (struct limit_rules){
        .period = (unsigned)s->period,
        .client = {(unsigned)s->limit, (unsigned)s->ipv4_prefix, (unsigned)s->ipv6_prefix},
        .network = {(unsigned)s->network_limit, (unsigned)s->ipv4_network_prefix,
                    (unsigned)s->ipv6_network_prefix},
        .everyone = (unsigned)s->total_limit,
        .memory = (size_t)s->memory << 20,
    };
    return 0;
}

static int check_addresses(struct settings *s, struct error *err)
{
    for (const char *at = s->delimiters; *at != '\0'; at++)
        if ((unsigned char)*at <= ' ' || (unsigned char)*at >= 0x7f ||
            strchr("@\"\\<>", *at) != NULL)
            return error_set(err, EX_CONFIG,
                             "addresses.delimiters: '%s' has a character that cannot start an "
                             "extension: write some of +-_=#",
                             s->delimiters);
    if (*s->local_domain != '\0' && texts_make_domain(&s->local_domain, false, err) != 0)
        return error_at(err, "addresses.local_domain", 0);
    s->addresses = (struct address_rules){
        .fold_case = s->fold_case,
        .delimiters = s->delimiters,
        .local_domain = *s->local_domain == '\0' ? NULL : s->local_domain,
    };
    return 0;
}

static int check_socket_mode(struct settings *s, struct error *err)
{
    char *end;
    unsigned long mode = strtoul(s->socket_mode_text, &end, 8);
    if (s->socket_mode_text[0] < '0' || s->socket_mode_text[0] > '7' || *end != '\0' || mode > 0777)
        return error_set(err, EX_CONFIG, "socket_mode: '%s' is no mode: write one such as \"0660\"",
                         s->socket_mode_text);
    s->socket_mode = (unsigned)mode;
    return 0;
}

/* A path of our own, which the daemon has to make. */
static int check_path(const char *path, struct error *err)
{
    if (*path != '/')
        return error_set(err, EX_CONFIG, "'%s' is no absolute path: write unix:/PATH", path);
    if (strlen(path) >
        100) /* sun_path has 108 octets, and the socket is made under a longer name first */
        return error_set(err, EX_CONFIG, "the path is over 100 octets: write a shorter one");
    return 0;
}

/* A program that can reach the milter's socket can read the table and claim to be trusted. */
static int check_milter_socket(const struct settings *s, struct error *err)
{
    struct endpoint endpoint;
    if (endpoint_parse(&endpoint, s->socket, err) != 0)
        return -1;
    if (endpoint.kind == ENDPOINT_UNIX)
        return check_path(endpoint.name, err);
    if (!ip_is_loopback(endpoint.name) && !s->allow_remote)
        return error_set(err, EX_CONFIG,
                         "'%s' can be reached from other hosts: write 127.0.0.1, or allow_remote = "
                         "true behind a packet filter",
                         s->socket);
    return 0;
}

static int check_sockets(struct settings *s, struct error *err)
{
    const char *lookup = endpoint_path(s->lookup_socket);
    if (*s->lookup_socket != '\0' && lookup == NULL)
        return error_set(
            err, EX_CONFIG,
            "lookup_socket: '%s' is no unix socket: write unix:/PATH, or \"\" for none",
            s->lookup_socket);
    if (lookup != NULL && check_path(lookup, err) != 0)
        return error_at(err, "lookup_socket", 0);
    if (strcmp(s->socket, s->lookup_socket) == 0)
        return error_set(err, EX_CONFIG,
                         "lookup_socket: '%s': socket has the same path: write another",
                         s->lookup_socket);
    return check_milter_socket(s, err) == 0 ? 0 : error_at(err, "socket", 0);
}

static int check_absolute(const char *key, const char *path, struct error *err)
{
    return *path == '/'
               ? 0
               : error_set(err, EX_CONFIG, "%s: '%s' is no absolute path: write one", key, path);
}

static int check_paths(struct settings *s, struct error *err)
{
    if (check_absolute("table", s->table, err) != 0 ||
        (*s->pid_file != '\0' && check_absolute("pid_file", s->pid_file, err) != 0))
        return -1;
    return *s->source.passfile == '\0' ? 0
                                       : check_absolute("source.passfile", s->source.passfile, err);
}

#define SCHEMA_MAX 63 /* octets: a longer name is cut by PostgreSQL (NAMEDATALEN) */

static int check_schema(struct settings *s, struct error *err)
{
    const char *at = s->source.schema;
    while (*at != '\0' && !iscntrl((unsigned char)*at))
        at++;
    size_t length = (size_t)(at - s->source.schema);
    if (*at == '\0' && length > 0 && length <= SCHEMA_MAX)
        return 0;
    return error_set(err, EX_CONFIG,
                     "source.schema: '%s' is no name of a schema: write 1 to %d printable octets",
                     s->source.schema, SCHEMA_MAX);
}

static int check(struct settings *s, struct error *err)
{
    bool right = check_sockets(s, err) == 0 && check_socket_mode(s, err) == 0 &&
                 check_addresses(s, err) == 0 && check_trusted(s, err) == 0 &&
                 check_limits(s, err) == 0 &&
                 texts_check(&s->texts, &s->texts_by_domain, err) == 0 &&
                 check_paths(s, err) == 0 && check_schema(s, err) == 0;
    return right ? 0 : -1;
}

/* ---- reading */

int settings_locate(const struct settings *s, struct error *err)
{
    for (size_t i = 0; err != NULL && err->status == EX_CONFIG && i < KEYS; i++) {
        const struct conf_spot *spot = &s->spots[i];
        size_t length = strlen(keys[i].path);
        if (strncmp(err->text, keys[i].path, length) == 0 && err->text[length] == ':')
            return error_at(err, spot->file == NULL ? s->file : spot->file, spot->line);
    }
    return -1;
}

/* ---- made and freed */

const char *settings_path(const char *given, bool *is_default)
{
    const char *named = given != NULL ? given : getenv("MILTER_MOVED_CONF");
    bool none = named == NULL || (given == NULL && *named == '\0');
    if (is_default != NULL)
        *is_default = none;
    return none ? MILTER_MOVED_CONF : named;
}

const struct conf_key *settings_keys(size_t *count)
{
    *count = KEYS;
    return keys;
}

/* file NULL: nothing is read. */
static int read_settings(struct settings **out, const char *file, const char *ignored,
                         struct error *err)
{
    struct settings *s = calloc(1, sizeof *s);
    if (s != NULL) {
        conf_defaults(s, keys, KEYS);
        s->spots = calloc(KEYS, sizeof *s->spots);
        s->file = file == NULL ? NULL : strdup(file);
    }
    if (s == NULL || s->spots == NULL || (file != NULL && s->file == NULL)) {
        settings_free(s);
        return error_no_memory(err);
    }
    int rc = file == NULL ? 0 : conf_read(s, keys, KEYS, ignored, file, &s->files, s->spots, err);
    for (size_t i = 0; i < KEYS; i++)
        if (strcmp(keys[i].path, "lookup_socket") == 0)
            s->lookup_socket_is_set = s->spots[i].file != NULL;
    if (rc == 0 && (rc = check(s, err)) != 0)
        settings_locate(s, err);
    if (rc != 0) {
        settings_free(s);
        return -1;
    }
    *out = s;
    return 0;
}

struct settings *settings_new(void)
{
    struct settings *made;
    return read_settings(&made, NULL, NULL, NULL) == 0 ? made : NULL;
}

int settings_read(struct settings **out, const char *file, struct error *err)
{
    return read_settings(out, file, NULL, err);
}

int settings_read_for_daemon(struct settings **out, const char *file, struct error *err)
{
    return read_settings(out, file, "source", err);
}

void settings_free(struct settings *settings)
{
    if (settings == NULL)
        return;
    conf_free(settings, keys, KEYS);
    free(settings->trusted);
    free(settings->spots);
    free(settings->file);
    conf_list_clear(&settings->files);
    free(settings);
}

void settings_warn(const struct settings *settings, void (*say)(const char *line))
{
    char line[PATH_MAX + 100];
    bool limits = settings->limit > 0 || settings->network_limit > 0 || settings->total_limit > 0;
    for (size_t i = 0; i < settings->files.count; i++)
        if (access(settings->files.items[i], R_OK) != 0) {
            snprintf(line, sizeof line,
                     "%s: a reload will be refused, since the daemon's user may not read it: let "
                     "that user read it",
                     settings->files.items[i]);
            say(line);
        }
    texts_warn(&settings->texts, &settings->texts_by_domain, say);
    if (settings->conceal && limits && settings->over_limit == OVER_LIMIT_DEFER)
        say("disclosure.over_limit: \"defer\" tells that a mailbox has moved, which conceal hides: "
            "write \"withhold\"");
}
