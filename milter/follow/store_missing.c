/* SPDX-License-Identifier: BSD-2-Clause */
/* follow/store_missing.c: the store where the program is built without libpq */
#include "follow/store.h"

#pragma GCC diagnostic ignored "-Wunused-parameter"

int store_new(struct store **out, const struct store_address *address, struct error *err)
{
    return error_set(err, EX_CONFIG,
                     "%s: this program was built without libpq: configure it --with-pgsql",
                     address->key);
}

void store_free(struct store *store)
{
}

void store_wait(struct store *store, int milliseconds)
{
}

void store_write_abort(struct store *store)
{
}

/* Nobody has a store to call the rest with. */
#define MISSING(name, ...)                                                                         \
    int name(struct store *store, __VA_ARGS__, struct error *err)                                  \
    {                                                                                              \
        return store_new(&store, &(struct store_address){.key = "source"}, err);                   \
    }
MISSING(store_poll, struct store_head *out)
MISSING(store_delta, const struct mark *mark, struct store_head *out,
        const struct store_reader *reader)
MISSING(store_whole, const struct mark *mark, int64_t since, struct store_head *out,
        const struct store_reader *reader)
MISSING(store_write_begin, const char *author, const char *program)
MISSING(store_write_has_newer, int64_t version, const char *host, bool *out)
MISSING(store_write_row, const struct entry *entry, bool gone)
MISSING(store_write_apply, bool replace, struct store_written *out)
MISSING(store_write_commit, int64_t *version)
MISSING(store_accept, const char *author, const char *program)
