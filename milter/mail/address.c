/* SPDX-License-Identifier: BSD-2-Clause */
#include "mail/address.h"

#include "mail/envelope.h"

#include <idn2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unicase.h>
#include <uninorm.h>
#include <unistr.h>

/* The length of untrusted text that an error message quotes, in octets. */
#define QUOTE_MAX 60

static int refuse(struct error *err, const char *text, size_t length, const char *what)
{
    return error_set(err, EX_DATAERR, "'%.*s%s': %s",
                     (int)(length > QUOTE_MAX ? QUOTE_MAX : length), text,
                     length > QUOTE_MAX ? "…" : "", what);
}

size_t address_requote(char *out, size_t size, const char *text, size_t length)
{
    char local[ADDRESS_LOCAL_MAX + 1], domain[ADDRESS_DOMAIN_MAX + 1];
    bool bracketed = length > 1 && text[0] == '<' && text[length - 1] == '>';
    const char *end = text + length - bracketed;
    text += bracketed;
    const char *at = memrchr(text, '@', (size_t)(end - text));

    if (at == NULL || at - text > ADDRESS_LOCAL_MAX || end - at - 1 > ADDRESS_DOMAIN_MAX)
        return 0;
    snprintf(local, sizeof local, "%.*s", (int)(at - text), text);
    snprintf(domain, sizeof domain, "%.*s", (int)(end - at - 1), at + 1);
    return address_format(out, size, local, domain) == 0 ? strlen(out) : 0;
}

bool address_needs_utf8(const char *text)
{
    for (; *text != '\0'; text++)
        if ((unsigned char)*text > 0x7f)
            return true;
    return false;
}

/* Copies length octets, and ends them with a NUL. Returns whether all are ASCII. */
static bool copy_lower(char *out, const char *text, size_t length)
{
    unsigned char seen = 0;
    for (size_t i = 0; i < length; i++) {
        seen |= (unsigned char)text[i];
        out[i] = text[i] >= 'A' && text[i] <= 'Z' ? (char)(text[i] | 0x20) : text[i];
    }
    out[length] = '\0';
    return seen <= 0x7f;
}

/* ---- the domain */

/* The octets of a label, in lower case. Host names have no '_' (RFC 1123), but real domains do. */
static bool is_label_octet(char octet)
{
    return (octet >= 'a' && octet <= 'z') || (octet >= '0' && octet <= '9') || octet == '-' ||
           octet == '_';
}

/* Whether name is made of labels of 1 to 63 octets (RFC 1035 section 2.3.4). */
static bool are_labels(const char *name)
{
    for (;;) {
        size_t length = 0;
        while (is_label_octet(name[length]))
            length++;
        if (length == 0 || length > 63 || (name[length] != '.' && name[length] != '\0'))
            return false;
        if (name[length] == '\0')
            return true;
        name += length + 1;
    }
}

/* [192.0.2.1], [IPv6:2001:db8::1]: RFC 5321 section 4.1.3, which allows '@' too, but no kind of address literal has one. */
static int parse_literal(char *out, const char *text, size_t length, struct error *err)
{
    size_t inside = 1;
    while (inside < length && text[inside] > ' ' && text[inside] < 0x7f &&
           strchr("[]\\@", text[inside]) == NULL)
        inside++;
    if (inside == 1 || inside + 1 != length || length > ADDRESS_DOMAIN_MAX || text[inside] != ']')
        return refuse(err, text, length, "not an address literal: write [192.0.2.1]");
    (void)copy_lower(out, text, length);
    return 0;
}

/* Converts U-labels to A-labels. A name with A-labels only is checked by converting it to U-labels and back; one that
 * IDNA refuses stays as it is, because the mail server may accept it. */
static int to_ascii(char *name, const char *text, size_t length, struct error *err)
{
    uint8_t *ascii = NULL;
    bool foreign = address_needs_utf8(name);
    char unicode[4 * ADDRESS_DOMAIN_MAX + 1];

    if (foreign)
        snprintf(unicode, sizeof unicode, "%s", name);
    else if (address_domain_to_unicode(unicode, sizeof unicode, name) != 0)
        return 0;
    int rc =
        idn2_lookup_u8((const uint8_t *)unicode, &ascii, IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL);
    if (rc == IDN2_OK && strlen((char *)ascii) <= ADDRESS_DOMAIN_MAX)
        memcpy(name, ascii, strlen((char *)ascii) + 1);
    else if (foreign)
        rc = refuse(err, text, length,
                    "not a domain name (IDNA2008): write letters and digits of one script");
    else
        rc = 0;
    idn2_free(ascii);
    return rc == IDN2_OK ? 0 : -1;
}

