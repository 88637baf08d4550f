/* SPDX-License-Identifier: BSD-2-Clause */
#include "mta/sendmail/sendmail_m4.h"

#include "base/endpoint.h"
#include "mail/reply.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- sendmail.mc */

/* Each block stands between two such lines. detach removes these lines and everything between them. */
#define BEGIN "dnl # milter-moved begin: by movedctl attach, to be taken out by movedctl detach"
#define END   "dnl # milter-moved end"

/* Follows BEGIN if the file did not end with a newline: detach then removes that newline too. */
#define NEWLINE " (a newline before this too)"

static bool is_marker(const char *line, const char *marker)
{
    line += strspn(line, " \t");
    return strncmp(line, marker, strlen(marker)) == 0;
}

char *sendmail_mc_strip(const char *text)
{
    char *out = malloc(strlen(text) + 1), *end = out;
    bool ours = false;
    if (out == NULL)
        return NULL;
    while (*text != '\0') {
        size_t length = strcspn(text, "\n");
        bool ends = is_marker(text, END);
        ours = ours || is_marker(text, BEGIN);
        if (ours && end > out && is_marker(text, BEGIN NEWLINE))
            end--;
        length += text[length] == '\n';
        if (!ours && !ends) {
            memcpy(end, text, length);
            end += length;
        }
        ours = ours && !ends;
        text += length;
    }
    *end = '\0';
    return out;
}

/* The first line before which ours have to be: that of a mailer, or of the administrator's own rulesets, which
 * then see what has not moved. NULL if there is none. */
static const char *find_place(const char *mc)
{
    static const char *const words[] = {"MAILER(", "MAILER_DEFINITIONS", "LOCAL_RULESETS"};
    for (const char *at = mc; *at != '\0';) {
        const char *word = at + strspn(at, " \t");
        for (size_t i = 0; i < sizeof words / sizeof *words; i++)
            if (strncmp(word, words[i], strlen(words[i])) == 0)
                return at;
        at += strcspn(at, "\n");
        at += *at == '\n';
    }
    return NULL;
}

bool sendmail_mc_has_mailer(const char *text)
{
    return find_place(text) != NULL;
}

/* Debian's makefile tries to make each file of a line that begins with include: hence the empty string before it. */
char *sendmail_mc_add(const char *stripped, const char *m4_path, const char *milter)
{
    char *text = NULL;
    size_t size, length = strlen(stripped);
    bool whole = length > 0 && stripped[length - 1] == '\n';
    const char *at = find_place(stripped);
    FILE *out = open_memstream(&text, &size);
    if (out == NULL)
        return NULL;
    fprintf(out, "%.*s" BEGIN "\n`'include(`%s')dnl\n" END "\n%s", (int)(at - stripped), stripped,
            m4_path, at);
    if (milter != NULL)
        fprintf(out,
                "%s\nINPUT_MAIL_FILTER(`" SENDMAIL_FILTER
                "', `S=%s, F=T, T=C:10s;S:30s;R:30s;E:1m')dnl\n" END "\n",
                whole ? BEGIN : "\n" BEGIN NEWLINE, milter);
    return fclose(out) == 0 ? text : NULL;
}

/* ---- the m4 file */

/* m4's quotes in our file. The default ones, a backtick and an apostrophe, may be in a text; and an unquoted
 * word of a text could be the name of a macro. */
#define OPEN  "[[["
#define CLOSE "]]]"

/* m4 scans the expansion of ifdef again: only what is quoted twice stays as it is. */
#define IF(macro)      CLOSE "ifdef(" OPEN macro CLOSE ", " OPEN OPEN
#define MACRO(macro)   CLOSE CLOSE macro OPEN OPEN
#define END_IF         CLOSE CLOSE ")" OPEN
#define DIVERT(number) "PUSHDIVERT(" number ")dnl\nchangequote(" OPEN ", " CLOSE ")dnl\n" OPEN
#define END_DIVERT     CLOSE "changequote(`, ')dnl\nPOPDIVERT`'dnl\n"

static const char head[] =
    "PUSHDIVERT(-1)\n"
    "# Written by movedctl attach sendmail, with the replies of milter-moved.conf: run it again "
    "when\n"
    "# they change. movedctl detach sendmail removes it.\n"
    "define(`_MOVED_FROM_', ifdef(`_FFR_MAIL_MACRO', ``$&{mail_from}'', ``<$&f>''))\n"
    "ifdef(`_VIRTUSER_TABLE_', `define(`_MOVED_PARSE_')')\n"
    "ifdef(`_MAILER_TABLE_', `define(`_MOVED_PARSE_')')\n";

