#include "ctl/sendmail_m4.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* m4's quotes inside our file: the default ones are an apostrophe and a backtick, which a text may
 * have; unquoted a word of a text could be a macro's name. */
#define OPEN  "[[["
#define CLOSE "]]]"

static const char before[] =
    "divert(-1)\n"
    "# Written by movedctl attach sendmail, with the replies of milter-moved.conf: run it again "
    "when\n"
    "# they change. movedctl detach sendmail removes it.\n"
    "divert(0)dnl\n"
    "changequote(" OPEN ", " CLOSE ")dnl\n"
    "LOCAL_CONFIG\n" OPEN
    "# Mailboxes that have moved (milter-moved): the name of the map is what it is asked for.\n"
    "Kreply socket -d10 -T<TMPF> local:%s\n" CLOSE "LOCAL_RULESETS\n" OPEN "SLocal_check_rcpt\n"
    "R$*\t\t\t$: $1 $| $>\"moved_rcpt\" $1\n"
    "R$* $| $#$*\t\t$#$2\n"
    "R$* $| $*\t\t$: $1\n"
    "\n"
    "Smoved_rcpt\n";

/* What Sendmail refuses by itself (relaying, the access map) it refuses in its own words. */
static const char served_alone[] = "R$*\t\t\t$: $1 $| $>\"Basic_check_rcpt\" $1\n"
                                   "R$* $| $#$*\t\t$@ $1\n"
                                   "R$* $| $*\t\t$: $1\n";

/* The words of a key are parted by blanks, which only a quoted string keeps. */
static const char ask[] =
    "R< $* > $*\t\t$: $1\n"
    "R$*\t\t\t$: $&{auth_authen} $| $1\n"
    "R$+ $| $*\t\t$: $2 $| $(reply $&{client_addr} \" 1 0 \" $2 $: <NONE> $)\n"
    "R$| $*\t\t\t$: $1 $| $(reply $&{client_addr} \" 0 0 \" $1 $: <NONE> $)\n";

static const char after[] = CLOSE "changequote(`, ')dnl\n"
                                  "divert(0)dnl\n";

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

/* The text with what it is filled in with: operands of the rule, the old address and the new. */
static void write_text(FILE *out, const char *text, const char *old, const char *new)
{
    for (const char *at; (at = strstr(text, "${")) != NULL;) {
        bool is_old = strncmp(at, "${old}", 6) == 0;
        write_quoted(out, text, (size_t)(at - text));
        fprintf(out, " %s", is_old ? old : new);
        text = at + 6;
    }
    write_quoted(out, text, strlen(text));
}

/* "551 5.1.6 Text": the error mailer wants the enhanced code apart. */
static void write_rule(FILE *out, const char *matches, const char *template, const char *old,
                       const char *new)
{
    const char *enhanced = template + 4;
    size_t length = strcspn(enhanced, " ");
    char head[8];
    snprintf(head, sizeof head, "%.4s", template);
    fprintf(out, "%s\t$#error $@ %.*s $:", matches, (int)length, enhanced);
    const char *text = enhanced + length + 1;
    char *whole;
    if (asprintf(&whole, "%s%s", head, text) >= 0) {
        write_text(out, whole, old, new);
        free(whole);
    }
    fputc('\n', out);
}

static int check_texts(const struct settings *s, struct error *err)
{
    const char *const texts[] = {s->reply_moved, s->reply_withheld, s->reply_gone,
                                 s->reply_deferred, s->reply_table_error};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (strstr(texts[i], OPEN) != NULL || strstr(texts[i], CLOSE) != NULL)
            return error_set(err, EX_CONFIG,
                             "replies: '%s' has " OPEN " or " CLOSE
                             ", which cannot be written for Sendmail: write it without",
                             texts[i]);
    return 0;
}

char *sendmail_m4(const struct settings *settings, bool unserved, struct error *err)
{
    char *text = NULL;
    size_t size;
    if (check_texts(settings, err) != 0)
        return NULL;
    FILE *out = open_memstream(&text, &size);
    if (out == NULL) {
        error_set(err, EX_OSERR, "out of memory");
        return NULL;
    }
    fprintf(out, before, settings->lookup_socket + strlen("unix:"));
    if (!unserved)
        fputs(served_alone, out);
    fputs(ask, out);
    write_rule(out, "R$* $| $* <TMPF>", settings->reply_table_error, "$1", "");
    write_rule(out, "R$* $| moved $+", settings->reply_moved, "$1", "$2");
    write_rule(out, "R$* $| withheld $+", settings->reply_withheld, "$2", "");
    write_rule(out, "R$* $| gone $+", settings->reply_gone, "$2", "");
    write_rule(out, "R$* $| deferred $+", settings->reply_deferred, "$2", "");
    fputs(after, out);
    if (fclose(out) == 0)
        return text;
    free(text);
    error_set(err, EX_OSERR, "out of memory");
    return NULL;
}
