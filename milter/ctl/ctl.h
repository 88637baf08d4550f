/* SPDX-License-Identifier: BSD-2-Clause */
/* ctl/ctl.h: what movedctl's commands share. A command is one file and one row in movedctl.c. */
#ifndef CTL_CTL_H
#define CTL_CTL_H

#include "answer/settings.h"
#include "base/error.h"
#include "table/change.h"
#include "table/entry.h"
#include "table/table.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* How a command opens the table before it runs. */
enum command_opens { TABLE_NONE, TABLE_TO_READ, TABLE_TO_WRITE };

/* The long options of all commands, one row each: the name, and the member of struct options. TEXT has an argument, and
 * says what it may be, as the operands of struct command; "": anything. */
/* clang-format off */
#define OPTION_ROWS(FLAG, TEXT) \
    FLAG("accept", accept) \
    FLAG("add", add) \
    FLAG("all", all) \
    FLAG("authenticated", authenticated) \
    FLAG("by-sender", by_sender) \
    FLAG("clear", clear) \
    FLAG("count", count) \
    FLAG("detach", detach) \
    FLAG("dns", dns) \
    FLAG("dry-run", dry_run) \
    FLAG("forward", forward) \
    FLAG("gone", gone) \
    FLAG("here", here) \
    FLAG("json", json) \
    FLAG("nagios", nagios) \
    FLAG("observe", observe) \
    FLAG("once", once) \
    FLAG("prometheus", prometheus) \
    FLAG("raise-limits", raise_limits) \
    FLAG("replace", replace) \
    FLAG("replace-all", replace_all) \
    FLAG("resync", resync) \
    FLAG("skip-bad", skip_bad) \
    FLAG("smtputf8", smtputf8) \
    FLAG("status", status) \
    FLAG("stay", stay) \
    FLAG("unserved", unserved) \
    FLAG("verbose", verbose) \
    FLAG("yes", yes) \
    TEXT("as", as, "") \
    TEXT("at", at, "") \
    TEXT("client", client, "") \
    TEXT("client-name", client_name, "") \
    TEXT("columns", columns, "") \
    TEXT("config-dir", config_dir, "DIR") \
    TEXT("delimiter", delimiter, "") \
    TEXT("disclose", disclose, "anyone trusted nobody") \
    TEXT("domain", domain, "DOMAIN") \
    TEXT("expiring", expiring, "") \
    TEXT("for", lasts, "") \
    TEXT("format", format, "FORMAT") \
    TEXT("forward-until", forward_until, "") \
    TEXT("from", from, "") \
    TEXT("max-remove", max_remove, "") \
    TEXT("mc", mc, "FILE") \
    TEXT("mta", mta, "postfix sendmail") \
    TEXT("note", note, "") \
    TEXT("output", output, "") \
    TEXT("resolver", resolver, "") \
    TEXT("since", since, "") \
    TEXT("smtp", smtp, "") \
    TEXT("top", top, "") \
    TEXT("until", until, "") \
    TEXT("unused-for", unused_for, "")
/* clang-format on */

#define OPTION_FLAG(name, member)         bool member;
#define OPTION_TEXT(name, member, values) const char *member;

/* What was given, else false or NULL. Borrowed from argv. */
struct options {
    const char *file, *path;     /* -c, -d */
    bool help, version, changed; /* -h, -V, -n */
    OPTION_ROWS(OPTION_FLAG, OPTION_TEXT)
};

struct command;

struct ctl {
    const struct command *const *commands; /* all of them, for help */
    const struct settings *settings;
    const char *path;    /* of the table: -d, or the settings' */
    struct table *table; /* as the command's row says; NULL for TABLE_NONE */
    struct options options;
    char **words; /* the command, its options, its operands; NULL-terminated */
};

