/* SPDX-License-Identifier: BSD-2-Clause */
/* ctl/hits.c: who still writes to the old addresses */
#include "ctl/hits.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static uint32_t day_of(int64_t moment)
{
    return (uint32_t)(moment / HIT_DAY_SECONDS);
}

/* ---- hits/ */

/* If nothing has been counted, there is no file: a warning, but no error. */
static int open_file(struct hits *hits, enum table_mode mode, struct error *err)
{
    const struct ctl *ctl = hits->ctl;
    int rc = hit_file_open(&hits->file, ctl->path, TABLE_READ, err);
    if (rc == 0 && mode == TABLE_WRITE) { /* not at once, because that would create it */
        hit_file_free(hits->file);
        hits->file = NULL;
        rc = hit_file_open(&hits->file, ctl->path, TABLE_WRITE, err);
    }
    if (rc == 0)
        return hit_file_state(hits->file, &hits->state, err);
    hits->file = NULL;
    if (err->status != EX_NOINPUT)
        return -1;
    ctl_warn(ctl->settings->hits
                 ? "nothing has been counted yet: milter-moved begins when it is started"
                 : "nothing has been counted: hits.enabled is false");
    return 0;
}

/* Warns of mails since this day that were not counted. */
static void warn_of_losses(const struct hits *hits, uint32_t since)
{
    const struct hit_state *state = &hits->state;
    char first[HITS_DAY_SIZE], last[HITS_DAY_SIZE];
    if (hits->file == NULL)
        return;
    for (uint64_t i = 0; i < state->gaps; i++)
        if (state->gap[i][1] >= since)
            ctl_warn("milter-moved did not run from %s to %s, and counted nothing",
                     hits_day(first, state->gap[i][0]), hits_day(last, state->gap[i][1]));
    if (state->lost > 0 && state->lost_last >= since)
        ctl_warn("mails that were answered and not counted: %" PRIu64 ", the last on %s",
                 state->lost, hits_day(last, state->lost_last));
}

/* ---- clearing */

/* Clears the entry, or only checks that there is one: it has a row or is in the table. Returns 1 if there is none. */
static int clear_entry(struct hits *hits, const char *name, bool checks, struct error *err)
{
    struct entry old;
    struct hit_row row;
    char key[RECORD_KEY_MAX];
    enum table_result found = TABLE_ABSENT;
    if (ctl_parse_old(hits->ctl, name, &old, err) != 0)
        return -1;
    size_t length = record_key(key, old.scope, old.local, old.domain);
    if (!checks)
        return hits->file == NULL ? 0
                                  : hit_file_clear_entry(hits->file, key, length, hits->today, err);
    if (hits->file != NULL)
        found = hit_file_find(hits->file, key, length, &row, err);
    if (found == TABLE_ABSENT)
        found = table_find(hits->view, old.scope, old.local, old.domain, &old, err);
    if (found == TABLE_ABSENT)
        ctl_warn("no entry '%s': nothing was cleared", name);
    return found == TABLE_FAILED ? -1 : found == TABLE_ABSENT;
}

/* All are checked first: if one of them is mistyped, none is cleared. */
static int clear_entries(struct hits *hits, char **args, struct error *err)
{
    int status = 0;
    for (char **name = args; status >= 0 && *name != NULL; name++) {
        int rc = clear_entry(hits, *name, true, err);
        status = rc != 0 ? rc : status;
    }
    for (; status == 0 && *args != NULL; args++)
        status = clear_entry(hits, *args, false, err);
    return status;
}

static int clear(struct hits *hits, char **args, struct error *err)
{
    const struct options *options = &hits->ctl->options;
    int64_t until = 0;
    if ((*args != NULL) + (options->until != NULL) + options->all != 1 || options->add ||
        options->by_sender || options->since != NULL || options->unused_for != NULL ||
        options->domain != NULL || options->top != NULL || options->json)
        return error_set(
            err, EX_USAGE,
            "--clear goes with OLD..., with --until T, or with --all: use one of them");
    if (options->all)
        return hit_file_remove(hits->ctl->path, err);
    if (options->until != NULL && timestamp_parse(&until, options->until, time(NULL), err) != 0)
        return error_at(err, "--until", 0);
    if (open_file(hits, TABLE_WRITE, err) != 0)
        return -1;
    if (options->until != NULL)
        return hits->file == NULL ? 0 : hit_file_clear_until(hits->file, day_of(until), err);
    hits->view = table_view_open(hits->ctl->table, err);
    return hits->view == NULL ? -1 : clear_entries(hits, args, err);
}

/* ---- showing */

/* *days are those of --unused-for. */
static int read_options(struct hits *hits, uint32_t *days, struct error *err)
{
    const struct options *options = &hits->ctl->options;
    int keep = hits->ctl->settings->hits_keep;
    int64_t since = 0, seconds = 0;
    uint64_t top = 0;
    if (ctl_parse_domain(hits->ctl, hits->domain, err) != 0)
        return -1;
    if (options->since != NULL && timestamp_parse(&since, options->since, time(NULL), err) != 0)
        return error_at(err, "--since", 0);
    if (options->top != NULL && (!ctl_parse_number(&top, options->top, 100000) || top == 0))
        return error_set(err, EX_USAGE, "--top: '%s': write a number from 1 to 100000",
                         options->top);
    if (options->until != NULL || options->all)
        return error_set(err, EX_USAGE, "--until and --all require --clear: use both");
    if (options->unused_for != NULL &&
        ctl_parse_duration(&seconds, "--unused-for", options->unused_for, err) != 0)
        return -1;
    hits->since = day_of(since);
    hits->top = top;
    *days = day_of(seconds + HIT_DAY_SECONDS - 1); /* a part of a day counts as one */
    return *days <= (uint32_t)keep
               ? 0
               : error_set(err, EX_USAGE,
                           "--unused-for: counts are kept for %dd (hits.keep): write at most that",
                           keep);
}

