#include "table/order.h"

#include <stdint.h>
#include <string.h>

/* Of most machines, and so of LMDB's files there; and of most processors' caches. Elsewhere less is gained. */
#define FETCH_PAGE 4096
#define FETCH_LINE 64

/* LMDB goes through a page by halves, and of a million entries hardly a page is in the processor's
 * cache: each half would wait for memory anew. Asked for at the first, all lines come side by side.
 * It is a hint, which never faults. */
static void fetch_page(const void *in)
{
    static _Thread_local uintptr_t last;
    uintptr_t page = (uintptr_t)in & ~(uintptr_t)(FETCH_PAGE - 1);
    if (page == last)
        return;
    last = page;
    for (size_t at = 0; at < FETCH_PAGE; at += FETCH_LINE)
        __builtin_prefetch((const char *)page + at);
}

int order_keys(const MDB_val *sought, const MDB_val *found)
{
    size_t a = sought->mv_size, b = found->mv_size;
    fetch_page(found->mv_data);
    int order = memcmp(sought->mv_data, found->mv_data, a < b ? a : b);
    return order != 0 ? order : (a > b) - (a < b);
}