struct command {
    const char *name;
    const char *also;      /* what other programs call it, separated by blanks; NULL: nothing */
    const char *usage;     /* "get [--json] OLD" */
    const char *summary;   /* without its full stop; NULL: help does not list the command */
    const char *details;   /* more lines for help COMMAND; NULL: none */
    void (*explain)(void); /* prints still more of it; NULL: nothing */
    const char *example;   /* command lines, separated by line feeds */
    const char *operands;  /* what they may be, see ctl/complete.c; NULL: anything */
    const char *takes;     /* its options without dashes, separated by blanks; NULL: none */
    struct {
        int least, most; /* operands; most -1: any number */
    } args;
    enum command_opens opens;
    bool needs_no_conf; /* the defaults will do where the configuration cannot be read */
    /* args is NULL-terminated. Returns an exit status of 0 or 1; or -1 with err. */
    int (*run)(struct ctl *ctl, char **args, struct error *err);
};

/* Whether word is among words, which are separated by blanks. words may be NULL; word must not be empty. */
bool ctl_has_word(const char *words, const char *word);

/* The command of this name among all; or NULL with err (EX_USAGE), which names the one that was meant. */
const struct command *command_find(const struct command *const *all, const char *name,
                                   struct error *err);

/* Reads the configuration: given (-c), or else as settings_path. If none is given and the installed one is missing,
 * every key has its default. Returns 0 with *out, which the caller gives to settings_free; or -1 with err. */
int ctl_read_settings(struct settings **out, const char *given, struct error *err);

/* Parses an old address under the rules of the settings. Returns 0, or -1 with err (EX_DATAERR). */
int ctl_parse_old(const struct ctl *ctl, const char *old, struct entry *out, struct error *err);

/* Parses --domain into domain[ADDRESS_DOMAIN_MAX + 1]. Returns 0, with "" if it was not given; or -1 with err
 * (EX_DATAERR). */
int ctl_parse_domain(const struct ctl *ctl, char *domain, struct error *err);

/* Parses the duration of an option: "180d", "12h" or "2w". Returns 0 with *out in seconds, or -1 with err (EX_DATAERR). */
int ctl_parse_duration(int64_t *out, const char *option, const char *text, struct error *err);

/* Parses a whole number of 0 to most. Returns whether it is one; if not, *out is not set. */
bool ctl_parse_number(uint64_t *out, const char *text, uint64_t most);

/* Reads --for. Returns 0 with *seconds, 0 if it was not given; or -1 with err, also for a duration of 0. */
int ctl_parse_for(const struct ctl *ctl, int64_t *seconds, struct error *err);

/* Sets the until of an entry that has none to so many seconds after now, or after its from if that is later. Does nothing if
 * seconds is 0, or the time is after TIMESTAMP_LAST. */
void ctl_end_after(struct entry *entry, int64_t seconds, int64_t now);

/* The folder for large temporary files: TMPDIR, or that of the table, whose file system has room for them. Borrowed. */
const char *ctl_temporary_folder(const struct ctl *ctl);

/* As table_each, in short views, none of which is open while each runs: it may print to a pager that waits. */
int ctl_each(struct table *table, const char *domain,
             int (*each)(const struct entry *entry, void *data, struct error *err), void *data,
             struct error *err);

/* As table_edit_begin. On a terminal, a message after a second says that another process is changing the table. */
struct table_edit *ctl_edit_begin(const struct ctl *ctl, struct error *err);

