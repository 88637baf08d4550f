/* SPDX-License-Identifier: BSD-2-Clause */
/* doctor/compare.c: compares the reply to a recipient with the expected one */
#include "doctor/exam.h"

#include <regex.h>
#include <string.h>

const struct ip doctor_stranger = {.octets = {[10] = 0xff, 0xff, 198, 51, 100, 1}};

bool asked_matches(const struct asked *asked, const char *pattern)
{
    regex_t compiled;
    if (regcomp(&compiled, pattern, REG_EXTENDED | REG_ICASE | REG_NOSUB) != 0)
        return false;
    bool matches = regexec(&compiled, asked->got.text, 0, NULL, 0) == 0;
    regfree(&compiled);
    return matches;
}

/* What follows "551 5.1.6 ", and the recipient that Sendmail puts there in most replies: "<al@old.example>... ". */
static const char *behind_codes(const char *line, const char *recipient)
{
    size_t length = strlen(recipient);
    line += strspn(line, "0123456789");
    line += *line == ' ';
    line += reply_enhanced_length(line);
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

bool reply_is_text(const struct exam *exam, enum text_kind kind)
{
    const struct asked *asked = exam->asked;
    const struct settings *settings = exam->settings;
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

bool reply_misses_table(struct exam *exam)
{
    return reply_is_text(exam, TEXT_TABLE_ERROR);
}

bool reply_has_text(struct exam *exam)
{
    return *exam->asked->want != '\0' && has_text(exam->asked, exam->asked->want, false);
}

bool reply_goes_on(struct exam *exam)
{
    const char *want = exam->asked->want;
    return *want != '\0' && strncmp(exam->asked->got.text, want, strlen(want)) == 0;
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
    char *end = out;
    for (; *text != '\0' && end + 4 < out + size; text++)
        if (*text == '\n')
            end = stpcpy(end, " / ");
        else
            *end++ = *text;
    *end = '\0';
}
