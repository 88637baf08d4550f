/* doctor/outcome.c: what doctor has found, for people and for programs */
#include "doctor/exam.h"

#include <grp.h>
#include <jansson.h>
#include <netinet/in.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define COLUMNS       100 /* of running text */
#define ROWS_MAX      60  /* recipients that are shown */
#define RECIPIENT_MAX 48  /* columns: a longer one moves what follows */

static const char *const weights[] = {[NOTE] = "note", [FAULT] = "fault", [DOWN] = "down"};

/* ---- words that both ways share */

static size_t count_asked(const struct exam *exam, bool well)
{
    size_t count = 0;
    for (size_t i = 0; i < exam->asked_count; i++)
        if (exam->asked[i]->got.code != 0)
            count += !well || exam->asked[i]->well;
    return count;
}

static const char *outcome(int status)
{
    return status == 0 ? "OK" : status == 1 ? "FAULT" : "DOWN";
}

static bool is_first_of_its_name(const struct exam *exam, size_t index)
{
    for (size_t i = 0; i < index; i++)
        if (strcmp(exam->findings[i].name, exam->findings[index].name) == 0)
            return false;
    return true;
}

/* "FAULT: soft-bounce, not-attached: 3 of 7 recipients …": for a person, and for a monitoring system. */
static void summarize(FILE *out, const struct exam *exam, int status)
{
    size_t asked = count_asked(exam, false), well = count_asked(exam, true), named = 0;
    fprintf(out, "%s: ", outcome(status));
    for (size_t i = 0; i < exam->finding_count; i++)
        if (exam->findings[i].weight != NOTE && is_first_of_its_name(exam, i))
            fprintf(out, "%s%s", named++ == 0 ? "" : ", ", exam->findings[i].name);
    fputs(named == 0 ? "" : ": ", out);
    if (asked == 0)
        fputs("no recipient was asked about", out);
    else if (well == asked)
        fprintf(out, "%zu recipients asked about, each got what it should", asked);
    else
        fprintf(out, "%zu of %zu recipients asked about did not get what they should", asked - well,
                asked);
    if (exam->observes)
        fputs("; mode = \"observe\": nothing is refused", out);
}

/* "srw-rw---- milter-moved:postfix" */
static void describe_socket(char *out, size_t size, const char *socket)
{
    struct stat status;
    *out = '\0';
    const char *path = endpoint_path(socket);
    if (path == NULL || stat(path, &status) != 0)
        return;
    const struct passwd *user = getpwuid(status.st_uid);
    const struct group *group = getgrgid(status.st_gid);
    snprintf(out, size, "%s:%s, mode %04o", user == NULL ? "?" : user->pw_name,
             group == NULL ? "?" : group->gr_name, (unsigned)status.st_mode & 07777);
}

static const char *describe_expected(const struct asked *asked)
{
    return asked->expected.verdict != VERDICT_CONTINUE ? rule_name(asked->expected.rule)
           : asked->invented                           ? "no mailbox"
                                                       : "not listed";
}

/* ---- for people */

static void print_painted(const char *word, bool good)
{
    if (print_has_colour())
        printf("\033[%sm%s\033[0m", good ? "32" : "31;1", word);
    else
        fputs(word, stdout);
}

/* Running text, broken at blanks. */
static void print_wrapped(const char *text, const char *indent)
{
    size_t column = 0;
    while (*text != '\0') {
        size_t length = strcspn(text, " ");
        if (column == 0 || column + 1 + length > COLUMNS) {
            printf("%s%s", column == 0 ? "" : "\n", indent);
            column = strlen(indent);
        } else {
            putchar(' ');
            column++;
        }
        print_foreign(text, length);
        column += length;
        text += length;
        text += strspn(text, " ");
    }
    putchar('\n');
}

static void print_socket(const char *socket, bool answers)
{
    char modes[256];
    if (*socket == '\0')
        return;
    describe_socket(modes, sizeof modes, socket);
    printf("              %s%s%s: %s\n", socket, *modes == '\0' ? "" : ", ", modes,
           answers ? "answers" : "does not answer");
}

static void print_head(const struct exam *exam)
{
    static const char *const names[] = {"unknown", "Postfix", "Sendmail"};
    char client[INET6_ADDRSTRLEN];
    char where[ENDPOINT_TEXT_SIZE];

    char more[64] = "";
    if (exam->answers && exam->all_domains > exam->domain_count)
        snprintf(more, sizeof more, ", of which %zu are asked about", exam->domain_count);
    printf("table         %s: ", exam->ctl->path);
    if (exam->table == NULL)
        puts("cannot be read");
    else
        printf("%zu %s, %zu %s%s\n", exam->entries, entry_noun(exam->entries), exam->all_domains,
               exam->all_domains == 1 ? "domain" : "domains", more);
    printf("milter-moved  %s%smode %s\n", exam->version, *exam->version == '\0' ? "" : ", ",
           exam->observes ? "observe" : "enforce");
    print_socket(exam->settings->socket, exam->milter_answers);
    print_socket(exam->settings->lookup_socket, exam->lookups_answer);
    printf("mail server   %s at %s%s\n", names[exam->server],
           endpoint_format_host(where, sizeof where, &exam->where),
           exam->answers ? "" : ": does not answer");
    if (!exam->answers)
        return;
    ip_format(client, sizeof client, &exam->client);
    printf("              it sees us as %s, %s\n", client,
           network_contains(exam->settings->trusted, exam->settings->trusted_count, &exam->client)
               ? "a client that milter-moved trusts"
               : "a stranger to milter-moved");
    if (exam->is_here)
        puts("              from this host alone: restrictions for strangers may not show");
}