/* Converts UTF-8 to NFC, and its case with a function of libunistring if there is one. Returns -1 if text is no UTF-8, or the
 * result has more than 255 octets. */
static int normalise_utf8(char out[ADDRESS_LOCAL_MAX + 1], const char *text, size_t length,
                          uint8_t *(*convert)(const uint8_t *, size_t, const char *, uninorm_t,
                                              uint8_t *, size_t *))
{
    const uint8_t *from = (const uint8_t *)text;
    size_t size = ADDRESS_LOCAL_MAX;
    if (u8_check(from, length) != NULL)
        return -1;
    uint8_t *made = convert == NULL
                        ? u8_normalize(UNINORM_NFC, from, length, (uint8_t *)out, &size)
                        : convert(from, length, NULL, UNINORM_NFC, (uint8_t *)out, &size);
    if (made != (uint8_t *)out) {
        free(made);
        return -1;
    }
    out[size] = '\0';
    return 0;
}

static bool has_a_label(const char *name)
{
    return strncmp(name, "xn--", 4) == 0 || strstr(name, ".xn--") != NULL;
}

/* A name of one octet or more. */
static int read_name(char *out, const char *text, size_t length, struct error *err)
{
    bool ascii = copy_lower(out, text, length);
    if (memchr(text, '\0', length) != NULL ||
        (!ascii && normalise_utf8(out, text, length, u8_tolower) != 0))
        return refuse(err, text, length,
                      "not a domain name in UTF-8: write one such as old.example");
    if ((!ascii || has_a_label(out)) && to_ascii(out, text, length, err) != 0)
        return -1;
    return are_labels(out)
               ? 0
               : refuse(err, text, length, "not a domain name: write one such as old.example");
}

int address_domain_parse(char *out, const char *text, size_t length, struct error *err)
{
    size_t used = length > 1 && text[length - 1] == '.' ? length - 1 : length;
    if (used == 0 || used > ADDRESS_DOMAIN_MAX)
        return refuse(err, text, length,
                      used == 0 ? "no domain: write one after the '@'"
                                : "the domain is over 255 octets: write a shorter one");
    return text[0] == '[' ? parse_literal(out, text, length, err) : read_name(out, text, used, err);
}

int address_domain_to_unicode(char *out, size_t size, const char *domain)
{
    char *unicode = NULL;
    const char *shown = domain;
    if (has_a_label(domain) && idn2_to_unicode_8z8z(domain, &unicode, 0) == IDN2_OK)
        shown = unicode;
    int rc = strlen(shown) < size ? 0 : -1;
    if (rc == 0)
        memcpy(out, shown, strlen(shown) + 1);
    idn2_free(unicode);
    return rc;
}

/* ---- the local-part */

/* The octets that end an atom, except the dot (RFC 5322 section 3.2.3; RFC 6531 section 3.3). */
/* clang-format off */
static const bool specials[256] = {
    1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, /* the control characters */
    1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
    [' '] = 1, ['('] = 1, [')'] = 1, ['<'] = 1, ['>'] = 1, ['['] = 1, [']'] = 1, [':'] = 1,
    [';'] = 1, ['@'] = 1, ['\\'] = 1, [','] = 1, ['"'] = 1, [0x7f] = 1,
};
/* clang-format on */

static bool is_atom_octet(char octet)
{
    return !specials[(unsigned char)octet];
}

/* Reads a quoted-string (RFC 5321 section 4.1.2) or a dot-string, with dots anywhere: some providers have such mailboxes.
 * Writes it unquoted. Returns its end, or NULL if it is no mailbox name of 1 to 255 octets. */
static const char *read_local(char *out, size_t *length, const char *at, const char *end)
{
    const char *begin = at;
    size_t used = 0;
    if (at < end && *at == '"') {
        for (at++; at < end && *at != '"'; at++) {
            if (*at == '\\' && ++at == end)
                return NULL;
            if ((unsigned char)*at < ' ' || *at == 0x7f || used == ADDRESS_LOCAL_MAX)
                return NULL;
            out[used++] = *at;
        }
        if (at == end)
            return NULL;
        at++;
    } else {
        while (at < end && is_atom_octet(*at))
            at++;
        used = (size_t)(at - begin);
        if (used > ADDRESS_LOCAL_MAX)
            return NULL;
        memcpy(out, begin, used);
    }
    out[used] = '\0';
    *length = used;
    return used == 0 ? NULL : at;
}

static bool is_reserved_name(const char *local, size_t length)
{
    static const char *const names[] = {"postmaster", "mailer-daemon", "double-bounce"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strlen(names[i]) == length && strncasecmp(local, names[i], length) == 0)
            return true;
    return false;
}

