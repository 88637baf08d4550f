/* answer/limit.h: how many different new addresses a client has been told in this period, so
 * that nobody collects them all. Memory is fixed when it is made, whatever the number of
 * clients. Threads may share it. */
#ifndef ANSWER_LIMIT_H
#define ANSWER_LIMIT_H

#include "base/network.h"

#include <stdbool.h>
#include <stdint.h>

struct limit; /* limit_new, limit_free */

/* At most limit new addresses to each client (IPv4 /32, IPv6 /64) in period seconds. Returns
 * NULL where memory is out. */
struct limit *limit_new(unsigned limit, unsigned period);

/* NULL is fine. */
void limit_free(struct limit *limit);

/* Takes note that the client would be told new_address at the moment now. Returns whether it may
 * be: one that it was told before in this period costs nothing. */
bool limit_allows(struct limit *limit, const struct ip *client, const char *new_address,
                  int64_t now);

#endif
