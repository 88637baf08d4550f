#include "doctor/sendmail_view.h"

#include "mta/files.h"
#include "mta/sendmail/sendmail_run.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEFAULT_DIR "/etc/mail"

/* ---- sendmail.cf */

/* The next line from *at on that begins so: what follows its beginning; NULL for none. */
static const char *next_line(const struct sendmail_view *view, size_t *at, const char *begins)
{
    size_t length = strlen(begins);
    while (*at < view->size) {
        const char *line = view->lines + *at;
        *at += strlen(line) + 1;
        if (strncmp(line, begins, length) == 0)
            return line + length;
    }
    return NULL;
}

const char *sendmail_option(const struct sendmail_view *view, const char *begins)
{
    const char *found = "", *line;
    for (size_t at = 0; view != NULL && (line = next_line(view, &at, begins)) != NULL;)
        found = line;
    return found;
}

static const char *folder_of(const struct evidence *evidence)
{
    return evidence->config_dir == NULL ? DEFAULT_DIR : evidence->config_dir;
}

void *sendmail_look(const struct evidence *evidence, struct error *err)
{
    struct sendmail_view *view = calloc(1, sizeof *view);
    if (view == NULL) {
        error_set(err, EX_OSERR, "out of memory");
        return NULL;
    }
    snprintf(view->path, sizeof view->path, "%s/sendmail.cf", folder_of(evidence));
    view->text = file_read(view->path, err);
    view->lines = view->text == NULL ? NULL : strdup(view->text);
    if (view->text != NULL && view->lines == NULL)
        error_set(err, EX_OSERR, "out of memory");
    if (view->lines != NULL &&
        endpoint_parse(&view->milter, evidence->settings->socket, err) == 0) {
        view->size = strlen(view->lines) + 1;
        for (char *end = view->lines; (end = strchr(end, '\n')) != NULL;)
            *end++ = '\0';
        return view;
    }
    sendmail_look_free(view);
    return NULL;
}

void sendmail_look_free(void *looked_at)
{
    struct sendmail_view *view = looked_at;
    if (view == NULL)
        return;
    free(view->text);
    free(view->lines);
    free(view);
}

/* ---- milters and ports */

/* The value of an equate in a list, "S=unix:/run/x, F=T", which ends at ','; "" if it is not there. */
static void read_equate(char *out, size_t size, const char *list, const char *key)
{
    size_t length = strlen(key);
    *out = '\0';
    for (const char *at = list; at != NULL && *at != '\0';
         at = strchr(at, ',') == NULL ? NULL : strchr(at, ',') + 1) {
        at += strspn(at, " \t");
        if (strncmp(at, key, length) == 0 && at[length] == '=')
            snprintf(out, size, "%.*s", (int)strcspn(at + length + 1, ", \t"), at + length + 1);
    }
}

bool sendmail_find_us(const struct sendmail_view *view, struct sendmail_filter *out)
{
    const char *line;
    bool found = false;
    for (size_t at = 0; view != NULL && (line = next_line(view, &at, "X")) != NULL;) {
        struct sendmail_filter filter;
        struct endpoint endpoint;
        snprintf(filter.name, sizeof filter.name, "%.*s", (int)strcspn(line, ", \t"), line);
        read_equate(filter.socket, sizeof filter.socket, line, "S");
        read_equate(filter.flags, sizeof filter.flags, line, "F");
        filter.is_exact = endpoint_parse_sendmail(&endpoint, filter.socket) &&
                          endpoint_is_same(&endpoint, &view->milter);
        if (filter.is_exact || strcmp(filter.name, "milter-moved") == 0)
            *out = filter, found = true;
        if (filter.is_exact)
            return true;
    }
    return found;
}

const char *sendmail_port(const struct sendmail_view *view, int service)
{
    const char *line = "";
    size_t at = 0;
    for (int number = 0; line != NULL && number <= service; number++)
        line = next_line(view, &at, "O DaemonPortOptions=");
    return line == NULL ? "" : line;
}

