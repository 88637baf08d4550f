/* SPDX-License-Identifier: BSD-2-Clause */
#include "mail/reply.h"

#include "mail/envelope.h"

#include <stdio.h>
#include <string.h>

#define DIGITS "0123456789"

/* The length of a code and the blank after it. */
#define CODE_LENGTH 4

enum reply_mark { REPLY_NEW, REPLY_OLD, REPLY_RECIPIENT };

/* The variables of a template. */
static const struct variable {
    const char *name;
    unsigned char length;
    enum reply_mark mark;
} variables[] = {
    {"${new}", 6, REPLY_NEW},
    {"${old}", 6, REPLY_OLD},
    {"${recipient}", 12, REPLY_RECIPIENT},
};

/* The variable at text, or NULL. */
static const struct variable *find_variable(const char *text)
{
    if (*text != '$')
        return NULL;
    for (size_t i = 0; i < sizeof variables / sizeof *variables; i++)
        if (strncmp(text, variables[i].name, variables[i].length) == 0)
            return &variables[i];
    return NULL;
}

size_t reply_enhanced_length(const char *text)
{
    size_t class = strspn(text, DIGITS);
    if (class != 1 || text[1] != '.')
        return 0;
    size_t subject = strspn(text + 2, DIGITS);
    if (subject == 0 || subject > 3 || text[2 + subject] != '.')
        return 0;
    size_t detail = strspn(text + 3 + subject, DIGITS), length = 3 + subject + detail;
    return detail == 0 || detail > 3 || text[length] != ' ' ? 0 : length + 1;
}

/* Whether the line begins with a code and an enhanced code. */
static bool has_codes(const char *line)
{
    return strspn(line, DIGITS) == 3 && line[3] == ' ' &&
           reply_enhanced_length(line + CODE_LENGTH) > 0;
}

static int check_codes(const char *template, enum reply_class class, struct error *err)
{
    const char *right = class == REPLY_PERMANENT ? "550 5.1.6" : "451 4.3.0";

    if (!has_codes(template))
        return error_set(err, EX_CONFIG, "no code and enhanced code: write %s and a text", right);
    if (template[0] - '0' != (int)class)
        return error_set(err, EX_CONFIG, "%.3s is no %dyz code: write one such as %s", template,
                         (int)class, right);
    if (strncmp(template, "421", 3) == 0)
        return error_set(err, EX_CONFIG,
                         "421 would end the session with its other recipients: write "
                         "another 4yz code such as 450");
    const char *enhanced = template + CODE_LENGTH;
    int length = (int)reply_enhanced_length(enhanced);
    if (*enhanced != *template)
        return error_set(err, EX_CONFIG, "%.3s and %.*s disagree: write %c.y.z after %.3s",
                         template, length - 1, enhanced, *template, template);
    if (enhanced[length] == '\0' || enhanced[length] == '\n')
        return error_set(err, EX_CONFIG, "no text: write one after %.*s", CODE_LENGTH + length - 1,
                         template);
    return 0;
}

/* Checks a line of length octets. In a reply it has before more octets, for the codes. */
static int check_line(const char *line, size_t length, size_t before, struct error *err)
{
    for (const char *at = line; at < line + length; at++) {
        if (*at == '\r')
            return error_set(err, EX_CONFIG, "a line break: write one line, or a list of lines");
        if (*at < ' ' || *at > '~')
            return error_set(err, EX_CONFIG,
                             "octet 0x%02x: write printable ASCII (RFC 5321 section 4.2)",
                             (unsigned)(unsigned char)*at);
        if (strncmp(at, "${", 2) == 0 && find_variable(at) == NULL)
            return error_set(err, EX_CONFIG,
                             "no such variable '%.*s': write ${old}, ${new} or ${recipient}",
                             (int)strcspn(at, "} \n") + 1, at);
    }
    if (length + before > REPLY_LINE_MAX)
        return error_set(err, EX_CONFIG, "over %d octets: write a shorter line", REPLY_LINE_MAX);
    return 0;
}

int reply_check(const char *template, enum reply_class class, bool needs_new, struct error *err)
{
    size_t length = strcspn(template, "\n");
    const char *new = strstr(template, "${new}"), *line = template + length;

    if (check_line(template, length, 0, err) != 0 || check_codes(template, class, err) != 0)
        return -1;
    if (needs_new && (new == NULL || new > line))
        return error_set(err, EX_CONFIG,
                         "no ${new} in the first line: write where the mailbox has moved to");
    size_t codes = CODE_LENGTH + reply_enhanced_length(template + CODE_LENGTH);
    for (int number = 2; *line == '\n'; number++, line += length) {
        length = strcspn(++line, "\n");
        if (number > REPLY_LINES_MAX)
            return error_set(err, EX_CONFIG, "over %d lines: write fewer", REPLY_LINES_MAX);
        if (length == 0)
            return error_set(err, EX_CONFIG, "line %d is empty: write a text", number);
        if (has_codes(line))
            return error_set(err, EX_CONFIG,
                             "line %d has codes: write them in the first line alone", number);
        if (check_line(line, length, codes, err) != 0)
            return -1;
    }
    return 0;
}

