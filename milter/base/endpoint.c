/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/endpoint.h"

#include "base/network.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const char *const schemes[] = {
    [ENDPOINT_UNIX] = "unix:", [ENDPOINT_INET] = "inet:", [ENDPOINT_INET6] = "inet6:"};

/* What follows the prefix in text; NULL if text does not begin with it. */
static const char *behind(const char *text, const char *prefix)
{
    size_t length = strlen(prefix);
    return strncmp(text, prefix, length) == 0 ? text + length : NULL;
}

const char *endpoint_path(const char *text)
{
    return behind(text, schemes[ENDPOINT_UNIX]);
}

/* Returns 0 if it is no port. */
static unsigned parse_port(const char *text, size_t length)
{
    if (length == 0 || length > 5 || strspn(text, "0123456789") < length)
        return 0;
    unsigned long port = strtoul(text, NULL, 10);
    return port <= 65535 ? (unsigned)port : 0;
}

/* Takes a host of length octets, without its brackets. Returns false if it is empty or too long. */
static bool take_host(struct endpoint *out, const char *host, size_t length)
{
    if (length > 2 && host[0] == '[' && host[length - 1] == ']') {
        host++;
        length -= 2;
    }
    if (length == 0 || length >= sizeof out->name)
        return false;
    memcpy(out->name, host, length);
    out->name[length] = '\0';
    return true;
}

/* Parses what follows "unix:". */
static int parse_path(struct endpoint *out, const char *path, struct error *err)
{
    if (*path == '\0')
        return error_set(err, EX_CONFIG, "no path after 'unix:': write unix:/PATH");
    if (strlen(path) >= sizeof out->name)
        return error_set(err, EX_CONFIG, "the path '%.60s...' is too long: write a shorter one",
                         path);
    *out = (struct endpoint){.kind = ENDPOINT_UNIX};
    memcpy(out->name, path, strlen(path));
    return 0;
}

/* Parses what follows "inet:", "PORT@HOST"; text is the whole. */
static int parse_inet(struct endpoint *out, enum endpoint_kind kind, const char *rest,
                      const char *text, struct error *err)
{
    struct endpoint found = {.kind = kind};
    struct ip ip;
    size_t length = strcspn(rest, "@");
    const char *host = rest[length] == '@' ? rest + length + 1 : "";

    found.port = parse_port(rest, length);
    if (found.port == 0)
        return error_set(err, EX_CONFIG, "no port in '%s': write inet:9550@127.0.0.1", text);
    if (*host == '\0')
        return error_set(err, EX_CONFIG,
                         "'%s' has no host and would listen on every address: write "
                         "inet:%u@127.0.0.1",
                         text, found.port);
    if (!take_host(&found, host, strlen(host)))
        return error_set(err, EX_CONFIG, "the host of '%.60s' is too long", text);
    bool is_ipv6 = strchr(found.name, ':') != NULL;
    if (ip_parse(&ip, found.name, NULL) == 0 && is_ipv6 != (kind == ENDPOINT_INET6))
        return error_set(err, EX_CONFIG, "'%s' is of the other family: write %s%u@%s", text,
                         schemes[is_ipv6 ? ENDPOINT_INET6 : ENDPOINT_INET], found.port, host);
    *out = found;
    return 0;
}

int endpoint_parse(struct endpoint *out, const char *text, struct error *err)
{
    const char *rest = endpoint_path(text);
    if (rest != NULL)
        return parse_path(out, rest, err);
    for (enum endpoint_kind kind = ENDPOINT_INET; kind <= ENDPOINT_INET6; kind++)
        if ((rest = behind(text, schemes[kind])) != NULL)
            return parse_inet(out, kind, rest, text, err);
    return error_set(err, EX_CONFIG,
                     "no such kind '%s': write unix:/PATH, inet:PORT@HOST or inet6:PORT@HOST",
                     text);
}

int endpoint_parse_host(struct endpoint *out, const char *text, unsigned port, struct error *err)
{
    struct endpoint found = {.kind = ENDPOINT_INET, .port = port};
    struct ip ip;
    const char *colon = strrchr(text, ':');
    size_t length = strlen(text);
    bool is_address = ip_parse(&ip, text, NULL) == 0; /* "::1" has colons and no port */

    if (!is_address && colon != NULL) {
        length = (size_t)(colon - text);
        found.port = parse_port(colon + 1, strlen(colon + 1));
    }
    bool fine = found.port != 0 && strpbrk(text, "@/ ") == NULL && take_host(&found, text, length);
    bool is_ipv6 = strchr(found.name, ':') != NULL;
    if (!fine || (is_ipv6 && !is_address && *text != '[') ||
        (*text == '[' && ip_parse(&ip, found.name, NULL) != 0))
        return error_set(err, EX_USAGE,
                         "'%s' is no HOST:PORT: write mx.old.example:25, or [::1]:25", text);
    found.kind = is_ipv6 ? ENDPOINT_INET6 : ENDPOINT_INET;
    *out = found;
    return 0;
}

bool endpoint_parse_postfix(struct endpoint *out, const char *text)
{
    const char *rest = behind(text, schemes[ENDPOINT_INET]);
    if (rest != NULL)
        return strrchr(rest, ':') != NULL && endpoint_parse_host(out, rest, 0, NULL) == 0;
    rest = endpoint_path(text);
    return rest != NULL && parse_path(out, rest, NULL) == 0;
}

bool endpoint_parse_sendmail(struct endpoint *out, const char *text)
{
    const char *path = *text == '/' ? text : behind(text, "local:");
    return path != NULL ? parse_path(out, path, NULL) == 0 : endpoint_parse(out, text, NULL) == 0;
}

bool endpoint_is_same(const struct endpoint *a, const struct endpoint *b)
{
    if (a->kind == ENDPOINT_UNIX || b->kind == ENDPOINT_UNIX)
        return a->kind == b->kind && strcmp(a->name, b->name) == 0;
    return a->port == b->port && strcasecmp(a->name, b->name) == 0;
}

/* ---- writing */

const char *endpoint_format_host(char *out, size_t size, const struct endpoint *endpoint)
{
    if (endpoint->kind == ENDPOINT_UNIX)
        return endpoint_format_sendmail(out, size, endpoint);
    bool is_ipv6 = strchr(endpoint->name, ':') != NULL;
    snprintf(out, size, is_ipv6 ? "[%s]:%u" : "%s:%u", endpoint->name, endpoint->port);
    return out;
}

/* Postfix looks up both address families in any case. */
const char *endpoint_format_postfix(char *out, size_t size, const struct endpoint *endpoint)
{
    char host[ENDPOINT_TEXT_SIZE];
    snprintf(out, size, "%s%s", endpoint->kind == ENDPOINT_UNIX ? "" : schemes[ENDPOINT_INET],
             endpoint_format_host(host, sizeof host, endpoint));
    return out;
}

/* Sendmail accepts no brackets around an IPv6 address. */
const char *endpoint_format_sendmail(char *out, size_t size, const struct endpoint *endpoint)
{
    const char *scheme = schemes[endpoint->kind];
    if (endpoint->kind == ENDPOINT_UNIX)
        snprintf(out, size, "%s%s", scheme, endpoint->name);
    else
        snprintf(out, size, "%s%u@%s", scheme, endpoint->port, endpoint->name);
    return out;
}
