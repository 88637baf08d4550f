/* SPDX-License-Identifier: BSD-2-Clause */
#include "net/smtp.h"

#include "base/printable.h"
#include "net/io.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define CONNECT_SECONDS 5
#define LINES_MAX       100 /* of one reply */

/* ---- lines */

/* The deadline of the current reply. */
static struct timespec reply_deadline(const struct smtp *smtp)
{
    return io_earlier(io_deadline(SMTP_SECONDS), smtp->end);
}

/* After io_send or io_receive: the end of the stream is errno 0. */
static int cannot_go_on(struct error *err)
{
    return error_set(err, EX_UNAVAILABLE,
                     errno == ETIMEDOUT ? "the mail server does not answer in time"
                                        : "the mail server closed the connection");
}

/* Reads one line into out[size], cut to fit, without its end. */
static int read_line(struct smtp *smtp, char *out, size_t size, const struct timespec *end,
                     struct error *err)
{
    char *newline;
    while ((newline = memchr(smtp->input, '\n', smtp->used)) == NULL) {
        if (smtp->used == sizeof smtp->input)
            return error_set(err, EX_UNAVAILABLE, "the mail server sent a line that does not end");
        errno = 0;
        ssize_t got =
            io_receive(smtp->fd, smtp->input + smtp->used, sizeof smtp->input - smtp->used, end);
        if (got <= 0)
            return cannot_go_on(err);
        smtp->used += (size_t)got;
    }
    size_t length = (size_t)(newline - smtp->input), used = length + 1, kept = 0;
    for (size_t i = 0; i < length && kept + 1 < size; i++)
        if (smtp->input[i] != '\r')
            out[kept++] = smtp->input[i] == '\0' ? '?' : smtp->input[i];
    out[kept] = '\0';
    printable_make(out);
    smtp->used -= used;
    memmove(smtp->input, smtp->input + used, smtp->used);
    return 0;
}

static void take_line(struct smtp_reply *out, const char *line)
{
    size_t used = strlen(out->text), line_size = strlen(line) + 1;
    if (used + 1 + line_size > sizeof out->text)
        return;
    if (used > 0)
        out->text[used++] = '\n';
    memcpy(out->text + used, line, line_size);
    if (out->text[used + 3] == '-')
        out->text[used + 3] = ' ';
    out->code = atoi(line);
}

static int read_reply(struct smtp *smtp, struct smtp_reply *out, struct error *err)
{
    char line[600];
    struct timespec end = reply_deadline(smtp);
    *out = (struct smtp_reply){.code = 0};
    for (int count = 0; count < LINES_MAX; count++) {
        if (read_line(smtp, line, sizeof line, &end, err) != 0)
            return -1;
        if (strspn(line, "0123456789") != 3 ||
            strchr(" -", line[3]) == NULL) /* strchr finds the NUL too */
            return error_set(err, EX_UNAVAILABLE, "this is no SMTP: '%.100s'", line);
        take_line(out, line);
        if (line[3] != '-')
            return 0;
    }
    return error_set(err, EX_UNAVAILABLE, "the mail server sent a reply that does not end");
}

/* Sends a command and reads the reply to it. */
static int command(struct smtp *smtp, struct smtp_reply *out, struct error *err, const char *format,
                   ...) __attribute__((format(printf, 4, 5)));
static int command(struct smtp *smtp, struct smtp_reply *out, struct error *err, const char *format,
                   ...)
{
    char line[2048];
    va_list args;
    struct timespec end = reply_deadline(smtp);
    va_start(args, format);
    int length = vsnprintf(line, sizeof line - 2, format, args);
    va_end(args);
    if (length < 0 || (size_t)length >= sizeof line - 2)
        return error_set(err, EX_SOFTWARE, "a line is too long for SMTP");
    memcpy(line + length, "\r\n", 2);
    if (io_send(smtp->fd, line, (size_t)length + 2, &end) != 0)
        return cannot_go_on(err);
    return read_reply(smtp, out, err);
}

/* Sets an error to the words and the first line of the reply. Returns -1. */
static int unwelcome(const struct smtp_reply *reply, const char *words, struct error *err)
{
    return error_set(err, EX_UNAVAILABLE, "%s: %.*s", words, (int)strcspn(reply->text, "\n"),
                     reply->text);
}

/* ---- a session */

