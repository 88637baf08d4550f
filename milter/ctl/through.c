/* SPDX-License-Identifier: BSD-2-Clause */
#include "ctl/through.h"

#include "base/printable.h"
#include "ctl/progress.h"
#include "follow/state.h"
#include "format/fields.h"
#include "net/io.h"
#include "table/mark.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define IN_FORCE_MS 2000
#define LOOK_MS     10

bool through_is_meant(const struct ctl *ctl)
{
    return *ctl->settings->source.connect != '\0' && strcmp(ctl->path, ctl->settings->table) == 0;
}

int through_asked(const struct ctl *ctl, struct error *err)
{
    struct mark mark;
    if (through_is_meant(ctl))
        return 1;
    enum table_result there = table_get_mark(ctl->table, &mark, err);
    if (there != TABLE_FOUND)
        return there == TABLE_ABSENT ? 0 : -1;
    if (*ctl->settings->source.connect == '\0')
        return error_set(err, EX_CONFIG,
                         "%s: the table follows a store, and source.connect is not set: set it, or "
                         "make the table this host's own with movedctl follow --detach",
                         ctl->path);
    return 1;
}

/* ---- the transaction */

int through_connect(struct store **out, const struct ctl *ctl, struct error *err)
{
    const struct source_settings *source = &ctl->settings->source;
    /* The password file may be the service's alone, and an administrator has one of their own. */
    bool readable = access(source->passfile, R_OK) == 0;
    const struct store_address address = {.key = "source.write",
                                          .connect = source->write,
                                          .passfile = readable ? source->passfile : "",
                                          .schema = source->schema,
                                          .timeout = source->timeout,
                                          .writes = true};
    return store_new(out, &address, err);
}

int through_begin(struct through *through, const struct ctl *ctl, bool replace, struct error *err)
{
    struct ctl_author author;
    *through = (struct through){.ctl = ctl, .replace = replace};
    if (*ctl->settings->source.write == '\0')
        return 0;
    ctl_author(ctl, &author);
    return through_connect(&through->store, ctl, err) != 0
               ? -1
               : store_write_begin(through->store, author.user, author.program, err);
}

int through_apply(struct through *through, struct error *err)
{
    if (through->store == NULL)
        return error_set(err, EX_NOPERM,
                         "nothing was changed: this host may not write to the store: set "
                         "source.write%s",
                         through->printed ? ", or run the SQL above in the store, as moved_admin"
                                          : "");
    return store_write_apply(through->store, through->replace, &through->written, err);
}

/* before: the mark before the commit. Another store may have lower version numbers than the table. */
static bool is_in_force(const struct ctl *ctl, int64_t version, const struct mark *before)
{
    struct error unheard;
    struct mark mark;
    return table_get_mark(ctl->table, &mark, &unheard) == TABLE_FOUND && mark.version >= version &&
           strcmp(mark.nonce, before->nonce) != 0;
}

static void warn_of_lag(const struct ctl *ctl, int64_t version)
{
    struct follow_state state;
    struct error unheard;
    bool held = state_read(&state, ctl->path, &unheard) == 0 && state.status == FOLLOW_HELD &&
                state.store_version >= version;
    ctl_warn("the store has the change, and this host %s",
             held ? "holds it back, since so much would go: if that is meant, run movedctl follow "
                    "--accept"
                  : "not yet: see movedctl follow --status");
    state_clear(&state);
}

int through_commit(struct through *through, struct error *err)
{
    const struct timespec pause = {0, LOOK_MS * 1000000};
    struct mark before = {.version = 0};
    int64_t version;
    if (table_get_mark(through->ctl->table, &before, err) == TABLE_FAILED ||
        store_write_commit(through->store, &version, err) != 0)
        return -1;
    if (version == 0)
        return 0;
    const struct timespec end = io_deadline_ms(IN_FORCE_MS);
    bool is_there;
    while (!(is_there = is_in_force(through->ctl, version, &before)) &&
           io_milliseconds_left(&end) > 0)
        nanosleep(&pause, NULL);
    if (!is_there)
        warn_of_lag(through->ctl, version);
    return 0;
}

void through_end(struct through *through)
{
    if (through->store != NULL)
        store_write_abort(through->store);
    store_free(through->store);
    through->store = NULL;
}

int through_finish(struct through *through, int rc, struct error *err)
{
    if (rc == 0)
        rc = through_apply(through, err);
    if (rc == 0)
        rc = through_commit(through, err);
    through_end(through);
    return rc;
}

/* ---- instead: the SQL that would do the same */

#define COLUMNS "new_address, action, valid_from, valid_until, forward_until, disclose, note"

/* standard_conforming_strings has been on since PostgreSQL 9.1. Octets that would control a terminal are escaped. */
static void print_literal(const char *text, const char *end)
{
    if (*text == '\0') {
        fprintf(stderr, "NULL%s", end);
        return;
    }
    char *shown = strdup(text);
    bool is_plain = shown != NULL;
    if (is_plain) {
        printable_make(shown);
        is_plain = strcmp(shown, text) == 0;
    }
    fputs(is_plain ? "'" : "E'", stderr);
    for (size_t i = 0; text[i] != '\0'; i++)
        if (!is_plain && (text[i] == '\\' || shown == NULL || shown[i] != text[i]))
            fprintf(stderr, "\\x%02x", (unsigned char)text[i]);
        else
            fputs(text[i] == '\'' ? "''" : (const char[]){text[i], '\0'}, stderr);
    fprintf(stderr, "'%s", end);
    free(shown);
}

static void print_table(const struct through *through, const char *before, const char *behind)
{
    progress_clear();
    fprintf(stderr, "%s \"", before);
    for (const char *at = through->ctl->settings->source.schema; *at != '\0'; at++)
        fputs(*at == '"' ? "\"\"" : (const char[]){*at, '\0'}, stderr);
    fprintf(stderr, "\".moved %s", behind);
}

int through_put(struct through *through, const struct entry *entry, struct error *err)
{
    struct fields fields;
    const char *end = through->replace
                          ? ") ON CONFLICT (old_address) DO UPDATE SET (" COLUMNS ") = "
                            "(excluded.new_address, excluded.action, excluded.valid_from, "
                            "excluded.valid_until, excluded.forward_until, "
                            "excluded.disclose, excluded.note);\n"
                          : ");\n";
    if (through->store != NULL)
        return store_write_row(through->store, entry, false, err);
    through->printed = true;
    fields_spell(&fields, entry);
    print_table(through, "INSERT INTO", "(old_address, " COLUMNS ") VALUES (");
    for (int i = 0; i < FIELDS; i++) /* in the order of the columns */
        print_literal(fields.values[i], i < FIELDS - 1 ? ", " : end);
    return 0;
}

int through_del(struct through *through, const struct entry *old, struct error *err)
{
    char text[ADDRESS_TEXT_SIZE];
    if (through->store != NULL)
        return store_write_row(through->store, old, true, err);
    through->printed = true;
    entry_format_old(text, sizeof text, old);
    print_table(through, "DELETE FROM", "WHERE old_address = ");
    print_literal(text, ";\n");
    return 0;
}
