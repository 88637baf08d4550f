/* SPDX-License-Identifier: BSD-2-Clause */
/* ctl/hits.h: movedctl hits. hits.c reads the options, hits_rows.c gathers the rows, hits_unused.c finds what may be retired,
 * hits_print.c prints. */
#ifndef CTL_HITS_H
#define CTL_HITS_H

#include "ctl/ctl.h"
#include "ctl/names.h"
#include "table/hit_file.h"

/* What is asked for. */
struct hits {
    struct ctl *ctl;
    struct hit_file *file; /* NULL: nothing has been counted on this host */
    struct hit_state state;
    char domain[ADDRESS_DOMAIN_MAX + 1]; /* only its entries; "": all */
    uint32_t today, since;               /* days; since 0: from the first on */
    size_t top;              /* rows or domains that are printed, those with most mails; 0: all */
    struct names added;      /* the rows of other hosts, by old address */
    struct table_view *view; /* to see which entries there are */
    struct list list;
    struct hits_best *best; /* see hits_print.c; freed with free(3) */
    struct hit_walk walk;   /* through the rows of file */
    struct names senders;
};

/* ---- hits_rows.c */

/* Reads the rows of another host, as hits --json prints them; "-" is standard input. Returns 0, or -1 with err. */
int hits_read(struct hits *hits, const char *file, struct error *err);

void hits_free_added(struct hits *hits);

/* Adds to the row what other hosts have of this entry. */
void hits_add_others(const struct hits *hits, const struct entry *old, struct hit_row *row);

/* What hits_each calls for a row. It may sort the slots. Returns 0, or -1 with err. */
typedef int hits_use(struct hits *hits, const struct entry *old, struct hit_row *row,
                     struct error *err);

/* Whether the row of this entry is asked for: --since, --domain. */
bool hits_wants(const struct hits *hits, const struct entry *old, const struct hit_row *row);

/* Calls each for the entries that have had mail, in the order of the table, then for those that only other hosts have. Stops
 * when it fails. Returns 0, or -1 with err. */
int hits_each(struct hits *hits, hits_use *each, struct error *err);

/* Decodes the key of a row: only the old address of the entry is known. Returns 0, or -1 with err. */
int hits_read_key(struct entry *out, const struct hit_place *at, struct error *err);

/* Finds the row of one entry, for all hosts together; all zero if it has had no mail. Returns 0, or -1 with err. */
int hits_find(struct hits *hits, const struct entry *old, struct hit_row *out, struct error *err);

/* ---- hits_unused.c */

/* Prints the entries to which nobody came back during the last days of counting. Returns 0, or -1 with err. */
int hits_unused(struct hits *hits, uint32_t days, struct error *err);

/* ---- hits_print.c */

hits_use hits_print_row;

/* Keeps the row if it is one of those with most mails; prints those that were kept. */
hits_use hits_keep_best;
int hits_print_best(struct hits *hits, struct error *err);

/* Adds the row up by sender domain; prints the sums. */
hits_use hits_add_up;
int hits_print_senders(struct hits *hits, struct error *err);

/* "2026-09-01" for a day; "" for 0. */
#define HITS_DAY_SIZE sizeof "2026-09-01"
const char *hits_day(char out[HITS_DAY_SIZE], uint64_t day);

#endif
