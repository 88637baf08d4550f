/* SPDX-License-Identifier: BSD-2-Clause */
#include "doctor/evidence.h"

#include <netdb.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

const struct ip doctor_stranger = {.octets = {[10] = 0xff, 0xff, 198, 51, 100, 1}};

bool server_is_at(const struct server_state *server, const char *host, const char *port)
{
    static const struct ip any = {.octets = {0}}, v4_any = {.octets = {[10] = 0xff, 0xff}};
    struct ip ip;
    struct error err;
    const struct servent *known = getservbyname(port, "tcp");
    unsigned number =
        known != NULL ? ntohs((uint16_t)known->s_port) : (unsigned)strtoul(port, NULL, 10);
    if (number != server->where.port)
        return false;
    if (strcmp(host, "localhost") == 0 || strcmp(host, "loopback-only") == 0)
        return ip_is_v4(&server->address) ? server->address.octets[12] == 127
                                          : ip_parse(&ip, "::1", &err) == 0 &&
                                                memcmp(&ip, &server->address, sizeof ip) == 0;
    return *host == '\0' || ip_parse(&ip, host, &err) != 0 ||
           memcmp(&ip, &server->address, sizeof ip) == 0 || memcmp(&ip, &any, sizeof ip) == 0 ||
           memcmp(&ip, &v4_any, sizeof ip) == 0;
}

bool asked_says(const struct asked *asked, const char *words)
{
    return strcasestr(asked->got.text, words) != NULL;
}

bool asked_has_codes(const struct asked *asked, const char *codes)
{
    return strncmp(asked->got.first, codes, strlen(codes)) == 0;
}

int asked_class(const struct asked *asked)
{
    return asked->got.code / 100;
}

bool asked_is_ours(const struct asked *asked)
{
    return asked->expected.verdict == VERDICT_REPLY;
}

bool asked_denies_relaying(const struct asked *asked)
{
    return asked_says(asked, "relay access denied") || asked_says(asked, "relaying denied") ||
           asked_says(asked, "unable to relay");
}

/* What follows "551 5.1.6 ", and the recipient that Sendmail puts there in most replies: "<al@old.example>...
 * ". */
static const char *behind_codes(const char *line, const char *recipient)
{
    size_t length = strlen(recipient);
    line += strspn(line, "0123456789");
    line += *line == ' ';
    size_t enhanced = strspn(line, "0123456789.");
    line += enhanced >= 5 && line[enhanced] == ' ' ? enhanced + 1 : 0;
    if (*line == '<' && strncmp(line + 1, recipient, length) == 0 &&
        strncmp(line + 1 + length, ">... ", 5) == 0)
        line += length + 6;
    return line;
}

/* Whether the reply has the lines of want; with_codes: and its codes. */
static bool has_text(const struct asked *asked, const char *want, bool with_codes)
{
    const char *got = asked->got.text;
    for (;;) {
        const char *a = behind_codes(got, asked->recipient),
                   *b = behind_codes(want, asked->recipient);
        size_t length = strcspn(b, "\n");
        if (strcspn(a, "\n") != length || memcmp(a, b, length) != 0 || a[length] != b[length] ||
            (with_codes && strncmp(got, want, (size_t)(b - want)) != 0))
            return false;
        if (b[length] == '\0')
            return true;
        got = a + length + 1;
        want = b + length + 1;
    }
}

bool asked_has_wanted(const struct asked *asked)
{
    return has_text(asked, asked->want, true);
}

bool asked_has_wanted_text(const struct asked *asked)
{
    return *asked->want != '\0' && has_text(asked, asked->want, false);
}

bool asked_is_text(const struct asked *asked, const struct settings *settings, enum text_kind kind)
{
    const char *domain = strrchr(asked->recipient, '@');
    const struct texts *texts =
        texts_find(&settings->texts, &settings->texts_by_domain, domain == NULL ? "" : domain + 1);
    const struct address *old = &asked->expected.old;
    const struct reply_words words = {.old = old->domain[0] == '\0' ? NULL : old,
                                      .recipient = asked->recipient,
                                      .recipient_length = strlen(asked->recipient)};
    struct reply reply;
    char text[REPLY_TEXT_SIZE];
    if (reply_fill(&reply, texts->of[kind], &words) != 0)
        return false;
    asked_format(text, sizeof text, &reply);
    return has_text(asked, text, true);
}

void asked_format(char *out, size_t size, const struct reply *reply)
{
    reply_format(out, size, reply);
    for (char *line = out; line != NULL && strlen(line) > 3; line = strchr(line, '\n')) {
        line += *line == '\n';
        line[3] = ' ';
    }
}

void asked_join_lines(char *out, size_t size, const char *text)
{
    size_t used = 0;
    for (; *text != '\0' && used + 4 < size; text++) {
        const char *piece = *text == '\n' ? " / " : text;
        size_t length = *text == '\n' ? 3 : 1;
        memcpy(out + used, piece, length);
        used += length;
    }
    out[used] = '\0';
}
