/* SPDX-License-Identifier: BSD-2-Clause */
/* answer/settings.h: the settings from the configuration file, read and checked.
 * milter-moved.conf(5) is its manual. */
#ifndef ANSWER_SETTINGS_H
#define ANSWER_SETTINGS_H

#include "answer/limit.h"
#include "answer/texts.h"
#include "base/conf.h"
#include "base/error.h"
#include "base/network.h"
#include "mail/address.h"

#include <stdbool.h>
#include <stddef.h>

/* Where the sockets are unless the configuration says otherwise: the paths of contrib/systemd/milter-moved.socket. */
#define SETTINGS_SOCKET        "unix:/run/milter-moved/milter.sock"
#define SETTINGS_LOOKUP_SOCKET "unix:/run/milter-moved/lookup.sock"

enum settings_mode { MODE_ENFORCE, MODE_OBSERVE };
enum settings_on_table_error { TABLE_ERROR_TEMPFAIL, TABLE_ERROR_ACCEPT };
enum settings_over_limit { OVER_LIMIT_WITHHOLD, OVER_LIMIT_DEFER };
enum settings_log_target { LOG_TARGET_SYSLOG, LOG_TARGET_STDERR, LOG_TARGET_JOURNAL };

/* The group source: the store that the table follows. The strings belong to the settings. */
struct source_settings {
    int type;       /* index of "pgsql" */
    char *connect;  /* a connection string or URI of libpq; "": the table follows nobody */
    char *passfile; /* "": libpq's own */
    char *schema;   /* of the store's tables */
    char *write;    /* as connect, for commands that change entries; "": this host may not */
    int poll;       /* milliseconds */
    int timeout;    /* seconds, as are those below: of an exchange with the store */
    int max_remove; /* per cent, see table/merge.h */
    int reconcile;  /* between two comparisons with all rows; 0: never */
    int start_wait; /* at most, before the service says that it is ready */
    int max_lag;    /* without contact, before that is an error */
};

/* One owner of everything in it; read-only once made, so threads may share it. */
struct settings {
    char *file;              /* as it was named; NULL: defaults alone */
    struct conf_list files;  /* every file that was read, in this order */
    struct conf_spot *spots; /* heap: where each of settings_keys is set; file is NULL: in none */

    char *socket;        /* "unix:PATH", "inet:PORT@HOST", "inet6:PORT@HOST" */
    char *lookup_socket; /* "unix:PATH", or "" for none */
    bool lookup_socket_is_set;
    bool allow_remote;
    char *socket_group; /* "": postfix where there is such a group, else the daemon's own */
    char *socket_mode_text;
    unsigned socket_mode;
    char *table;
    char *user;     /* "": the user that started it */
    char *pid_file; /* "": none */

    int mode;           /* enum settings_mode */
    int on_table_error; /* enum settings_on_table_error */

    struct address_rules addresses; /* points to the two strings below */
    bool fold_case;
    char *delimiters, *local_domain;

    struct texts texts;
    struct conf_groups texts_by_domain; /* of struct domain_texts, sorted: texts_find */

    int disclose; /* index of "anyone", "trusted", "nobody" */
    bool conceal; /* who may not know is answered as of an unknown mailbox */
    struct conf_list trusted_text;
    struct network *trusted; /* trusted_count of them */
    size_t trusted_count;
    struct conf_list trusted_domains; /* A-labels, lower case */
    int limit;                        /* new addresses a client and period; 0: no limit */
    int network_limit, total_limit;   /* of a client's network, and of all; 0: no limit */
    int ipv4_prefix, ipv6_prefix, ipv4_network_prefix, ipv6_network_prefix;
    int memory;                /* MiB that the counts may take */
    int period;                /* seconds */
    int over_limit;            /* enum settings_over_limit */
    struct limit_rules limits; /* made of the keys above */

    int sort_buffer; /* MiB */

    struct source_settings source;
    bool hits;         /* whether they are counted */
    int hits_interval; /* seconds */
    int hits_senders;  /* slots of a row */
    int hits_keep;     /* days */
    int hits_memory;   /* MiB */

    int log_target;              /* enum settings_log_target */
    int log_facility, log_level; /* values of syslog(3) */
};

/* The defaults, with nothing read. Returns NULL where memory is out. */
struct settings *settings_new(void);

/* The rows of the keys, *count of them, with the keys of a group together. Their offsets are within struct settings. */
const struct conf_key *settings_keys(size_t *count);

/* The path of the configuration file: given (option -c), or MILTER_MOVED_CONF in the environment, or the
 * built-in path. given may be NULL. *is_default, if not NULL, becomes true for the built-in path. */
const char *settings_path(const char *given, bool *is_default);

/* Reads file, then FILE.d with its *.conf in the order of their names (as octets; none that begin with a
 * dot), key by key: the last one that sets a key wins. Without FILE.d that is file alone. Checks the
 * whole. Returns 0 with *out, which the caller gives to settings_free; or -1 with err: EX_NOINPUT (file
 * is missing), EX_NOPERM, EX_CONFIG with the file, the line and the key. */
int settings_read(struct settings **out, const char *file, struct error *err);

/* As settings_read, without the group source, which keeps its defaults: for the daemon. Whatever stands there never keeps mail
 * from being answered. */
int settings_read_for_daemon(struct settings **out, const char *file, struct error *err);

/* Replaces the password in a connection string or URI of libpq by stars, and with it what comes after "password=". */
void settings_hide_passwords(char *text);

/* NULL is fine. */
void settings_free(struct settings *settings);

/* Puts the file and the line of the key that the text of an EX_CONFIG error begins with in front of it. Always -1. */
int settings_locate(const struct settings *settings, struct error *err);

/* Warns of settings that are valid but probably wrong, such as a reply from which programs cannot
 * read the new address, and of files that this user could not read again. Calls say with one line for each. */
void settings_warn(const struct settings *settings, void (*say)(const char *line));

#endif
