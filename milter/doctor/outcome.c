/* SPDX-License-Identifier: BSD-2-Clause */
/* doctor/outcome.c: what an examination has found, for people and for programs */
#include "doctor/exam.h"

#include "base/printable.h"

#include <errno.h>
#include <grp.h>
#include <jansson.h>
#include <netinet/in.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <uniwidth.h>

#define COLUMNS       80
#define HEAD          16 /* column of what does not fit on a line of the head */
#define ROWS_MAX      60 /* recipients that are shown */
#define RECIPIENT_MAX 48 /* columns: a longer one moves what follows */
#define EXPECTED      10 /* columns of what is expected */

static const struct {
    const char *name, *heading;
} weights[] = {[NOTE] = {"note", "OK"},
               [UNSEEN] = {"not seen", "OK"},
               [RISK] = {"risk", "RISK"},
               [FAULT] = {"fault", "FAULT"},
               [DOWN] = {"down", "DOWN"}};

/* ---- words that both ways share */

static size_t count_asked(const struct exam *exam, bool well)
{
    size_t count = 0;
    for (size_t i = 0; i < exam->recipient_count; i++)
        if (exam->recipients[i].got.code != 0)
            count += !well || exam->recipients[i].well;
    return count;
}

static bool is_first_of_its_name(const struct finding *findings, size_t index)
{
    for (size_t i = 0; i < index; i++)
        if (strcmp(findings[i].name, findings[index].name) == 0)
            return false;
    return true;
}

/* "FAULT: soft-bounce, not-attached: 3 of 7 recipients ...": for a person, and for a monitoring system. */
static void summarize(FILE *out, const struct exam *exam)
{
    const struct finding *findings = exam->findings;
    size_t asked = count_asked(exam, false), well = count_asked(exam, true), named = 0;
    enum weight worst = exam_worst(exam);
    bool blind = worst == UNSEEN && asked == 0;
    if (!exam->request->nagios)
        fprintf(out, "%s: ", blind ? "NOT SEEN" : weights[worst].heading);
    for (size_t i = 0; i < exam->finding_count; i++)
        if (findings[i].weight > (blind ? NOTE : UNSEEN) && is_first_of_its_name(findings, i))
            fprintf(out, "%s%s", named++ == 0 ? "" : ", ", findings[i].name);
    fputs(named == 0 ? "" : ": ", out);
    if (asked == 0)
        fputs("no recipient was asked about", out);
    else if (well == asked)
        fprintf(out, "%zu recipient%s asked about, each got what it should", asked,
                asked == 1 ? "" : "s");
    else
        fprintf(out, "%zu of %zu recipients asked about did not get what they should", asked - well,
                asked);
    if (exam->daemon.observes)
        fputs("; mode = \"observe\": nothing is refused", out);
}

static const char *describe_expected(const struct asked *asked)
{
    return asked->abroad                                 ? "no relay"
           : asked->expected.verdict != VERDICT_CONTINUE ? rule_name(asked->expected.rule)
           : asked->invented                             ? "no mailbox"
                                                         : "not listed";
}

/* ---- for people */

static int columns_of(const char *text)
{
    return u8_strwidth((const uint8_t *)text, "UTF-8");
}

static void paint(FILE *out, const struct exam *exam, const char *word, bool good)
{
    if (exam->request->colour)
        fprintf(out, "\033[%sm%s\033[0m", good ? "32" : "31;1", word);
    else
        fputs(word, out);
}

/* Prints text from this column on, broken at blanks; the next lines begin at column indent. A command is not broken within
 * quotes, and a line of it that goes on ends with a backslash: the shell joins them. */
static void print_wrapped(FILE *out, int column, int indent, char *text, bool is_command)
{
    const char *gap = "";
    bool quoted = false;
    printable_make(text);
    for (const char *word = text + strspn(text, " "); *word != '\0';) {
        size_t length = 0;
        for (; word[length] != '\0' && (quoted || word[length] != ' '); length++)
            quoted ^= is_command && word[length] == '\'';
        int width = u8_width((const uint8_t *)word, length, "UTF-8");
        if (*gap != '\0' && column + 1 + width + (is_command ? 2 : 0) > COLUMNS) {
            fprintf(out, "%s\n%*s", is_command ? " \\" : "", indent, "");
            column = indent;
            gap = "";
        }
        column += fprintf(out, "%s%.*s", gap, (int)length, word) - (int)length + width;
        gap = " ";
        word += length;
        word += strspn(word, " ");
    }
    fputc('\n', out);
}