static void note_addresses(struct smtp *smtp)
{
    struct sockaddr_storage here, there;
    socklen_t here_size = sizeof here, there_size = sizeof there;
    smtp->is_here = getsockname(smtp->fd, (struct sockaddr *)&here, &here_size) == 0 &&
                    ip_from_sockaddr(&smtp->client, (struct sockaddr *)&here) &&
                    getpeername(smtp->fd, (struct sockaddr *)&there, &there_size) == 0 &&
                    ip_from_sockaddr(&smtp->address, (struct sockaddr *)&there) &&
                    memcmp(&smtp->address, &smtp->client, sizeof smtp->address) == 0;
}

static void note_extensions(struct smtp *smtp, const char *reply)
{
    const char *xclient = strcasestr(reply, "\n250 XCLIENT ");
    const char *address = xclient == NULL ? NULL : strstr(xclient, " ADDR");
    if (strcasestr(reply, "\n250 SMTPUTF8") != NULL)
        smtp->smtputf8 = true;
    if (address != NULL && address < xclient + 1 + strcspn(xclient + 1, "\n"))
        smtp->xclient = true;
}

/* Our name is our address (RFC 5321 section 4.1.4): it needs no DNS, and nobody else has it. */
static int hello(struct smtp *smtp, struct error *err)
{
    struct smtp_reply reply;
    char text[INET6_ADDRSTRLEN];
    ip_format(text, sizeof text, &smtp->client);
    if (command(smtp, &reply, err, "EHLO [%s%s]", strchr(text, ':') == NULL ? "" : "IPv6:", text) !=
        0)
        return -1;
    note_extensions(smtp, reply.text);
    if (reply.code / 100 == 5 && /* a server older than ESMTP */
        command(smtp, &reply, err, "HELO [%s]", text) != 0)
        return -1;
    return reply.code / 100 == 2 ? 0 : unwelcome(&reply, "to EHLO", err);
}

/* The server then greets again, and takes the session as one of that client. */
static int pretend(struct smtp *smtp, const struct ip *as, struct error *err)
{
    struct smtp_reply reply;
    char text[INET6_ADDRSTRLEN];
    ip_format(text, sizeof text, as);
    if (command(smtp, &reply, err, "XCLIENT NAME=[UNAVAILABLE] ADDR=%s%s",
                strchr(text, ':') == NULL ? "" : "IPV6:", text) != 0)
        return -1;
    if (reply.code != 220)
        return unwelcome(&reply, "to XCLIENT", err);
    smtp->client = *as;
    return hello(smtp, err);
}

int smtp_open(struct smtp *smtp, const struct endpoint *where, const struct ip *as,
              const struct timespec *end, struct error *err)
{
    char text[ENDPOINT_TEXT_SIZE];
    struct timespec soon = io_earlier(io_deadline(CONNECT_SECONDS), *end);

    *smtp = (struct smtp){.end = *end};
    smtp->fd = io_connect(where, &soon, err);
    if (smtp->fd < 0)
        return -1;
    note_addresses(smtp);
    int rc = read_reply(smtp, &smtp->greeting, err);
    if (rc == 0 && smtp->greeting.code != 220)
        rc = unwelcome(&smtp->greeting, "it greets with", err);
    if (rc == 0)
        rc = hello(smtp, err);
    if (rc == 0 && as != NULL && smtp->xclient)
        rc = pretend(smtp, as, err);
    if (rc != 0) {
        smtp_close(smtp);
        return error_at(err, endpoint_format_host(text, sizeof text, where), 0);
    }
    return 0;
}

int smtp_ask(struct smtp *smtp, const char *recipient, bool smtputf8, struct smtp_reply *out,
             bool *in_mail, struct error *err)
{
    struct smtp_reply reset;
    *out = (struct smtp_reply){.code = 0};
    *in_mail = true;
    if (smtp->begun && command(smtp, &reset, err, "RSET") != 0)
        return -1;
    smtp->begun = true;
    if (command(smtp, out, err, "MAIL FROM:<>%s", smtputf8 ? " SMTPUTF8" : "") != 0)
        return -1;
    *in_mail = out->code / 100 != 2;
    if (!*in_mail && command(smtp, out, err, "RCPT TO:<%s>", recipient) != 0)
        return -1;
    return out->code == 421 ? unwelcome(out, "the mail server ends the session", err) : 0;
}

void smtp_close(struct smtp *smtp)
{
    static const char quit[] = "QUIT\r\n";
    if (smtp->fd >= 0) {
        (void)send(smtp->fd, quit, sizeof quit - 1, MSG_DONTWAIT | MSG_NOSIGNAL);
        close(smtp->fd);
    }
    smtp->fd = -1;
}
