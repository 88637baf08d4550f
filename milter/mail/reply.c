#include "mail/reply.h"

#include <string.h>

static bool is_digit(char octet)
{
    return octet >= '0' && octet <= '9';
}

/* The length of the code and the blank behind it, or 0. */
static size_t code_length(const char *text)
{
    return is_digit(text[0]) && is_digit(text[1]) && is_digit(text[2]) && text[3] == ' ' ? 4 : 0;
}

/* The length of class.subject.detail and the blank behind it, or 0: RFC 3463 section 2. */
static size_t enhanced_length(const char *text)
{
    size_t at = 0;
    for (int part = 0; part < 3; part++) {
        size_t digits = 0;
        while (is_digit(text[at + digits]))
            digits++;
        if (digits == 0 || digits > (part == 0 ? 1 : 3) ||
            text[at + digits] != (part < 2 ? '.' : ' '))
            return 0;
        at += digits + 1;
    }
    return at;
}

static int check_codes(const char *template, enum reply_class class, struct error *err)
{
    const char *right = class == REPLY_PERMANENT ? "550 5.1.6" : "451 4.3.0";
    size_t code = code_length(template);
    size_t enhanced = code == 0 ? 0 : enhanced_length(template + code);

    if (code == 0 || enhanced == 0)
        return error_set(err, EX_CONFIG, "no code and enhanced code: write %s and a text", right);
    if (template[0] - '0' != (int)class)
        return error_set(err, EX_CONFIG, "%.3s is no %dyz code: write one such as %s", template,
                         (int)class, right);
    if (strncmp(template, "421", 3) == 0)
        return error_set(err, EX_CONFIG,
                         "421 would end the session with its other recipients: write "
                         "another 4yz code such as 450");
    if (template[code] != template[0])
        return error_set(err, EX_CONFIG, "%.3s and %.*s disagree: write %c.y.z after %.3s",
                         template, (int)enhanced - 1, template + code, template[0], template);
    if (template[code + enhanced] == '\0')
        return error_set(err, EX_CONFIG, "no text: write one after %.*s",
                         (int)(code + enhanced) - 1, template);
    return 0;
}

static int check_text(const char *text, struct error *err)
{
    for (const char *at = text; *at != '\0'; at++) {
        if (*at == '\r' || *at == '\n')
            return error_set(err, EX_CONFIG, "a line break: write one line");
        if (*at < ' ' || *at > '~')
            return error_set(err, EX_CONFIG,
                             "octet 0x%02x: write printable ASCII (RFC 5321 section 4.2)",
                             (unsigned)(unsigned char)*at);
        if (strncmp(at, "${", 2) == 0 && strncmp(at, "${old}", 6) != 0 &&
            strncmp(at, "${new}", 6) != 0)
            return error_set(err, EX_CONFIG, "no such variable '%.*s': write ${old} or ${new}",
                             (int)strcspn(at, "} ") + 1, at);
    }
    return 0;
}

int reply_check(const char *template, enum reply_class class, bool needs_new, struct error *err)
{
    if (check_text(template, err) != 0 || check_codes(template, class, err) != 0)
        return -1;
    if (strlen(template) > REPLY_LINE_MAX)
        return error_set(err, EX_CONFIG, "over %d octets: write a shorter line", REPLY_LINE_MAX);
    if (needs_new && strstr(template, "${new}") == NULL)
        return error_set(err, EX_CONFIG, "no ${new}: write where the mailbox has moved to");
    return 0;
}

/* What is left of the line. */
struct room {
    char *at, *end;
};

static int put(struct room *room, const char *text, size_t length)
{
    if (length > (size_t)(room->end - room->at))
        return -1;
    memcpy(room->at, text, length);
    room->at += length;
    return 0;
}

/* What the administrator wrote is printable; addresses come from a table or a client. */
static void make_printable(char *from, const char *end)
{
    for (; from < end; from++)
        if ((unsigned char)*from < ' ' || *from == 0x7f)
            *from = '?';
}

static int put_address(struct room *room, const char *text)
{
    char *from = room->at;
    if (text == NULL)
        return 0;
    int rc = put(room, text, strlen(text));
    make_printable(from, room->at);
    return rc;
}

int reply_fill(struct reply *out, const char *template, const char *old, const char *new)
{
    size_t code = code_length(template), enhanced = enhanced_length(template + code);
    struct room room = {out->text, out->text + REPLY_LINE_MAX - code - enhanced};
    int rc = 0;

    memcpy(out->code, template, code - 1);
    out->code[code - 1] = '\0';
    memcpy(out->enhanced, template + code, enhanced - 1);
    out->enhanced[enhanced - 1] = '\0';
    for (const char *at = template + code + enhanced; *at != '\0' && rc == 0;) {
        size_t plain = strcspn(at, "$");
        rc = put(&room, at, plain);
        at += plain;
        if (rc != 0 || *at == '\0')
            break;
        bool is_old = strncmp(at, "${old}", 6) == 0;
        if (is_old || strncmp(at, "${new}", 6) == 0) {
            rc = put_address(&room, is_old ? old : new);
            at += 6;
        } else {
            rc = put(&room, at++, 1);
        }
    }
    *room.at = '\0';
    return rc;
}