/* ---- filling in */

/* The room left in a line. */
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

/* Returns the length of a character that is not allowed: a control character, U+2028 or U+2029; 0 if it is allowed. */
static size_t forbidden_length(const unsigned char *at)
{
    if (at[0] == 0xc2 && at[1] >= 0x80 && at[1] < 0xa0)
        return 2;
    if (at[0] == 0xe2 && at[1] == 0x80 && (at[2] == 0xa8 || at[2] == 0xa9))
        return 3;
    return at[0] < ' ' || at[0] == 0x7f ? 1 : 0;
}

bool reply_make_printable(char *text, bool utf8)
{
    bool has_utf8 = false;
    for (;;) {
        while (*text >= ' ' && *text < 0x7f) /* as nearly all are */
            text++;
        if (*text == '\0')
            return has_utf8;
        bool over = (unsigned char)*text > 0x7f;
        size_t length = over && !utf8 ? 1 : forbidden_length((unsigned char *)text);
        memset(text, '?', length);
        has_utf8 = has_utf8 || length == 0;
        text += length + (length == 0);
    }
}

const char *reply_double_percent(char *out, const char *text)
{
    char *at = out;
    if (strchr(text, '%') == NULL)
        return text;
    do {
        if (*text == '%')
            *at++ = '%';
    } while ((*at++ = *text++) != '\0');
    return out;
}

static int put_recipient(struct room *room, const struct reply_words *words)
{
    size_t length = words->recipient_length;
    const char *at = envelope_mailbox(words->recipient, &length), *end = at + length;
    bool quoted = false;
    int rc = 0;

    for (; at < end && rc == 0; at++) {
        if (*at == '"')
            quoted = !quoted;
        else if (*at != '\\' || !quoted || ++at < end)
            rc = put(room, at, 1);
    }
    return rc;
}

static int put_word(struct room *room, enum reply_mark mark, const struct reply_words *words)
{
    char old[ADDRESS_TEXT_SIZE];
    switch (mark) {
    case REPLY_NEW: return words->new == NULL ? 0 : put(room, words->new, strlen(words->new));
    case REPLY_RECIPIENT: return words->recipient == NULL ? 0 : put_recipient(room, words);
    case REPLY_OLD:
        if (words->old == NULL)
            return 0;
        (void)address_format(old, sizeof old, words->old->written, words->old->domain); /* fits */
        return put(room, old, strlen(old));
    }
    return 0;
}

/* Fills in the line at text, in front of which the reply has so many octets of codes. Returns its end, or NULL if it is
 * too long. */
static const char *fill_line(struct reply *out, const char *text, size_t codes,
                             const struct reply_words *words)
{
    char *line = out->text[out->lines++], *first_word = NULL;
    struct room room = {line, line + REPLY_LINE_MAX - codes};
    int rc = 0;

    while (rc == 0 && *text != '\0' && *text != '\n') {
        const struct variable *variable = find_variable(text);
        size_t length = variable == NULL ? 1 + strcspn(text + 1, "$\n") : variable->length;
        if (variable != NULL && first_word == NULL) /* what stands before it was checked */
            first_word = room.at;
        rc = variable == NULL ? put(&room, text, length) : put_word(&room, variable->mark, words);
        text += length;
    }
    *room.at = '\0';
    if (first_word != NULL && reply_make_printable(first_word, true))
        out->needs_utf8 = true;
    return rc == 0 ? text : NULL;
}

int reply_fill(struct reply *out, const char *template, const struct reply_words *words)
{
    size_t enhanced = reply_enhanced_length(template + CODE_LENGTH), codes = CODE_LENGTH + enhanced;
    const char *at = template + codes;

    memcpy(out->code, template, CODE_LENGTH); /* with the blank after it */
    out->code[CODE_LENGTH - 1] = '\0';
    memcpy(out->enhanced, template + CODE_LENGTH, enhanced);
    out->enhanced[enhanced - 1] = '\0';
    out->needs_utf8 = false;
    out->lines = 0;
    while ((at = fill_line(out, at, codes, words)) != NULL && *at == '\n')
        at++;
    return at == NULL ? -1 : 0;
}

void reply_format(char *out, size_t size, const struct reply *reply)
{
    size_t used = 0;
    for (unsigned i = 0; i < reply->lines && used < size; i++)
        used += (size_t)snprintf(out + used, size - used, "%s%s%c%s %s", i == 0 ? "" : "\n",
                                 reply->code, i + 1 < reply->lines ? '-' : ' ', reply->enhanced,
                                 reply->text[i]);
}
