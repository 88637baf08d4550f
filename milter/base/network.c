/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/network.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

int ip_parse(struct ip *out, const char *text, struct error *err)
{
    char plain[INET6_ADDRSTRLEN + 8];
    struct in_addr v4;
    struct in6_addr v6;
    size_t length = strlen(text);

    if (length >= 2 && text[0] == '[' && text[length - 1] == ']' && length < sizeof plain) {
        memcpy(plain, text + 1, length - 2);
        plain[length - 2] = '\0';
        text = plain;
    }
    if (strncasecmp(text, "IPv6:", 5) == 0)
        text += 5;
    if (inet_pton(AF_INET, text, &v4) == 1) {
        memcpy(out->octets, mapped, sizeof mapped);
        memcpy(out->octets + sizeof mapped, &v4, 4);
        return 0;
    }
    if (inet_pton(AF_INET6, text, &v6) == 1) {
        memcpy(out->octets, &v6, 16);
        return 0;
    }
    return error_set(err, EX_DATAERR, "no IP address '%.60s': write 192.0.2.7 or 2001:db8::1",
                     text);
}

bool ip_from_sockaddr(struct ip *out, const struct sockaddr *address)
{
    if (address != NULL && address->sa_family == AF_INET) {
        memcpy(out->octets, mapped, sizeof mapped);
        memcpy(out->octets + sizeof mapped,
               &((const struct sockaddr_in *)(const void *)address)->sin_addr, 4);
        return true;
    }
    if (address != NULL && address->sa_family == AF_INET6) {
        memcpy(out->octets, &((const struct sockaddr_in6 *)(const void *)address)->sin6_addr, 16);
        return true;
    }
    return false;
}

bool ip_is_v4(const struct ip *ip)
{
    return memcmp(ip->octets, mapped, sizeof mapped) == 0;
}

bool ip_is_loopback(const char *text)
{
    struct ip ip;
    if (strcmp(text, "localhost") == 0)
        return true;
    if (ip_parse(&ip, text, NULL) != 0)
        return false;
    return ip_is_v4(&ip) ? ip.octets[12] == IN_LOOPBACKNET
                         : memcmp(ip.octets, &in6addr_loopback, sizeof ip.octets) == 0;
}

void ip_format(char *out, size_t size, const struct ip *ip)
{
    const char *made = ip_is_v4(ip)
                           ? inet_ntop(AF_INET, ip->octets + sizeof mapped, out, (socklen_t)size)
                           : inet_ntop(AF_INET6, ip->octets, out, (socklen_t)size);
    if (made == NULL && size > 0)
        out[0] = '\0';
}

/* Whether the first bits of both are the same. */
static bool same_bits(const struct ip *a, const struct ip *b, unsigned bits)
{
    unsigned whole = bits / 8, rest = bits % 8;
    if (memcmp(a->octets, b->octets, whole) != 0)
        return false;
    return rest == 0 || (a->octets[whole] ^ b->octets[whole]) >> (8 - rest) == 0;
}

static bool has_bits_behind(const struct ip *ip, unsigned prefix)
{
    for (unsigned bit = prefix; bit < 128; bit++)
        if ((ip->octets[bit / 8] & (0x80 >> bit % 8)) != 0)
            return true;
    return false;
}

int network_parse(struct network *out, const char *text, struct error *err)
{
    char address[INET6_ADDRSTRLEN + 8];
    struct network network = {.prefix = 128};
    size_t length = strcspn(text, "/");

    if (length >= sizeof address)
        return error_set(err, EX_DATAERR, "no network '%.60s': write 192.0.2.0/24 or 2001:db8::/32",
                         text);
    memcpy(address, text, length);
    address[length] = '\0';
    if (ip_parse(&network.ip, address, err) != 0)
        return -1;

    if (text[length] == '/') {
        char *end;
        const char *number = text + length + 1;
        unsigned long most = ip_is_v4(&network.ip) ? 32 : 128, prefix = strtoul(number, &end, 10);
        if (*number < '0' || *number > '9' || *end != '\0' || prefix > most)
            return error_set(err, EX_DATAERR, "no prefix length in '%.60s': write /0 to /%lu", text,
                             most);
        network.prefix = (unsigned)(prefix + 128 - most);
    }
    if (has_bits_behind(&network.ip, network.prefix))
        return error_set(err, EX_DATAERR,
                         "'%.60s' has bits set after its prefix: write the network's own address",
                         text);
    *out = network;
    return 0;
}

bool network_contains(const struct network *networks, size_t count, const struct ip *ip)
{
    bool v4 = ip_is_v4(ip); /* ::/0 is all of IPv6, and would have the mapped addresses in it */
    for (size_t i = 0; i < count; i++)
        if (ip_is_v4(&networks[i].ip) == v4 && same_bits(&networks[i].ip, ip, networks[i].prefix))
            return true;
    return false;
}