/* With --add, operands without '@' are files; the others remain in args. */
static int read_files(struct hits *hits, char **args, struct error *err)
{
    char **kept = args;
    size_t files = 0;
    if (!hits->ctl->options.add)
        return 0;
    for (; *args != NULL; args++)
        if (strchr(*args, '@') != NULL)
            *kept++ = *args;
        else if (++files, hits_read(hits, *args, err) != 0)
            return -1;
    *kept = NULL;
    return files > 0
               ? 0
               : error_set(err, EX_USAGE, "--add: no file: write the output of hits --json, or -");
}

/* Calls each for these entries, also if they have had no mail. Returns 1 if one does not exist. */
static int each_named(struct hits *hits, char **args, hits_use *each, struct error *err)
{
    struct entry old, entry;
    struct hit_row row;
    int status = 0;
    for (; *args != NULL; args++) {
        if (ctl_parse_old(hits->ctl, *args, &old, err) != 0)
            return -1;
        switch (table_find(hits->view, old.scope, old.local, old.domain, &entry, err)) {
        case TABLE_FAILED: return -1;
        case TABLE_ABSENT: status = 1; break;
        case TABLE_FOUND:
            if (hits_find(hits, &old, &row, err) != 0 ||
                (hits_wants(hits, &old, &row) && each(hits, &old, &row, err) != 0))
                return -1;
        }
    }
    return status;
}

static int show(struct hits *hits, char **args, struct error *err)
{
    bool by_sender = hits->ctl->options.by_sender;
    hits_use *use = by_sender ? hits_add_up : hits->top > 0 ? hits_keep_best : hits_print_row;
    int status = *args != NULL ? each_named(hits, args, use, err) : hits_each(hits, use, err);
    if (status < 0 || use == hits_print_row)
        return status;
    return (by_sender ? hits_print_senders : hits_print_best)(hits, err) != 0 ? -1 : status;
}

/* Reads the change log first: an entry that was added a moment ago is not unused. */
static int show_unused(struct hits *hits, uint32_t days, struct error *err)
{
    if (hits->file != NULL &&
        (hit_file_follow(hits->file, hit_lend_table, hits->ctl->table, hits->today, err) != 0 ||
         hit_file_state(hits->file, &hits->state, err) != 0))
        return -1;
    warn_of_losses(hits, hits->today > days ? hits->today - days : 0);
    return hits_unused(hits, days, err);
}

static int list(struct hits *hits, char **args, struct error *err)
{
    const struct options *options = &hits->ctl->options;
    bool unused = options->unused_for != NULL;
    uint32_t days = 0;
    if (read_options(hits, &days, err) != 0 || read_files(hits, args, err) != 0)
        return -1;
    if (unused && (*args != NULL || options->by_sender || options->since != NULL || hits->top > 0))
        return error_set(
            err, EX_USAGE,
            "--unused-for goes with --domain, --add and --json alone: leave the rest out");
    if (open_file(hits, unused ? TABLE_WRITE : TABLE_READ, err) != 0 ||
        (hits->view = table_view_open(hits->ctl->table, err)) == NULL)
        return -1;
    if (!unused)
        warn_of_losses(hits, hits->since);
    hits->list.json = options->json;
    int rc = unused ? show_unused(hits, days, err) : show(hits, args, err);
    if (rc >= 0)
        list_end(&hits->list);
    return rc;
}

static int run(struct ctl *ctl, char **args, struct error *err)
{
    struct hits hits = {.ctl = ctl, .today = day_of(time(NULL))};
    int rc = ctl->options.clear ? clear(&hits, args, err) : list(&hits, args, err);
    table_view_close(hits.view);
    free(hits.best);
    hits_free_added(&hits);
    names_free(&hits.senders, NULL);
    hit_file_free(hits.file);
    return rc;
}

const struct command command_hits = {
    .name = "hits",
    .usage = "hits [OPTION...] [OLD...] | hits --clear OLD...|--until T|--all",
    .summary = "Show who still writes to the old addresses",
    .details = "Each mail that an entry answers is counted, with the domain of the sender.\n"
               "A domain that comes back on another day is listed; all others are strangers.\n"
               "\n"
               "  --domain D      only entries of this domain\n"
               "  --since T       only entries whose last mail is of T or later\n"
               "  --top N         only the N entries, or senders, with most mails\n"
               "  --by-sender     add up by the sender's domain\n"
               "  --unused-for D  print the entries that may be retired: nobody came back in\n"
               "                  the last D of counting, 180d for instance, and the entry is\n"
               "                  older\n"
               "  --add FILE...   add what other hosts have counted: their hits --json\n"
               "  --json          print an array of objects\n"
               "  --clear         forget what was counted: of these entries, of entries whose\n"
               "                  last mail is older than T, or everything\n",
    .example = "movedctl hits --domain old.example --top 20\n"
               "movedctl hits --unused-for 180d | movedctl del -",
    .operands = "OLD",
    .takes = "domain since unused-for by-sender top add json clear until all",
    .args = {0, -1},
    .opens = TABLE_TO_READ,
    .run = run,
};