/* written is NUL-terminated, length octets. Case never distinguishes the reserved names (RFC 5321 section 4.5.1). */
static int normalise(char *out, const char *written, size_t length, bool fold_case)
{
    if (!copy_lower(out, written, length))
        return normalise_utf8(out, written, length, fold_case ? u8_casefold : NULL);
    if (!fold_case && !is_reserved_name(written, length))
        memcpy(out, written, length + 1);
    return 0;
}

/* ---- the whole */

/* As address_parse, but on an error *out is undefined. */
static int parse(struct address *out, const char *text, size_t length,
                 const struct address_rules *rules, struct error *err)
{
    size_t written, left = length;
    const char *mailbox = envelope_mailbox(text, &left), *end = mailbox + left;

    if (left > 0 && *mailbox == '<')
        return refuse(err, text, length, "no closing '>': write <user@domain>");
    const char *at = read_local(out->written, &written, mailbox, end);
    if (at == NULL)
        return refuse(err, text, length,
                      "no mailbox name of 1 to 255 printable characters: write user@domain");
    if (normalise(out->local, out->written, written, rules->fold_case) != 0)
        return refuse(err, text, length, "the mailbox name is not UTF-8: write it in UTF-8");
    if (at == end) {
        bool has_own = rules->local_domain == NULL || address_is_postmaster(out->local);
        /* <postmaster> is every server's own: RFC 5321 section 4.5.1 */
        snprintf(out->domain, sizeof out->domain, "%s", has_own ? "" : rules->local_domain);
        return 0;
    }
    if (*at++ != '@')
        return refuse(err, text, length,
                      "a character that needs quotes: write user@domain or \"user\"@domain");
    int rc = address_domain_parse(out->domain, at, (size_t)(end - at), err);
    if (rc != 0 && memchr(at, '@', (size_t)(end - at)) != NULL)
        return refuse(err, text, length, "a second '@': write user@domain");
    return rc;
}

int address_parse(struct address *out, const char *text, size_t length,
                  const struct address_rules *rules, struct error *err)
{
    int rc = parse(out, text, length, rules, err);
    if (rc != 0)
        out->local[0] = out->written[0] = out->domain[0] = '\0';
    return rc;
}

bool address_is_postmaster(const char *local)
{
    return strcasecmp(local, "postmaster") == 0;
}

/* The hash in an address of the sender rewriting scheme identifies one mailbox. */
static bool is_reserved(const char *local, size_t length)
{
    bool srs = strncasecmp(local, "SRS", 3) == 0 && (local[3] == '0' || local[3] == '1') &&
               (local[4] == '=' || local[4] == '+' || local[4] == '-');
    return srs || is_reserved_name(local, length);
}

/* Whether it is the owner or request address of a mailing list, which is a mailbox of its own. */
static bool is_of_a_list(const char *local, size_t length)
{
    const char request[] = "-request";
    size_t end = sizeof request - 1;
    return strncasecmp(local, "owner-", 6) == 0 ||
           (length > end && strcasecmp(local + length - end, request) == 0);
}

size_t address_base_length(const char *text, const struct address_rules *rules)
{
    size_t whole = strlen(text);
    if (is_reserved(text, whole) ||
        (strchr(rules->delimiters, '-') != NULL && is_of_a_list(text, whole)))
        return whole;
    size_t base = strcspn(text, rules->delimiters);
    return base == 0 ? whole : base;
}

bool address_is_reserved(const char *local, const struct address_rules *rules)
{
    return is_reserved(local, address_base_length(local, rules));
}

/* The length of local where it can be written without quotes, as atoms with single dots between them; else 0. */
static size_t dot_string_length(const char *local)
{
    const char *at = local;
    char before = '.';
    for (; is_atom_octet(*at); before = *at++)
        if (*at == '.' && before == '.')
            return 0;
    return *at == '\0' && before != '.' ? (size_t)(at - local) : 0;
}

int address_format(char *out, size_t size, const char *local, const char *domain)
{
    size_t plain = dot_string_length(local), domain_length = strlen(domain);
    size_t local_length = plain > 0 ? plain : 2 * strlen(local) + 2; /* at most */

    if (local_length + 1 + domain_length + 1 > size)
        return -1;
    if (plain > 0) {
        out = mempcpy(out, local, plain);
    } else {
        *out++ = '"';
        for (; *local != '\0'; local++) {
            if (*local == '"' || *local == '\\')
                *out++ = '\\';
            *out++ = *local;
        }
        *out++ = '"';
    }
    *out++ = '@';
    memcpy(out, domain, domain_length + 1);
    return 0;
}