/* A port with its own list of milters asks no others. Each line has commas, so it is quoted first. */
static const char ports[] = "changequote({, })\n"
                            "define({_MOVED_}, patsubst(defn({_DPO_}), {.+}, {{{\\&}}}))\n"
                            "define({_DPO_}, patsubst(defn({_MOVED_}), "
                            "{\\([ ,=][Ii][A-Za-z]*=[^, {}]+\\)}, {\\1;%s}))\n"
                            "changequote(`, ')\n";

static const char map[] =
    "POPDIVERT`'dnl\n" DIVERT("6") "# Mailboxes that have moved (milter-moved): the name of the "
                                   "map is what it is asked for.\n"
                                   "Kreply socket -d10 -T<TMPF> local:%s\n" END_DIVERT;

/* A mailbox that has not moved goes on unchanged to the rules that follow. */
static const char rules[] = DIVERT("9") "SLocal_check_rcpt\n" SENDMAIL_M4_RULE "\n"
                                        "R$* $| $#$*\t\t$#$2\n"
                                        "R$* $| $*\t\t$: $1\n"
                                        "\n"
                                        "Smoved_rcpt\n";

/* What Sendmail itself refuses (relaying, the access map) gets its own reply. */
static const char served_alone[] = "R$*\t\t\t$: $1 $| $>\"Basic_check_rcpt\" $1\n"
                                   "R$* $| $#error $*\t$@ $1\n"
                                   "R$* $| $#discard $*\t$@ $1\n"
                                   "R$* $| $*\t\t$: $1\n";

/* The words of a key are separated by blanks, which only a quoted string preserves. */
static const char ask[] =
    "R< $* > $*\t\t$: $1\n"
    "R$*\t\t\t$: $&{auth_authen} $| $1\n"
    "R$+ $| $*\t\t$: $2 $| $(reply $&{client_addr} \" 1 0 <\" $2 \"> \" $&f $: <NONE> $)\n"
    "R$| $*\t\t\t$: $1 $| $(reply $&{client_addr} \" 0 0 <\" $1 \"> \" $&f $: <NONE> $)\n"
    "R$* $| <NONE>\t\t$@ $1\n";

/* With FEATURE(`delay_checks') client and sender are checked after the recipient. They are checked here first,
 * so that a client that is going to be refused learns no new address. */
static const char delayed[] =
    IF("_DELAY_CHECKS_") "R$* $| $*\t\t$: $1 $| $2 $| $>checkrelay $&{client_name} $| "
                         "$&{client_addr}\n"
                         "R$* $| $* $| $#error $*\t$@ $1\n"
                         "R$* $| $* $| $#discard $*\t$@ $1\n"
                         "R$* $| $* $| $*\t\t$: $1 $| $2 $| $>checkmail " MACRO(
                             "_MOVED_FROM_") "\n"
                                             "R$* $| $* $| $#error $*\t$@ $1\n"
                                             "R$* $| $* $| $#discard $*\t$@ $1\n"
                                             "R$* $| $* $| $*\t\t$: $1 $| $2\n" END_IF;

/* An error: in the virtusertable or the mailertable takes effect before Local_check_rcpt is called. So our
 * rules are called as soon as a recipient resolves to an error; all others are left to Local_check_rcpt. */
static const char parse[] = DIVERT("3")
    IF("_MOVED_PARSE_") "R$* < @ $+ > $*\t\t$: $&{client_addr} $| $1 < @ $2 > $3\n"
                        "R$| $*\t\t\t$: $1\n"
                        "R$+ $| $*\t\t$: <? $&{addr_type}> $2\n"
                        "R<? e r> $*\t\t$: <rcpt> $1 $| $>Parse1 $1\n"
                        "R<? $*> $*\t\t$: $2\n"
                        "R<rcpt> $* $| $#error $*\t$: <error> $1 $| $>\"moved_parsed\" $1\n"
                        "R<rcpt> $* $| $*\t$: $1\n"
                        "R<error> $* $| $#$*\t$#$2\n"
                        "R<error> $* $| $*\t$: $1\n" END_IF END_DIVERT DIVERT("9")
                            IF("_MOVED_PARSE_") "\nSmoved_parsed\n"
                                                "R$* < @ $* . > $*\t$1 < @ $2 > $3\n"
                                                "R$* < @ $* > $*\t\t$@ $>\"moved_rcpt\" < $1 @ $2 "
                                                ">\n" END_IF END_DIVERT;

/* A part of a reply as a quoted string of a rule. */
static void write_quoted(FILE *out, const char *text, size_t length)
{
    if (length == 0)
        return;
    fputs(" \"", out);
    for (size_t i = 0; i < length; i++) {
        if (text[i] == '"' || text[i] == '\\' || text[i] == '#') /* '#' would begin a comment */
            fputc('\\', out);
        if (text[i] == '$')
            fputc('$', out);
        fputc(text[i], out);
    }
    fputc('"', out);
}