int sendmail_services(const void *view, int *asked)
{
    int count = 0;
    size_t at = 0;
    *asked = -1; /* nothing tells which of them has the address that is asked */
    while (next_line(view, &at, "O DaemonPortOptions=") != NULL)
        count++;
    return count;
}

/* ---- what a stranger gets, by the rules: sendmail -bt, as client 198.51.100.1, whom nobody knows (RFC 5737) */

static const char stranger[] = ".D{client_addr}198.51.100.1\n.D{client_name}stranger.invalid\n"
                               ".D{client_resolve}FAIL\n.D{mail_from}<>\n";

/* The result of the ruleset for the next recipient; *at goes behind it. */
static bool is_denied(const char **at)
{
    static const char returns[] = "\ncheck_rcpt       returns: ";
    const char *found = *at == NULL ? NULL : strstr(*at, returns);
    if (found == NULL)
        return false;
    found += strlen(returns);
    size_t length = strcspn(found, "\n");
    *at = found + length;
    return memmem(found, length, "elaying denied", strlen("elaying denied")) != NULL;
}

/* An entry of the domain that is refused with a reply; else any recipient. */
static const char *listed_in(const struct evidence *evidence, const struct asked_domain *domain)
{
    const char *any = "";
    for (size_t i = 0; i < evidence->asked_count; i++)
        if (evidence->asked[i]->domain == domain) {
            any = evidence->asked[i]->recipient;
            if (asked_is_ours(evidence->asked[i]))
                break;
        }
    return any;
}

/* Of all domains, or (listed) of those that are denied so far. */
static int try_all(const struct sendmail_view *view, struct evidence *evidence, bool listed,
                   struct error *err)
{
    char *commands = NULL;
    size_t size;
    bool any = false;
    FILE *out = open_memstream(&commands, &size);
    if (out == NULL)
        return error_set(err, EX_OSERR, "out of memory");
    fputs(stranger, out);
    for (size_t i = 0; i < evidence->domain_count; i++) {
        const struct asked_domain *domain = &evidence->domains[i];
        any = any || !listed || domain->kind == SENDMAIL_DENIED;
        if (!listed)
            fprintf(out, "check_rcpt <movedctl-doctor@%s>\n", domain->name);
        else if (domain->kind == SENDMAIL_DENIED)
            fprintf(out, "check_rcpt <%s>\n", listed_in(evidence, domain));
    }
    struct error none;
    char *printed =
        fclose(out) == 0 && any ? sendmail_try_rules(view->path, commands, &none) : NULL;
    const char *at = printed;
    for (size_t i = 0; i < evidence->domain_count; i++)
        if (!listed || evidence->domains[i].kind == SENDMAIL_DENIED)
            evidence->domains[i].kind = is_denied(&at) ? SENDMAIL_DENIED : SENDMAIL_SERVED;
    free(commands);
    free(printed);
    return 0;
}

/* First a mailbox that is in no table, and an entry only where that is denied: each address that the daemon
 * tells brings the stranger nearer to the limit. */
int sendmail_classify_domains(const void *view, struct evidence *evidence, struct error *err)
{
    int rc = try_all(view, evidence, false, err);
    return rc == 0 ? try_all(view, evidence, true, err) : rc;
}

/* ---- for doctor */

void sendmail_tell(const struct subject *subject)
{
    const struct sendmail_view *view = subject->view;
    const struct settings *settings = subject->evidence->settings;
    const char *filters = sendmail_option(view, "O InputMailFilters=");
    char socket[ENDPOINT_TEXT_SIZE];

    if (view == NULL)
        return;
    fact_set(subject->facts, "dir", "%s", folder_of(subject->evidence));
    fact_set(subject->facts, "cf", "%s", view->path);
    fact_set(subject->facts, "lookups", "%s", settings->lookup_socket);
    fact_set(subject->facts, "socket", "%s",
             endpoint_format_sendmail(socket, sizeof socket, &view->milter));
    fact_set(subject->facts, "milters", "%s", *filters == '\0' ? "none" : filters);
    fact_set(subject->facts, "service", "%s",
             subject->service < 0 ? "" : sendmail_port(view, subject->service));
}
