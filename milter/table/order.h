/* table/order.h: the order of the keys: LMDB's own, found with fewer waits for memory. */
#ifndef TABLE_ORDER_H
#define TABLE_ORDER_H

#include <lmdb.h>

/* For mdb_set_compare: less than, equal to or greater than 0, as LMDB's own comparison of keys: octet by octet,
 * and of two that begin alike the shorter one first. So other programs may read and write the file with theirs.
 * found is the key in the file. */
int order_keys(const MDB_val *sought, const MDB_val *found);

#endif
