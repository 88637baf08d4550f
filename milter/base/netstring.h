/* base/netstring.h: "5:hello,", the frame of the socketmap protocol (socketmap_table(5);
 * https://cr.yp.to/proto/netstrings.txt). Bytes in, values out, no I/O. */
#ifndef BASE_NETSTRING_H
#define BASE_NETSTRING_H

#include <stddef.h>

#define NETSTRING_MAX      100000 /* octets of a payload: Postfix's own limit */
#define NETSTRING_OVERHEAD 8      /* octets round a payload: six digits, ':' and ',' */

enum netstring_result {
    NETSTRING_WHOLE,
    NETSTRING_PART, /* good so far: more octets are needed */
    NETSTRING_BAD,  /* no netstring, or longer than NETSTRING_MAX: nothing behind it can be read */
};

/* A netstring at the beginning of some octets. */
struct netstring {
    const char *payload; /* borrowed: points into the octets; NETSTRING_WHOLE */
    size_t length;       /* of the payload, in octets; also for NETSTRING_PART once it is known */
    size_t total;        /* with its frame; 0 where it is not known yet */
};

/* Reads the netstring that data[size] begins with. */
enum netstring_result netstring_parse(struct netstring *out, const char *data, size_t size);

/* Writes the netstring of the payload into out[size]. Returns its length in octets; 0 where it does
 * not fit. */
size_t netstring_write(char *out, size_t size, const char *payload, size_t length);

#endif
