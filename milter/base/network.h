/* SPDX-License-Identifier: BSD-2-Clause */
/* base/network.h: client addresses and the networks they belong to. IPv4 and IPv6; an
 * IPv4-mapped IPv6 address (RFC 4291 section 2.5.5.2) counts as the IPv4 one. */
#ifndef BASE_NETWORK_H
#define BASE_NETWORK_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

/* An address as 16 octets; IPv4 as ::ffff:a.b.c.d. */
struct ip {
    uint8_t octets[16];
};

struct network {
    struct ip ip;
    unsigned prefix; /* in bits of the 128: an IPv4 /8 is 104 */
};

/* Parses "192.0.2.7" or "2001:db8::1", also in brackets or after "IPv6:". Returns 0, or -1 with err (EX_DATAERR). */
int ip_parse(struct ip *out, const char *text, struct error *err);

/* Extracts the address from a socket address. Returns false if it has none (NULL, AF_UNIX). */
bool ip_from_sockaddr(struct ip *out, const struct sockaddr *address);

bool ip_is_v4(const struct ip *ip);

/* Whether the text is "localhost", or an address of this host alone: 127.0.0.0/8 or ::1. */
bool ip_is_loopback(const char *text);

/* Formats the address as inet_ntop(3) does, a mapped one as IPv4. size is at least INET6_ADDRSTRLEN. */
void ip_format(char *out, size_t size, const struct ip *ip);

/* Parses "192.0.2.0/24", "2001:db8::/32", or an address (all of its bits). Refuses bits set after the prefix, because
 * they show that another network was meant. Returns 0; or -1 with *out unchanged and err (EX_DATAERR). */
int network_parse(struct network *out, const char *text, struct error *err);

/* Whether ip is in one of the count networks. */
bool network_contains(const struct network *networks, size_t count, const struct ip *ip);

#endif
