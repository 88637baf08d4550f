/* SPDX-License-Identifier: BSD-2-Clause */
/* table/hit_file.h: who was answered by which entry, in the LMDB environment hits/ in the folder of a table. The daemon
 * writes it; movedctl reads it and clears it.
 *
 * Kept: a row for each entry (table/hit_row.h), under the entry's key; keyed hashes of the pairs of entry and sender
 * domain seen before, see hit_seen.c; and the state below. Never the mailbox name of a sender, the address of a client or a
 * time of day. */
#ifndef TABLE_HIT_FILE_H
#define TABLE_HIT_FILE_H

#include "base/error.h"
#include "table/hit_row.h"
#include "table/record.h"
#include "table/table.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HIT_GAPS_MAX 16

#define HIT_DAY_SECONDS 86400

/* What stands for the domain of a sender that has none, or whose domain is no name: an address literal would be the address of
 * a client. */
#define HIT_NO_DOMAIN "(none)"
#define HIT_NULL_PATH "<>" /* of a bounce, RFC 5321 section 4.5.5 */

/* What hits/ says of itself; days are those of UTC since 1970. All fields have one size: they are stored as an array. */
struct hit_state {
    uint64_t format;
    uint64_t began, alive; /* the days on which counting began, and was last seen to go on */
    uint64_t paused;       /* 1: answers are given and not counted, since hits.enabled is false */
    uint64_t lost, lost_last; /* mails that were not counted; the last day of that, 0: none */
    uint64_t log_next; /* the first change of the change log that was not looked at; 0: none was */
    /* The last day on which entries were added that the change log does not name; 0: none */
    uint64_t unknown;
    uint64_t today, today_pairs; /* the day of the pairs that no filter has yet; how many */
    uint64_t chunks, current,
        since[3];    /* of the filters: size, the one that is filled, the first day of each */
    uint64_t key[2]; /* of the hash */
    uint64_t gaps,
        gap[HIT_GAPS_MAX][2]; /* days on which the daemon did not run, first to last, in order */
};

struct hit_rules {
    unsigned senders; /* slots of a row, 1 to HIT_SLOTS_MAX */
    unsigned keep;    /* days */
    unsigned memory;  /* MiB of the three filters together */
};

/* Mails of one sender domain to one entry on one day. */
struct hit {
    const char *key; /* of the entry: record_key */
    /* As the client wrote it; "" where the sender has none, "<>" for the null reverse-path */
    const char *domain;
    uint16_t key_length, domain_length;
    uint32_t day;
    uint64_t mails;
};

struct hit_file; /* used by one thread at a time; open it after fork(2) */

/* Opens hits/ in the folder of the table; TABLE_WRITE makes what is missing. Returns 0 with *out, which the caller gives
 * to hit_file_free; or -1 with err: EX_NOINPUT where nothing was counted yet, EX_DATAERR damaged, EX_NOPERM. */
int hit_file_open(struct hit_file **out, const char *table, enum table_mode mode,
                  struct error *err);
void hit_file_free(struct hit_file *file); /* NULL is fine */

/* Notes that counting has gone on since hits/ was last written by this process: a day that is left out is the clock's. */
void hit_file_goes_on(struct hit_file *file);

/* Whether the files in the folder are the ones that are open, and whole; as table_check. */
int hit_file_check(struct hit_file *file, struct error *err);

/* The state. Returns 0, or -1 with err. */
int hit_file_state(struct hit_file *file, struct hit_state *out, struct error *err);

/* Counts these mails, and that so many more were lost, in one transaction; count and lost may be 0: the day is noted. Returns
 * 0; or -1 with err and nothing counted. */
int hit_file_write(struct hit_file *file, const struct hit *hits, size_t count, uint64_t lost,
                   uint32_t today, const struct hit_rules *rules, struct error *err);

/* Notes that answers are given from now on that are not counted. Where they are counted again on a later day, counting begins
 * then. Returns 0, or -1 with err. */
int hit_file_pause(struct hit_file *file, struct error *err);

/* Calls use with the table, and returns what it returns; 0 without a call where there is no table now. A table that others wait
 * for is lent only while nothing waits for the disk or for another process that writes hits/. */
typedef int hit_lend(void *from, int (*use)(struct table *table, void *data), void *data);
int hit_lend_table(void *from, int (*use)(struct table *table, void *data),
                   void *data); /* from: the table */

/* Takes over from the table's change log which entries were added, and drops the rows of those that were deleted. Returns 0, or -1
 * with err. */
int hit_file_follow(struct hit_file *file, hit_lend *lend, void *from, uint32_t today,
                    struct error *err);

/* Looks at some thousand rows behind *place, and drops those without a mail since that day that are not of a newer entry either,
 * and those without an entry; lend NULL: not these. Begin with all zero; *place is moved. Returns 1, 0 after the last row, or -1
 * with err. */
struct hit_place {
    size_t length;
    char key[RECORD_KEY_MAX];
};
int hit_file_sweep(struct hit_file *file, hit_lend *lend, void *from, struct hit_place *place,
                   uint32_t since, struct error *err);

/* ---- reading: a walk through the rows in the order of the table's entries. It reads ahead and keeps no transaction open. */

struct hit_walk {
    struct hit_file *file;
    struct hit_place at; /* the key of the current row */
    struct hit_row row;
    bool over;
    size_t from_length;
    char from[RECORD_KEY_MAX + 1]; /* where the next batch begins */
    size_t used, read;             /* octets of batch */
    unsigned char batch[64 * 1024];
};

/* Starts at the first row whose key is at least this one; with length 0 at the first row. */
void hit_walk_begin(struct hit_walk *walk, struct hit_file *file, const char *key, size_t length);

/* The next row into walk->at and walk->row. Returns 1, 0 after the last, or -1 with err. */
int hit_walk_next(struct hit_walk *walk, struct error *err);

/* The row of exactly this entry. */
enum table_result hit_file_find(struct hit_file *file, const char *key, size_t length,
                                struct hit_row *out, struct error *err);

/* The first of so many days, the last of which is today; 0 where counting began later. */
uint32_t hit_window(const struct hit_state *state, uint32_t days, uint32_t today);

/* ---- clearing */

/* Forgets who has written to this entry. What is counted of it begins today. Returns 0, or -1 with err. */
int hit_file_clear_entry(struct hit_file *file, const char *key, size_t length, uint32_t today,
                         struct error *err);

/* Forgets the rows whose last mail is older than this day, some thousand at a time: a daemon counts meanwhile. Counting begins then.
 * Returns 0, or -1 with err. */
int hit_file_clear_until(struct hit_file *file, uint32_t until, struct error *err);

/* Removes hits/ whole, even where it is damaged; a daemon that runs makes it again. Returns 0, or -1 with err. */
int hit_file_remove(const char *table, struct error *err);

#endif