/* One line of a text, in which the operands old and $2 stand for the addresses. */
static void write_text(FILE *out, const char *text, const char *old)
{
    for (const char *at; (at = strstr(text, "${")) != NULL; text = strchr(at, '}') + 1) {
        write_quoted(out, text, (size_t)(at - text));
        fprintf(out, " %s", strncmp(at, "${new}", 6) == 0 ? "$2" : old);
    }
    write_quoted(out, text, strlen(text));
}

/* The first line of "551 5.1.6 Text", since a rule has one line only. The error mailer takes the enhanced code
 * separately. */
static void write_rule(FILE *out, const char *matches, const char *template, const char *old)
{
    const char *enhanced = template + 4;
    size_t length = strcspn(enhanced, " "), rest = strcspn(enhanced + length + 1, "\n");
    char whole[REPLY_LINE_MAX + 1];
    fprintf(out, "%s\t$#error $@ %.*s $:", matches, (int)length, enhanced);
    snprintf(whole, sizeof whole, "%.4s%.*s", template, (int)rest, enhanced + length + 1);
    write_text(out, whole, old);
    fputc('\n', out);
}

/* The workspace is OLD $| VERDICT ADDRESS, where ADDRESS is the new one for moved, else the old one. at is the
 * text before the domain in a pattern; "" for any domain. */
static void write_rules(FILE *out, const struct texts *texts, bool conceal, const char *at,
                        const char *domain)
{
    static const enum text_kind kinds[] = {TEXT_WITHHELD, TEXT_GONE, TEXT_DEFERRED};
    char pattern[2 * ADDRESS_DOMAIN_MAX + 64], old[2 * ADDRESS_DOMAIN_MAX + 8];
    const char *any = *domain == '\0' ? "$+" : "$*";

    snprintf(old, sizeof old, "$1%s%s", at, domain);
    snprintf(pattern, sizeof pattern, "R$*%s%s $| $* <TMPF>", at, domain);
    write_rule(out, pattern, texts->of[TEXT_TABLE_ERROR], old);
    snprintf(pattern, sizeof pattern, "R$*%s%s $| moved $+", at, domain);
    write_rule(out, pattern, texts->of[TEXT_MOVED], old);

    snprintf(old, sizeof old, "$2%s%s", at, domain);
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        snprintf(pattern, sizeof pattern, "R$* $| %s %s%s%s", texts_name(kinds[i]), any, at,
                 domain);
        bool conceals = kinds[i] == TEXT_WITHHELD && conceal;
        write_rule(out, pattern, texts->of[conceals ? TEXT_UNKNOWN : kinds[i]], old);
    }
}

/* First the rules for single domains, longer ones before shorter ones: so each is before its parents. */
static void write_replies(FILE *out, const struct settings *settings)
{
    const struct domain_texts *items = settings->texts_by_domain.items;
    for (size_t length = ADDRESS_DOMAIN_MAX + 1; length > 0; length--)
        for (size_t i = 0; i < settings->texts_by_domain.count; i++)
            if (strlen(items[i].domain) == length)
                write_rules(out, &items[i].texts, settings->conceal,
                            *items[i].domain == '.' ? "" : "@", items[i].domain);
    write_rules(out, &settings->texts, settings->conceal, "", "");
    fputs("R$* $| $*\t\t$@ $1\n", out);
}

const char *sendmail_find_text(const struct settings *settings, const char *part)
{
    const struct domain_texts *items = settings->texts_by_domain.items;
    for (int kind = 0; kind < TEXTS; kind++) {
        if (strstr(settings->texts.of[kind], part) != NULL)
            return settings->texts.of[kind];
        for (size_t i = 0; i < settings->texts_by_domain.count; i++)
            if (strstr(items[i].texts.of[kind], part) != NULL)
                return items[i].texts.of[kind];
    }
    return NULL;
}

char *sendmail_m4(const struct settings *settings, const char *filter, bool unserved,
                  struct error *err)
{
    char *text = NULL;
    size_t size;
    const char *bad = sendmail_find_text(settings, OPEN);
    if (bad == NULL)
        bad = sendmail_find_text(settings, CLOSE);
    if (bad != NULL) {
        error_set(err, EX_CONFIG,
                  "replies: '%s' has " OPEN " or " CLOSE
                  ", which cannot be written for Sendmail: leave it out",
                  bad);
        return NULL;
    }
    FILE *out = open_memstream(&text, &size);
    if (out == NULL) {
        error_no_memory(err);
        return NULL;
    }
    fputs(head, out);
    fprintf(out, ports, filter);
    fprintf(out, map, endpoint_path(settings->lookup_socket));
    fputs(rules, out);
    if (!unserved)
        fputs(served_alone, out);
    fputs(ask, out);
    fputs(delayed, out);
    write_replies(out, settings);
    fputs(END_DIVERT, out);
    fputs(parse, out);
    if (fclose(out) == 0)
        return text;
    free(text);
    error_no_memory(err);
    return NULL;
}