/* Prints a warning on standard error: "movedctl: warning: ...". */
void ctl_warn(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* ---- print.c */

/* Prints the entry: as a JSON object without a line end, on a terminal in columns, or as its fields separated by tabs.
 * Returns 0, or -1 with err (EX_IOERR). */
int print_entry(const struct entry *entry, bool json, struct error *err);

/* Prints all its fields, one a line, or as a JSON object. Returns 0, or -1 with err (EX_IOERR). */
int print_details(const struct entry *entry, bool json, struct error *err);

/* Prints the value, without a line end, and frees it; NULL: memory was out, or a text is not UTF-8. flags are jansson's.
 * Returns 0, or -1 with err (EX_IOERR). */
int print_json(json_t *value, size_t flags, struct error *err);
int print_json_line(json_t *value, size_t flags, struct error *err); /* with it */

/* A list on standard output: a JSON array, written as it grows; otherwise its functions print nothing. */
struct list {
    bool json;  /* set by the caller */
    bool begun; /* there is an item */
};
void list_next(struct list *list); /* before each item */
void list_end(struct list *list);

bool print_is_terminal(void); /* standard output */

/* Whether TERM says that a terminal obeys no escape sequences. */
bool print_is_dumb(void);

/* Whether standard output is a terminal that has colour, and NO_COLOR is not set, or empty. */
bool print_has_colour(void);

/* Prints untrusted text. On a terminal, characters that printable_length refuses become '?', except tabs and line
 * feeds. Otherwise the text is printed unchanged. */
void print_text(const char *text);
void print_foreign(const char *text, size_t length);
void print_say(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Prints the formats, for the help of --format. */
void print_formats(void);

/* Prints the change of an entry: "+ OLD NEW" if before is NULL, "- OLD NEW" if after is, otherwise "~ OLD" and the
 * fields that differ. Returns 0, or -1 with err (EX_IOERR). */
int print_difference(const struct entry *before, const struct entry *after, struct error *err);

/* Sets err (EX_IOERR) for standard output that is full or closed. Returns -1. */
int print_failed(struct error *err);

/* Flushes standard output. Returns 0, or -1 with err (EX_IOERR) if it is full or closed. */
int print_flush(struct error *err);

/* ---- options.c */

/* What the argument of this long option may be, as the operands of struct command, "" for anything; NULL: it has none, or
 * no command has such an option. */
const char *option_values(const char *name);

/* Reads the options of command, and those that may stand anywhere (-c, -d, help, version), into *out; skips argv[0].
 * Returns the index of the first operand in argv, which is reordered; or -1 with err (EX_USAGE). If command is NULL,
 * stops at the command. */
int options_read(struct options *out, const struct command *command, int argc, char **argv,
                 struct error *err);

/* ---- log.c */

/* Writes "change 3 of 2026-11-25T02:19:51Z by alice as root: import moved.csv" to out[size], truncated to fit. */
void change_format(char *out, size_t size, const struct change *change);
#define CHANGE_TEXT_SIZE (CHANGE_COMMAND_MAX + 3 * CHANGE_USER_MAX)

/* Writes "2 added, 1 changed, 3 removed" to out[size], without the counts that are 0. */
void change_format_counts(char *out, size_t size, uint64_t added, uint64_t changed,
                          uint64_t removed);
#define CHANGE_COUNTS_SIZE 100

/* ---- prometheus.c */

/* Writes the daemon's counters, an object of strings, to the file as Prometheus text 0.0.4, whole or not at all; NULL: to
 * standard output. If there are none, milter_moved_up is 0, and only what is known without the daemon follows. Returns 0,
 * or -1 with err. */
int prometheus_write(const struct ctl *ctl, json_t *counters, const char *file, struct error *err);

/* ---- author.c */

/* Sets the user and the command that the change log records; ctl_edit_begin calls it. */
void ctl_sign(const struct ctl *ctl);

/* The same for a store that other hosts write to as well: "alice@mx1.example" and "movedctl add ...". */
struct ctl_author {
    char user[2 * CHANGE_USER_MAX], program[CHANGE_COMMAND_MAX + sizeof "movedctl "];
};
void ctl_author(const struct ctl *ctl, struct ctl_author *out);

/* ---- init.c */

/* The owner of a new table: the daemon's user if root creates it; otherwise -1 for both. */
void ctl_find_owner(const struct settings *settings, uid_t *owner, gid_t *group);

extern const struct command command_add, command_attach, command_backup, command_complete,
    command_config, command_del, command_detach, command_doctor, command_export, command_follow,
    command_get, command_help, command_hits, command_import, command_init, command_lint,
    command_list, command_log, command_restore, command_schema, command_stats, command_test,
    command_undo, command_version;

#endif
