/* SPDX-License-Identifier: BSD-2-Clause */
/* doctor/findings.c: the findings, and what the specialists share */
#include "doctor/exam.h"

#include "mta/reach.h"

#include <netdb.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

int exam_find(struct exam *exam, const char *name, enum weight weight, const char *why,
              const char *mend)
{
    struct finding made = {.name = name, .weight = weight};
    struct finding *more = realloc(exam->findings, (exam->finding_count + 1) * sizeof *more);
    if (more != NULL)
        exam->findings = more;
    made.why = facts_fill(&exam->facts, why);
    made.mend = facts_fill(&exam->facts, mend);
    int index = -1;
    if (more != NULL && made.why != NULL && made.mend != NULL)
        for (index = 0; index < (int)exam->finding_count; index++)
            if (strcmp(more[index].name, name) == 0 && strcmp(more[index].mend, made.mend) == 0)
                break;
    if (index == (int)exam->finding_count) {
        more[exam->finding_count++] = made;
        return index;
    }
    free(made.why);
    free(made.mend);
    return index;
}

void exam_note(struct exam *exam, const char *name, enum weight weight, const char *why,
               const char *mend)
{
    int index = exam_find(exam, name, weight, why, mend);
    if (index >= 0)
        exam->findings[index].noted++;
}

enum weight exam_worst(const struct exam *exam)
{
    enum weight worst = NOTE;
    for (size_t i = 0; i < exam->finding_count; i++)
        if (exam->findings[i].weight > worst)
            worst = exam->findings[i].weight;
    return worst;
}

bool exam_is_shut_out(struct exam *exam, const char *path, const char *user)
{
    struct error err;
    if (reach_check(path, user, &err) == 0 || err.status != EX_NOPERM)
        return false;
    char *end =
        strstr(err.text, "it: "); /* its parts: what stops the account, and what lets it pass */
    fact_set(&exam->facts, "stops", "%.*s", (int)(end + 2 - err.text), err.text);
    const char *settings = strstr(end, "socket_group = ");
    if (settings == NULL)
        fact_set(&exam->facts, "let", "%s%s", strncmp(end + 4, "chmod ", 6) == 0 ? "$ " : "",
                 end + 4);
    else
        fact_set(&exam->facts, "let", "In %s set %.*s\n%s", exam->request->conf,
                 (int)(strstr(settings, " in ") - settings), settings,
                 fact_get(&exam->facts, "restart_daemon"));
    return true;
}

bool exam_is_server_at(const struct exam *exam, const char *host, const char *port)
{
    const struct ip *address = &exam->server.address;
    char text[INET6_ADDRSTRLEN];
    struct ip ip;
    struct error err;
    const struct servent *known = getservbyname(port, "tcp");
    unsigned number =
        known != NULL ? ntohs((uint16_t)known->s_port) : (unsigned)strtoul(port, NULL, 10);
    if (number != exam->where.port)
        return false;
    ip_format(text, sizeof text, address);
    if (strcmp(host, "localhost") == 0 || strcmp(host, "loopback-only") == 0)
        return ip_is_loopback(text);
    bool is_any = host[strspn(host, "0.:[]")] == '\0';
    return is_any || ip_parse(&ip, host, &err) != 0 || memcmp(&ip, address, sizeof ip) == 0;
}

/* ---- lines */

struct text_lines text_lines_of(char *text)
{
    struct text_lines lines = {text, text == NULL ? 0 : strlen(text) + 1};
    for (char *end = text; end != NULL && (end = strchr(end, '\n')) != NULL;)
        *end++ = '\0';
    return lines;
}

const char *text_lines_next(const struct text_lines *lines, size_t *at, const char *begins)
{
    size_t length = strlen(begins);
    while (*at < lines->size) {
        const char *line = lines->text + *at;
        *at += strlen(line) + 1;
        if (strncmp(line, begins, length) == 0)
            return line + length;
    }
    return NULL;
}
