/* SPDX-License-Identifier: BSD-2-Clause */
/* base/endpoint.h: where a server listens, in the forms of libmilter, Postfix and Sendmail. Text in, values out:
 * no I/O. smfi_setconn of libmilter; MILTER_README of Postfix; cf.README of Sendmail. */
#ifndef BASE_ENDPOINT_H
#define BASE_ENDPOINT_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>

enum endpoint_kind { ENDPOINT_UNIX, ENDPOINT_INET, ENDPOINT_INET6 };

/* Stored inline: copy it freely, there is nothing to free. */
struct endpoint {
    enum endpoint_kind kind;
    char name[256]; /* the path of a unix socket; else the host, an IPv6 address without brackets */
    unsigned port;  /* 1 to 65535; 0 for a unix socket */
};

/* Room for an endpoint in any form. */
#define ENDPOINT_TEXT_SIZE 280

/* The path in "unix:PATH"; NULL if text is of another kind. Borrowed from text. */
const char *endpoint_path(const char *text);

/* Parses libmilter's form: "unix:PATH", "inet:PORT@HOST", "inet6:PORT@HOST", an IPv6 address in brackets or
 * without. Refuses an address of the other family, and a port without a host, which would be every address.
 * Returns 0; or -1 with *out unchanged and err (EX_CONFIG). */
int endpoint_parse(struct endpoint *out, const char *text, struct error *err);

/* Parses what an administrator types: "HOST", "HOST:PORT", "2001:db8::1", "[2001:db8::1]:PORT". port is the one
 * where none is named. Returns 0; or -1 with *out unchanged and err (EX_USAGE). */
int endpoint_parse_host(struct endpoint *out, const char *text, unsigned port, struct error *err);

/* Parses an item of smtpd_milters: "unix:PATH", "inet:HOST:PORT", where the path may be relative to the queue
 * folder. Returns whether it is one. */
bool endpoint_parse_postfix(struct endpoint *out, const char *text);

/* Parses the S= of a milter in sendmail.cf: as endpoint_parse, also "local:PATH" and a path alone. Returns whether
 * it is one. */
bool endpoint_parse_sendmail(struct endpoint *out, const char *text);

/* Whether both are the same path, or the same host (in any case) and port: Postfix names no family. */
bool endpoint_is_same(const struct endpoint *a, const struct endpoint *b);

/* Each writes one form into out[size]; ENDPOINT_TEXT_SIZE cuts nothing. Returns out. */
const char *endpoint_format_host(char *out, size_t size, const struct endpoint *endpoint);
const char *endpoint_format_postfix(char *out, size_t size, const struct endpoint *endpoint);
const char *endpoint_format_sendmail(char *out, size_t size, const struct endpoint *endpoint);

#endif
