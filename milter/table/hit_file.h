/* SPDX-License-Identifier: BSD-2-Clause */
/* table/hit_file.h: who was answered by which entry, in the LMDB environment hits/ in the folder of a table. The daemon
 * writes it; movedctl reads and clears it.
 *
 * It holds a row for each entry (table/hit_row.h), under the key of the entry; keyed hashes of the pairs of entry and sender
 * domain that were seen before (hit_seen.c); and the state below. It never holds the mailbox name of a sender, the address of
 * a client or a time of day. */
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

/* The domain of a sender that has none, or whose domain is no name: an address literal would be the address of a client. */
#define HIT_NO_DOMAIN "(none)"
#define HIT_NULL_PATH "<>" /* of a bounce, RFC 5321 section 4.5.5 */

/* Days are those of UTC since 1970. All fields have one size, because they are stored as an array. */
struct hit_state {
    uint64_t format;
    uint64_t began,
        alive;       /* the day on which counting began, and the last day on which it went on */
    uint64_t paused; /* 1: answers are not counted, because hits.enabled is false */
    uint64_t lost, lost_last; /* mails that were not counted; the last day of that, 0: none */
    uint64_t log_next; /* the first change of the change log that was not read yet; 0: none was */
    /* the last day on which entries were added that the change log does not name; 0: none */
    uint64_t unknown;
    uint64_t today, today_pairs; /* the day of the pairs that are in no filter yet; their number */
    uint64_t chunks, current,
        since[3];    /* of the filters: size, the one being filled, the first day of each */
    uint64_t key[2]; /* of the hash */
    uint64_t gaps,
        gap[HIT_GAPS_MAX][2]; /* when the daemon did not run: first and last day, in order */
};

struct hit_rules {
    unsigned senders; /* slots of a row, 1 to HIT_SLOTS_MAX */
    unsigned keep;    /* days */
    unsigned memory;  /* MiB of the three filters together */
};

/* Mails of one sender domain to one entry on one day. */
struct hit {
    const char *key; /* of the entry: record_key */
    /* As the client wrote it; "" if the sender has none, "<>" for the null reverse-path */
    const char *domain;
    uint16_t key_length, domain_length;
    uint32_t day;
    uint64_t mails;
};

struct hit_file; /* used by one thread at a time; open it after fork(2) */

/* Opens hits/ in the folder of the table; TABLE_WRITE creates what is missing. Returns 0 with *out, which the caller gives to
 * hit_file_free; or -1 with err: EX_NOINPUT if nothing was counted yet, EX_DATAERR if it is damaged, EX_NOPERM. */
int hit_file_open(struct hit_file **out, const char *table, enum table_mode mode,
                  struct error *err);
void hit_file_free(struct hit_file *file); /* NULL is allowed */

/* Tells that counting has gone on since this process last wrote to hits/: a missing day is then due to the clock. */
void hit_file_goes_on(struct hit_file *file);

/* As table_check: checks that the files in the folder are the open ones, and complete. */
int hit_file_check(struct hit_file *file, struct error *err);

/* Reads the state. Returns 0, or -1 with err. */
int hit_file_state(struct hit_file *file, struct hit_state *out, struct error *err);

/* Counts these mails, and so many lost ones, in one transaction. count and lost may be 0: then it only notes the day. Returns
 * 0; or -1 with err and nothing is counted. */
int hit_file_write(struct hit_file *file, const struct hit *hits, size_t count, uint64_t lost,
                   uint32_t today, const struct hit_rules *rules, struct error *err);

/* Notes that answers are not counted from now on. If they are counted again on a later day, counting begins on that day.
 * Returns 0, or -1 with err. */
int hit_file_pause(struct hit_file *file, struct error *err);

/* Lends a table: calls use with it, and returns what use returns; or 0 if there is no table now. It is called only when
 * nothing waits for the disk or for another process that writes to hits/, because others may wait for the table. */
typedef int hit_lend(void *from, int (*use)(struct table *table, void *data), void *data);
int hit_lend_table(void *from, int (*use)(struct table *table, void *data),
                   void *data); /* from: the table */

/* Reads in the change log of the table which entries were added, and drops the rows of deleted ones. Returns 0, or -1 with
 * err. */
int hit_file_follow(struct hit_file *file, hit_lend *lend, void *from, uint32_t today,
                    struct error *err);

/* Looks at some thousand rows after *place, and drops those that have neither a mail since that day nor a newer entry, and
 * those without an entry (lend NULL: not these). Begin with a *place of zeros, which it moves. Returns 1; 0 after the last
 * row; or -1 with err. */
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

/* Reads the next row into walk->at and walk->row. Returns 1; 0 after the last row; or -1 with err. */
int hit_walk_next(struct hit_walk *walk, struct error *err);

/* Reads the row of exactly this entry. */
enum table_result hit_file_find(struct hit_file *file, const char *key, size_t length,
                                struct hit_row *out, struct error *err);

/* Returns the first of the days that end with today; 0 if counting began later. */
uint32_t hit_window(const struct hit_state *state, uint32_t days, uint32_t today);

/* ---- clearing */

/* Forgets who has written to this entry; its counting begins today. Returns 0, or -1 with err. */
int hit_file_clear_entry(struct hit_file *file, const char *key, size_t length, uint32_t today,
                         struct error *err);

/* Forgets the rows whose last mail is older than this day, in short transactions, because a daemon may be counting. Counting
 * begins on this day. Returns 0, or -1 with err. */
int hit_file_clear_until(struct hit_file *file, uint32_t until, struct error *err);

/* Removes hits/, even if it is damaged; a running daemon creates it again. Returns 0, or -1 with err. */
int hit_file_remove(const char *table, struct error *err);

#endif