/* Prints a line that begins with lead, in ASCII. */
static void print_line(FILE *out, const char *lead, int indent, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
static void print_line(FILE *out, const char *lead, int indent, const char *format, ...)
{
    va_list args;
    char *text;
    va_start(args, format);
    int length = vasprintf(&text, format, args);
    va_end(args);
    if (length < 0)
        return;
    fputs(lead, out);
    print_wrapped(out, (int)strlen(lead), indent, text, false);
    free(text);
}

/* "unix:/run/milter-moved/milter.sock, milter-moved:postfix, mode 0660: answers" */
static void print_socket(FILE *out, const char *socket, enum socket_state state)
{
    static const char *const states[] = {[SOCKET_UNSEEN] = "not seen",
                                         [SOCKET_SILENT] = "does not answer",
                                         [SOCKET_ANSWERS] = "answers"};
    struct stat status;
    char modes[256] = "";
    const char *path = endpoint_path(socket);
    if (*socket == '\0')
        return;
    if (path != NULL && stat(path, &status) == 0) {
        const struct passwd *user = getpwuid(status.st_uid);
        const struct group *group = getgrgid(status.st_gid);
        snprintf(modes, sizeof modes, ", %s:%s, mode %04o", user == NULL ? "?" : user->pw_name,
                 group == NULL ? "?" : group->gr_name, (unsigned)status.st_mode & 07777);
    }
    print_line(out, "              ", HEAD, "%s%s: %s", socket, modes, states[state]);
}

static void print_table(FILE *out, const struct exam *exam)
{
    char more[64] = "";
    if (exam->answers && exam->all_domains > exam->domain_count)
        snprintf(more, sizeof more, ", of which %zu are asked about", exam->domain_count);
    if (exam->table == NULL)
        print_line(out, "table         ", HEAD, "%s: %s", exam->request->table,
                   exam->table_error.status == EX_NOPERM ? "not seen" : "cannot be read");
    else
        print_line(out, "table         ", HEAD, "%s: %zu %s, %zu %s%s", exam->request->table,
                   exam->entries, entry_noun(exam->entries), exam->all_domains,
                   exam->all_domains == 1 ? "domain" : "domains", more);
}

static void print_head(FILE *out, const struct exam *exam)
{
    const struct settings *settings = exam->settings;
    const struct daemon_state *daemon = &exam->daemon;
    char client[INET6_ADDRSTRLEN], where[ENDPOINT_TEXT_SIZE];

    print_table(out, exam);
    print_line(out, "milter-moved  ", HEAD, "%s%smode %s", daemon->version,
               *daemon->version == '\0' ? "" : ", ", daemon->observes ? "observe" : "enforce");
    print_socket(out, settings->socket, daemon->milter);
    print_socket(out, settings->lookup_socket, daemon->lookups);
    print_line(out, "mail server   ", HEAD, "%s at %s%s",
               exam->mta == NULL ? "unknown" : exam->mta->title,
               endpoint_format_host(where, sizeof where, &exam->where),
               exam->answers ? "" : ": does not answer");
    if (!exam->answers)
        return;
    ip_format(client, sizeof client, &exam->server.client);
    print_line(out, "              ", HEAD, "it sees us as %s, %s", client,
               network_contains(settings->trusted, settings->trusted_count, &exam->server.client)
                   ? "a client that milter-moved trusts"
                   : "a stranger to milter-moved");
    if (exam->server.is_here && exam->as == NULL)
        print_line(out, "              ", HEAD, "what strangers get may differ%s",
                   exam->server.xclient ? ": --as IP asks as one" : "");
}

/* A recipient: the mark, the address, what is expected, the reply; the reply below them if the line is too short. */
static void print_one(FILE *out, const struct exam *exam, const struct asked *asked, int width)
{
    char mark[16], recipient[sizeof asked->recipient], got[sizeof asked->got.text + 16];
    const char *expected = describe_expected(asked);

    if (asked->finding >= 0)
        snprintf(mark, sizeof mark, "[%d]", asked->finding + 1);
    else
        snprintf(mark, sizeof mark, "%s", asked->well ? "ok" : "-");
    asked_join_lines(got, sizeof asked->got.text,
                     asked->got.code == 0 ? "not asked" : asked->got.text);
    if (asked->in_mail)
        snprintf(got + strlen(got), sizeof got - strlen(got), " (to MAIL)");
    memcpy(recipient, asked->recipient, sizeof recipient);
    printable_make(recipient);

    int columns = columns_of(recipient);
    int blanks = width > columns ? width - columns : 0;
    paint(out, exam, mark, asked->well);
    fprintf(out, "%*s%s%*s  %s", 5 - (int)strlen(mark), "", recipient, blanks, "", expected);
    int column = 5 + columns + blanks + 2 + EXPECTED + 2;
    if (column + columns_of(got) <= COLUMNS) {
        fprintf(out, "%*s", EXPECTED + 2 - (int)strlen(expected), "");
    } else {
        fputs("\n         ", out);
        column = 9;
    }
    print_wrapped(out, column, 9, got, false);
}

/* Of many, those that are not as they should be. */
static void print_asked(FILE *out, const struct exam *exam)
{
    bool all = exam->recipient_count <= ROWS_MAX;
    size_t shown = 0;
    int width = 0;
    for (size_t i = 0; i < exam->recipient_count; i++) {
        int columns = columns_of(exam->recipients[i].recipient);
        width = columns > width && columns <= RECIPIENT_MAX ? columns : width;
    }
    if (exam->recipient_count > 0)
        fputc('\n', out);
    for (size_t i = 0; i < exam->recipient_count; i++)
        if ((all || !exam->recipients[i].well) && shown < ROWS_MAX) {
            print_one(out, exam, &exam->recipients[i], width);
            shown++;
        }
    if (shown < exam->recipient_count)
        fprintf(out, "     and %zu more, which --json shows\n", exam->recipient_count - shown);
}

/* Lines of words, and of commands ("$ ..."), which are printed to be pasted. */
static void print_mend(FILE *out, char *mend)
{
    char *rest = mend[0] == '\0' ? NULL : mend, *line;
    const char *lead = "    mend: ";
    while ((line = strsep(&rest, "\n")) != NULL) {
        bool is_command = strncmp(line, "$ ", 2) == 0;
        fputs(lead, out);
        print_wrapped(out, 10, is_command ? 12 : 10, is_command ? line + 2 : line, is_command);
        lead = "          ";
    }
}

static void print_findings(FILE *out, const struct exam *exam)
{
    for (size_t i = 0; i < exam->finding_count; i++) {
        const struct finding *finding = &exam->findings[i];
        fprintf(out, "\n[%zu] ", i + 1);
        paint(out, exam, weights[finding->weight].name, finding->weight == NOTE);
        fprintf(out, ": %s", finding->name);
        if (finding->recipients > 0)
            fprintf(out, " (%zu recipient%s)", finding->recipients,
                    finding->recipients == 1 ? "" : "s");
        fputc('\n', out);
        print_line(out, "    ", 4, "%s", finding->why);
        if (finding->noted > 1)
            fprintf(out, "    The same is true of %zu more.\n", finding->noted - 1);
        print_mend(out, finding->mend);
    }
}

/* ---- for programs */

static json_t *json_of_findings(const struct exam *exam)
{
    json_t *array = json_array();
    for (size_t i = 0; i < exam->finding_count; i++) {
        const struct finding *finding = &exam->findings[i];
        json_array_append_new(array, json_pack("{s:s, s:s, s:i, s:s, s:s}", "name", finding->name,
                                               "weight", weights[finding->weight].name,
                                               "recipients", (int)finding->recipients, "why",
                                               finding->why, "mend", finding->mend));
    }
    return array;
}

static json_t *json_of_asked(const struct exam *exam)
{
    json_t *array = json_array();
    for (size_t i = 0; i < exam->recipient_count; i++) {
        const struct asked *asked = &exam->recipients[i];
        const char *finding = asked->finding < 0 ? NULL : exam->findings[asked->finding].name;
        json_array_append_new(array, json_pack("{s:s, s:s, s:s, s:s, s:b, s:s?}", "recipient",
                                               asked->recipient, "rule", describe_expected(asked),
                                               "expected", asked->want, "got", asked->got.text,
                                               "well", asked->well, "finding", finding));
    }
    return array;
}

static int print_json(FILE *out, const struct exam *exam, int status, struct error *err)
{
    const struct daemon_state *daemon = &exam->daemon;
    char *summary = NULL;
    size_t size;
    FILE *line = open_memstream(&summary, &size);
    if (line == NULL)
        return error_set(err, EX_OSERR, "out of memory");
    summarize(line, exam);
    fclose(line);
    json_t *object =
        json_pack("{s:s, s:i, s:s, s:s, s:s, s:s, s:I, s:o, s:o}", "summary", summary, "status",
                  status, "mode", daemon->observes ? "observe" : "enforce", "version",
                  daemon->version, "server", exam->mta == NULL ? "" : exam->mta->name, "table",
                  exam->request->table, "entries", (json_int_t)exam->entries, "asked",
                  json_of_asked(exam), "findings", json_of_findings(exam));
    free(summary);
    int rc = object == NULL ? -1 : json_dumpf(object, out, JSON_INDENT(2) | JSON_ENSURE_ASCII);
    json_decref(object);
    fputc('\n', out);
    return rc == 0 ? 0 : error_set(err, EX_IOERR, "standard output: %s", strerror(errno));
}

/* Plugin guidelines of Nagios: one line, and behind a bar 'label=value;warning;critical;minimum;maximum'. */
static int print_nagios(FILE *out, const struct exam *exam, int status)
{
    size_t asked = count_asked(exam, false);
    fprintf(out, "MILTER-MOVED %s - ", status == 0 ? "OK" : status == 2 ? "CRITICAL" : "UNKNOWN");
    summarize(out, exam);
    fprintf(out, " | asked=%zu;;;0; wrong=%zu;;0;0;%zu entries=%zu;;;0;\n", asked,
            asked - count_asked(exam, true), asked, exam->entries);
    return 0;
}

int exam_print(const struct exam *exam, int status, FILE *out, struct error *err)
{
    if (exam->request->json)
        return print_json(out, exam, status, err);
    if (exam->request->nagios)
        return print_nagios(out, exam, status);
    summarize(out, exam);
    fputs("\n\n", out);
    print_head(out, exam);
    print_asked(out, exam);
    print_findings(out, exam);
    return 0;
}