static void print_one(const struct asked *asked, int width)
{
    char mark[16], got[sizeof asked->got.text];
    if (asked->finding >= 0)
        snprintf(mark, sizeof mark, "[%d]  ", asked->finding + 1);
    else
        snprintf(mark, sizeof mark, "%s", asked->well ? "ok   " : "-    ");
    print_painted(mark, asked->well);
    reply_on_one_line(got, sizeof got, asked->got.text);
    int blanks = width - print_columns_of(asked->recipient);
    print_text(asked->recipient);
    printf("%*s  %-10s  %s%s\n", blanks > 0 ? blanks : 0, "", describe_expected(asked),
           asked->got.code == 0 ? "not asked" : got, asked->in_mail ? " (to MAIL)" : "");
}

/* Of many, those that are not as they should be. */
static void print_asked(const struct exam *exam)
{
    bool all = exam->asked_count <= ROWS_MAX;
    size_t shown = 0;
    int width = 0;
    for (size_t i = 0; i < exam->asked_count; i++) {
        int length = print_columns_of(exam->asked[i]->recipient);
        width = length > width && length <= RECIPIENT_MAX ? length : width;
    }
    if (exam->asked_count > 0)
        putchar('\n');
    for (size_t i = 0; i < exam->asked_count; i++)
        if ((all || !exam->asked[i]->well) && shown < ROWS_MAX) {
            print_one(exam->asked[i], width);
            shown++;
        }
    if (shown < exam->asked_count)
        printf("     and %zu more, which --json shows\n", exam->asked_count - shown);
}

static void print_mend(const char *mend)
{
    fputs("    mend: ", stdout);
    print_text(mend);
    putchar('\n');
}

static void print_findings(const struct exam *exam)
{
    for (size_t i = 0; i < exam->finding_count; i++) {
        const struct finding *finding = &exam->findings[i];
        printf("\n[%zu] ", i + 1);
        print_painted(weights[finding->weight], finding->weight == NOTE);
        printf(": %s", finding->name);
        if (finding->recipients > 0)
            printf(" (%zu recipient%s)", finding->recipients, finding->recipients == 1 ? "" : "s");
        putchar('\n');
        print_wrapped(finding->why, "    ");
        if (finding->others > 0)
            printf("    The same is true of %zu more.\n", finding->others);
        if (*finding->mend != '\0')
            print_mend(finding->mend);
    }
}

static void print_words(const struct exam *exam, int status)
{
    summarize(stdout, exam, status);
    fputs("\n\n", stdout);
    print_head(exam);
    print_asked(exam);
    print_findings(exam);
}

/* ---- for programs */

static json_t *json_of_findings(const struct exam *exam)
{
    json_t *array = json_array();
    for (size_t i = 0; i < exam->finding_count; i++) {
        const struct finding *finding = &exam->findings[i];
        json_array_append_new(array, json_pack("{s:s, s:s, s:i, s:s, s:s}", "name", finding->name,
                                               "weight", weights[finding->weight], "recipients",
                                               (int)finding->recipients, "why", finding->why,
                                               "mend", finding->mend));
    }
    return array;
}

static json_t *json_of_asked(const struct exam *exam)
{
    json_t *array = json_array();
    for (size_t i = 0; i < exam->asked_count; i++) {
        const struct asked *asked = exam->asked[i];
        const char *finding = asked->finding < 0 ? NULL : exam->findings[asked->finding].name;
        json_array_append_new(array, json_pack("{s:s, s:s, s:s, s:s, s:b, s:s?}", "recipient",
                                               asked->recipient, "rule", describe_expected(asked),
                                               "expected", asked->want, "got", asked->got.text,
                                               "well", asked->well, "finding", finding));
    }
    return array;
}

static int print_json(const struct exam *exam, int status, struct error *err)
{
    static const char *const names[] = {"", "postfix", "sendmail"};
    char *summary = NULL;
    size_t size;
    FILE *out = open_memstream(&summary, &size);
    if (out == NULL)
        return error_set(err, EX_OSERR, "out of memory");
    summarize(out, exam, status);
    fclose(out);
    json_t *object = json_pack("{s:s, s:i, s:s, s:s, s:s, s:s, s:I, s:o, s:o}", "summary", summary,
                               "status", status, "mode", exam->observes ? "observe" : "enforce",
                               "version", exam->version, "server", names[exam->server], "table",
                               exam->ctl->path, "entries", (json_int_t)exam->entries, "asked",
                               json_of_asked(exam), "findings", json_of_findings(exam));
    free(summary);
    int rc = object == NULL ? -1 : json_dumpf(object, stdout, JSON_INDENT(2) | JSON_ENSURE_ASCII);
    json_decref(object);
    putchar('\n');
    return rc == 0 ? 0 : print_failed(err);
}

int exam_print(const struct exam *exam, int status, struct error *err)
{
    if (exam->ctl->options.json)
        return print_json(exam, status, err);
    print_words(exam, status);
    return 0;
}
