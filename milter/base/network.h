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

/* Reads "192.0.2.7" or "2001:db8::1" (brackets and "IPv6:" before it are taken too). Returns 0,
 * or -1 with err (EX_DATAERR). */
int ip_parse(struct ip *out, const char *text, struct error *err);

/* Takes the address out of a socket address. Returns false where it has none (NULL, AF_UNIX). */
bool ip_from_sockaddr(struct ip *out, const struct sockaddr *address);

bool ip_is_v4(const struct ip *ip);

/* Writes the address as inet_ntop(3) does, IPv4 in its own form. size is at least
 * INET6_ADDRSTRLEN. */
void ip_format(char *out, size_t size, const struct ip *ip);

/* Reads "192.0.2.0/24", "2001:db8::/32", or an address alone (all its bits). Refuses bits set
 * behind the prefix, since they show that another network was meant. Returns 0, or -1 with *out
 * untouched and err (EX_DATAERR). */
int network_parse(struct network *out, const char *text, struct error *err);

/* Whether ip lies in any of the count networks. */
bool network_contains(const struct network *networks, size_t count, const struct ip *ip);

#endif
