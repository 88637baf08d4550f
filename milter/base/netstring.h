/* SPDX-License-Identifier: BSD-2-Clause */
/* base/netstring.h: "5:hello,", the framing of the socketmap protocol (socketmap_table(5);
 * https://cr.yp.to/proto/netstrings.txt). No I/O. */
#ifndef BASE_NETSTRING_H
#define BASE_NETSTRING_H

#include <stddef.h>

#define NETSTRING_MAX      100000 /* octets of a payload, as in Postfix */
#define NETSTRING_OVERHEAD 8      /* octets around a payload: six digits, ':' and ',' */

enum netstring_result {
    NETSTRING_WHOLE,
    NETSTRING_PART, /* valid so far; more octets are needed */
    NETSTRING_BAD,  /* no netstring, or too long: what follows cannot be parsed */
};

/* A netstring at the beginning of a buffer. */
struct netstring {
    const char *payload; /* NETSTRING_WHOLE: points into the buffer */
    size_t length;       /* of the payload, in octets; also for NETSTRING_PART once it is known */
    size_t total;        /* including the framing; 0 if not known yet */
};

/* Parses the netstring at the beginning of data[size]. */
enum netstring_result netstring_parse(struct netstring *out, const char *data, size_t size);

/* Writes the payload as a netstring to out[size]. Returns its length in octets; 0 if it does not fit. */
size_t netstring_write(char *out, size_t size, const char *payload, size_t length);

#endif
